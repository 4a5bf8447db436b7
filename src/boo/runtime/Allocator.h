//===- Allocator.h - Host memory that is kept for the next use --*- C++ -*-===//
//
// A fresh 32 MB buffer costs thousands of page faults, several times the run of
// the kernel that fills it. Freed blocks are kept in size classes and handed
// out again.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/runtime/Memory.h"

#include <memory>

namespace boo {

struct AllocatorStats {
  int64_t inUseBytes = 0;  ///< handed out, rounded up to size classes
  int64_t cachedBytes = 0; ///< freed and kept
  int64_t peakBytes = 0;   ///< largest inUseBytes so far
  int64_t allocations = 0; ///< calls of allocate
  int64_t systemCalls = 0; ///< those that needed fresh memory
};

/// Thread-safe. Blocks are 64-byte aligned, with unspecified contents.
class Allocator {
public:
  Allocator();
  ~Allocator();
  Allocator(const Allocator &) = delete;
  Allocator &operator=(const Allocator &) = delete;

  /// A block of at least `bytes`, or NULL when memory is out even after the
  /// kept blocks were given back.
  void *allocate(int64_t bytes);
  /// Takes back a block of allocate(); NULL does nothing.
  void release(void *block);
  /// Gives kept blocks back to the system until at most `keepBytes` are left.
  void trim(int64_t keepBytes = 0);
  AllocatorStats stats() const;

  /// The process's own, never destroyed.
  static Allocator &host();

private:
  struct State;
  std::unique_ptr<State> S;
};

/// A block of Allocator::host(), given back by the destructor.
class HostBuffer {
public:
  HostBuffer() = default;
  static StatusOr<HostBuffer> create(int64_t bytes);
  HostBuffer(HostBuffer &&other) noexcept;
  HostBuffer &operator=(HostBuffer &&other) noexcept;
  ~HostBuffer() { Allocator::host().release(Data); }

  void *data() const { return Data; }
  int64_t size() const { return Size; }

private:
  void *Data = nullptr;
  int64_t Size = 0;
};

} // namespace boo
