//===- RunCommand.h - One command on one backend ----------------*- C++ -*-===//
#pragma once

#include "boo/driver/Verify.h"
#include "boo/driver/commands/Command.h"
#include "boo/driver/records/RunResult.h"

namespace boo {

/// What all commands of a call of `boo driver` share.
struct SessionOptions {
  bool json = false;
  bool timeAlways = false; ///< as --json does
  bool measurePeak = false;
  std::string cacheDir;
  /// Verifies whatever the flags say, with these; seed, splat, threads, math
  /// and structured stay the flags'.
  const VerifyOptions *verify = nullptr;
  int jobs = 1; ///< commands under way at once
};

/// Compiles or loads, allocates, fills, runs, times and verifies as the
/// command's flags say. Never fails as such: `status` of the result tells.
RunResult runCommand(const CommandLine &line, const CommandGraph &command,
                     const std::string &backend, const SessionOptions &session);

/// "boo driver conv … --verify --seed 0": repeats a run with its checks.
std::string reproLine(const CommandLine &line, const std::string &backend);

} // namespace boo
