//===- CacheCommand.h - `boo cache` -----------------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>

namespace boo {

/// Runs the arguments behind `boo cache`. Returns the exit status: 0 all well,
/// 1 something failed or an entry did not verify, 2 a usage error.
int cacheCommand(std::span<const std::string> arguments);

} // namespace boo
