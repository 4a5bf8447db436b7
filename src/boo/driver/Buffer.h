//===- Buffer.h - Operand memory that notices stray accesses ----*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>

namespace boo {

/// Memory of one operand: between two pages that fault on any access, with a
/// known pattern between those and the data, so that a write just outside is
/// found by intact() and one further out stops the program.
class GuardedBuffer {
public:
  GuardedBuffer() = default;
  GuardedBuffer(GuardedBuffer &&other) noexcept { *this = std::move(other); }
  GuardedBuffer &operator=(GuardedBuffer &&other) noexcept;
  ~GuardedBuffer();

  /// `bytes` of memory aligned to 64, every byte 0xff: NaN in every float type.
  static StatusOr<GuardedBuffer> create(int64_t bytes);

  void *data() const { return Data; }
  int64_t size() const { return Size; }
  /// Moves the data to `offset` bytes, at most 64, behind a multiple of 64.
  /// Its contents become those of a new buffer.
  void place(int64_t offset);
  /// Sets every byte of the data to 0xff.
  void poison();
  /// True when nothing was written beside the data.
  bool intact() const { return strayByte() == kNone; }
  /// Offset from the data's begin of a byte beside it that was written: that
  /// nearest to the data, or kNone.
  int64_t strayByte() const;
  static constexpr int64_t kNone = INT64_MIN;

private:
  char *Map = nullptr, *Data = nullptr;
  int64_t MapSize = 0, Size = 0;
};

} // namespace boo
