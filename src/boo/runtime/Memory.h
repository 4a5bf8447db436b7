//===- Memory.h - How much memory is to be had ------------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>

namespace boo {

/// Bytes that this process can still get without swapping: MemAvailable of
/// /proc/meminfo, or less where its control group, of version 1 or 2, or one
/// above it has a limit. -1 if nothing is known. The files are read below
/// `root`.
int64_t availableMemory(const std::string &root = "");

/// Ok, or OutOfMemory with both figures when `bytes` for `purpose` are more
/// than the machine, or the limit of the control group, has free.
Status checkMemory(int64_t bytes, std::string_view purpose,
                   const std::string &root = "");

} // namespace boo
