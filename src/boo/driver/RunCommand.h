//===- RunCommand.h - One command on one backend ----------------*- C++ -*-===//
#pragma once

#include "boo/driver/Timer.h"
#include "boo/driver/Verify.h"
#include "boo/driver/commands/Command.h"

#include <cmath>
#include <optional>

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
};

/// Everything a report may tell. Absent figures are NaN, absent texts "".
struct RunResult {
  std::string command, backend, direction = "forward", device = "cpu", dtype;
  std::string repro; ///< the line that repeats this run and its checks
  int threads = 0;   ///< 0 = not known yet
  std::optional<Statistics> times; ///< µs; none when not timed
  int64_t iters = 0;               ///< runs that were timed
  double gflops = NAN, gbps = NAN;
  double peakGflops = NAN; ///< of all threads
  std::string peakKind;    ///< "fma-f32", …, or "copy" where memory-bound
  double peakFraction = NAN;
  double compileMs = NAN, loadMs = NAN, firstCallMs = NAN;
  int64_t workspaceBytes = -1; ///< -1 = unknown
  std::string cache, algorithm, schedule, artifact;
  std::vector<std::string> why;
  std::optional<bool> verified; ///< none = not asked
  double maxAbsErr = NAN, maxRelErr = NAN, bound = NAN;
  std::vector<std::string> checks; ///< a line for each check of --verify
  std::string failedCheck;         ///< the name of that which failed
  bool checksCutShort = false;     ///< see Verdict::cutShort
  /// Sizes in memory order and dtype of each output.
  std::vector<std::pair<std::vector<int64_t>, DType>> outputs;
  Status status;         ///< why it failed
  bool cutShort = false; ///< Ctrl-C came before all that was asked

  bool ran() const { return std::isfinite(firstCallMs); }
  bool failed() const { return !status.isOk() || verified == false; }
};

/// Compiles or loads, allocates, fills, runs, times and verifies as the
/// command's flags say. Never fails as such: `status` of the result tells.
RunResult runCommand(const CommandLine &line, const CommandGraph &command,
                     const std::string &backend, const SessionOptions &session);

/// "boo driver conv … --verify --seed 0": repeats a run with its checks.
std::string reproLine(const CommandLine &line, const std::string &backend);

} // namespace boo
