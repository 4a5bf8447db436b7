//===- FileLock.h - One process at a time, also over NFS --------*- C++ -*-===//
//
// An open file description lock on one byte of a lock file. The system frees it
// when its holder dies. Lock files are never removed: a waiter on a removed
// file would hold a lock that nobody else sees.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/runtime/Files.h"

#include <chrono>

namespace boo {

class FileLock {
public:
  FileLock() = default;
  FileLock(FileLock &&other) noexcept { swap(other); }
  FileLock &operator=(FileLock &&other) noexcept {
    swap(other);
    return *this;
  }
  ~FileLock();

  /// Waits for byte `offset` of the file, which is made if need be. A wait that
  /// outlasts `patience` is told, with `what` it is for. The error tells that
  /// the file cannot be made or its disk knows no locks.
  static StatusOr<FileLock>
  acquire(const std::string &path, int64_t offset, std::string_view what,
          std::chrono::milliseconds patience = std::chrono::seconds(2));

private:
  void swap(FileLock &other) noexcept {
    std::swap(File, other.File);
    std::swap(Offset, other.Offset);
    std::swap(Slot, other.Slot);
  }

  FileHandle File;
  int64_t Offset = 0;
  int Slot = -1;
};

} // namespace boo
