//===- TimingComparison.h - Is it slower than before? -----------*- C++ -*-===//
//
// A pair is slower (or faster) when both hold:
//   - its ratio is beyond the threshold: noise of a few percent that comes with
//     another layout of memory is no finding, however sure it is;
//   - a one-sided z test on the difference of the middles rejects "no slower"
//     at 1 % over all pairs (each at 1 % / pairs: Bonferroni), so that a table
//     of hundreds of lines has no finding by chance.
// The middle is the median, of standard error 1.2533 s / sqrt(n) with
// s = (p90 - p10) / 2.563, as a normal distribution has them: percentiles do
// not mind the few runs that the system disturbs. Tables without percentiles
// have mean and stddev / sqrt(n). n counts at most 30 runs: those of one call
// share its memory, clock and neighbours, so more of them tell nothing new.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/records/Timings.h"

namespace boo {

enum class PairVerdict {
  Same,
  Faster,
  Slower, ///< a regression
  Broken, ///< ran before and fails now: a regression
  Mended, ///< failed before and runs now
  Unsure, ///< beyond the threshold, but a single run proves nothing
  Failed, ///< before and now
  Untimed
};
std::string_view verdictName(PairVerdict verdict);

struct TimingPair {
  Timing before, after;
  double ratio = NAN;           ///< of the middles, after / before
  double low = NAN, high = NAN; ///< of the ratio, 95 %
  double p = NAN; ///< of the test, for the direction that the ratio has
  PairVerdict verdict = PairVerdict::Untimed;

  bool regressed() const {
    return verdict == PairVerdict::Slower || verdict == PairVerdict::Broken;
  }
};

struct TimingComparison {
  std::vector<TimingPair> pairs; ///< in the order of `before`
  std::vector<Timing> onlyBefore, onlyAfter;
  size_t timed = 0;                     ///< pairs with a ratio
  double meanRatio = NAN, spread = NAN; ///< geometric mean, geometric stddev
};

/// Pairs by command and backend; of equal ones the first with the first.
TimingComparison compareTimings(const std::vector<Timing> &before,
                                const std::vector<Timing> &after,
                                double threshold);

} // namespace boo
