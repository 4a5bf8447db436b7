//===- Timer.h - Runs, one by one, by the steady clock ----------*- C++ -*-===//
#pragma once

#include "boo/driver/records/RunResult.h"

#include <functional>
#include <vector>

namespace boo {

/// Of at least one value. Percentiles are interpolated linearly.
Statistics statistics(std::vector<double> values);
double median(std::vector<double> values);

struct TimerOptions {
  int64_t iters = 0;   ///< 0: at least 5, until the median is steady or 0.5 s
  int64_t warmup = -1; ///< -1: at least one more run, for up to 20 ms
};

/// A run, and what `between` returned just before it.
struct TimedRun {
  double us = 0;
  double peak = 0;
};

/// The median of the runs' rates as fractions of the peaks beside them; NaN if
/// there are none. A peak below half of the highest is left out: the CPUs had
/// other work, and it tells nothing.
double peakFraction(const std::vector<TimedRun> &runs,
                    const std::function<double(double us)> &rate);

/// Calls `run` after `before` (if any), which is not timed. `peak` (if any) is
/// called before each of the first 60 runs. Stops early, with what there is,
/// when interrupted().
Status timeRuns(const std::function<Status()> &run,
                const std::function<void()> &before,
                const std::function<double()> &peak,
                const TimerOptions &options, std::vector<TimedRun> *runs);

/// Milliseconds of one call.
StatusOr<double> timeOnce(const std::function<Status()> &run);

/// Writes the bytes back and drops them from all of the CPU's caches.
void evictFromCaches(const void *data, int64_t bytes);

} // namespace boo
