//===- Timer.cpp ----------------------------------------------------------===//

#include "boo/driver/Timer.h"
#include "boo/base/Interrupt.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <emmintrin.h>

using namespace boo;

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

static double quantile(const std::vector<double> &sorted, double q) {
  double at = q * double(sorted.size() - 1);
  size_t low = size_t(at), high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - double(low)) * (sorted[high] - sorted[low]);
}

double boo::median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

Statistics boo::statistics(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Statistics s;
  s.count = int64_t(values.size());
  s.min = values.front();
  s.max = values.back();
  for (double value : values)
    s.mean += value / double(values.size());
  double squares = 0;
  for (double value : values)
    squares += (value - s.mean) * (value - s.mean);
  if (values.size() > 1)
    s.stddev = std::sqrt(squares / double(values.size() - 1));
  s.median = quantile(values, 0.5);
  s.p10 = quantile(values, 0.1);
  s.p90 = quantile(values, 0.9);
  return s;
}

double boo::peakFraction(const std::vector<TimedRun> &runs,
                         const std::function<double(double us)> &rate) {
  double highest = 0;
  for (const TimedRun &run : runs)
    highest = std::max(highest, run.peak);
  std::vector<double> fractions;
  for (const TimedRun &run : runs)
    if (run.peak > 0 && run.peak >= highest / 2 && run.us > 0)
      fractions.push_back(rate(run.us) / run.peak);
  return fractions.empty() ? NAN : median(std::move(fractions));
}

namespace {
/// Decides when the runs so far are enough.
class Steadiness {
public:
  /// Asked after each run; looks at the median each time the count has grown by
  /// half, so that the sorting never costs more than the runs.
  bool enough(const std::vector<TimedRun> &runs, double seconds) {
    constexpr size_t least = 5, most = 100000;
    if (runs.size() < least)
      return false;
    if (seconds >= 0.5 || runs.size() >= most)
      return true;
    if (runs.size() < Next)
      return false;
    Next = runs.size() + runs.size() / 2 + 1;
    std::vector<double> times;
    for (const TimedRun &run : runs)
      times.push_back(run.us);
    double now = median(std::move(times));
    bool steady = std::fabs(now - Last) <= 0.003 * now;
    Last = now;
    Steady = steady ? Steady + 1 : 0;
    // Below 50 ms a burst of another process could pass for the whole truth.
    return Steady >= 2 && seconds >= 0.05;
  }

private:
  size_t Next = 5;
  double Last = -1;
  int Steady = 0;
};
} // namespace

static Status warmUp(const std::function<Status()> &run,
                     const TimerOptions &options) {
  Clock::time_point start = Clock::now();
  for (int64_t i = 0; !interrupted(); ++i) {
    if (options.warmup >= 0
            ? i >= options.warmup
            : i >= 1 && (i >= 100 || secondsSince(start) > 0.02))
      break;
    BOO_RETURN_IF_ERROR(run());
  }
  return Status::ok();
}

Status boo::timeRuns(const std::function<Status()> &run,
                     const std::function<void()> &before,
                     const std::function<double()> &peak,
                     const TimerOptions &options, std::vector<TimedRun> *runs) {
  BOO_RETURN_IF_ERROR(warmUp(run, options));
  constexpr size_t pairs = 60;
  Steadiness steadiness;
  Clock::time_point start = Clock::now();
  while (!interrupted()) {
    TimedRun next;
    if (peak && runs->size() < pairs)
      next.peak = peak();
    if (before)
      before();
    Clock::time_point begin = Clock::now();
    Status status = run();
    next.us = secondsSince(begin) * 1e6;
    BOO_RETURN_IF_ERROR(std::move(status));
    runs->push_back(next);
    if (options.iters > 0 ? int64_t(runs->size()) >= options.iters
                          : steadiness.enough(*runs, secondsSince(start)))
      break;
  }
  return Status::ok();
}

StatusOr<double> boo::timeOnce(const std::function<Status()> &run) {
  Clock::time_point begin = Clock::now();
  BOO_RETURN_IF_ERROR(run());
  return secondsSince(begin) * 1e3;
}

void boo::evictFromCaches(const void *data, int64_t bytes) {
  constexpr int64_t line = 64;
  const char *p = static_cast<const char *>(data);
  for (int64_t i = 0; i < bytes; i += line)
    _mm_clflush(p + i);
  if (bytes > 0)
    _mm_clflush(p + bytes - 1);
  _mm_mfence();
}
