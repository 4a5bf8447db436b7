//===- RunResult.h - What a run of `boo driver` told ------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"
#include "boo/graph/DType.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace boo {

struct Statistics {
  int64_t count = 0;
  double min = 0, max = 0, mean = 0, median = 0;
  double stddev = 0; ///< of the sample; 0 for a single run
  double p10 = 0, p90 = 0;
};

/// A dispatch of a run; µs until all threads are done with it.
struct DispatchTime {
  std::string kernel, dispatch;
  int64_t grid = 0;
  double us = 0;
};

/// One command on one backend: everything a report may tell. Absent figures are
/// NaN, absent texts "".
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
  std::vector<DispatchTime> profile; ///< medians, if asked for
  std::vector<std::string> checks;   ///< a line for each check of --verify
  std::string failedCheck;           ///< the name of that which failed
  bool checksCutShort = false;       ///< see Verdict::cutShort
  /// Sizes in memory order and dtype of each output.
  std::vector<std::pair<std::vector<int64_t>, DType>> outputs;
  Status status;         ///< why it failed
  bool stopped = false;  ///< its process died, or had had its time
  bool rejected = false; ///< the command itself is wrong, on any backend
  bool cutShort = false; ///< Ctrl-C came before all that was asked

  bool ran() const { return std::isfinite(firstCallMs); }
  bool failed() const { return !status.isOk() || verified == false; }
  /// Why it failed, "" if it did not.
  std::string error() const {
    return status.isOk() ? "" : stopped ? status.message() : status.toString();
  }
};

} // namespace boo
