//===- TimingComparison.cpp - Is it slower than before? -------------------===//

#include "boo/driver/TimingComparison.h"

#include <algorithm>
#include <map>

using namespace boo;

static constexpr double kLevel = 0.01; ///< over all pairs
static constexpr int64_t kMostRuns = 30;

std::string_view boo::verdictName(PairVerdict verdict) {
  switch (verdict) {
  case PairVerdict::Same:
    return "same";
  case PairVerdict::Faster:
    return "faster";
  case PairVerdict::Slower:
    return "SLOWER";
  case PairVerdict::Broken:
    return "BROKEN";
  case PairVerdict::Mended:
    return "mended";
  case PairVerdict::Unsure:
    return "unsure";
  case PairVerdict::Failed:
    return "failed";
  case PairVerdict::Untimed:
    return "untimed";
  }
  return "";
}

/// Of the middle; NaN where nothing tells it.
static double standardError(const Timing &timing) {
  if (timing.count < 2)
    return NAN;
  double root = std::sqrt(double(std::min(timing.count, kMostRuns)));
  return timing.hasPercentiles()
             ? 1.2533 * std::max(timing.p90 - timing.p10, 0.0) / 2.563 / root
             : timing.stddev / root;
}

static void computeRatio(TimingPair *pair) {
  double a = pair->before.middle(), b = pair->after.middle();
  double ea = standardError(pair->before), eb = standardError(pair->after);
  pair->ratio = b / a;
  double relative = std::hypot(ea / a, eb / b);
  if (!std::isfinite(relative))
    return;
  pair->low = pair->ratio * std::exp(-1.96 * relative);
  pair->high = pair->ratio * std::exp(1.96 * relative);
  double error = std::hypot(ea, eb), difference = std::fabs(b - a);
  pair->p = difference == 0 ? 0.5
            : error == 0    ? 0
                            : 0.5 * std::erfc(difference / error / M_SQRT2);
}

static PairVerdict judge(const TimingPair &pair, double threshold,
                         size_t timed) {
  bool was = pair.before.error.empty(), is = pair.after.error.empty();
  if (!was || !is)
    return was  ? PairVerdict::Broken
           : is ? PairVerdict::Mended
                : PairVerdict::Failed;
  if (!std::isfinite(pair.ratio))
    return PairVerdict::Untimed;
  bool slower = pair.ratio > 1 + threshold;
  if (!slower && pair.ratio >= 1 / (1 + threshold))
    return PairVerdict::Same;
  if (std::isnan(pair.p))
    return PairVerdict::Unsure;
  if (pair.p > kLevel / double(timed))
    return PairVerdict::Same;
  return slower ? PairVerdict::Slower : PairVerdict::Faster;
}

static void summarise(TimingComparison *all) {
  double sum = 0, squares = 0;
  for (const TimingPair &pair : all->pairs)
    if (std::isfinite(pair.ratio))
      sum += std::log(pair.ratio) / double(all->timed);
  for (const TimingPair &pair : all->pairs)
    if (std::isfinite(pair.ratio))
      squares += std::pow(std::log(pair.ratio) - sum, 2);
  if (all->timed > 0)
    all->meanRatio = std::exp(sum);
  if (all->timed > 1)
    all->spread = std::exp(std::sqrt(squares / double(all->timed - 1)));
}

TimingComparison boo::compareTimings(const std::vector<Timing> &before,
                                     const std::vector<Timing> &after,
                                     double threshold) {
  TimingComparison all;
  std::multimap<std::pair<std::string, std::string>, size_t> waiting;
  for (size_t i = 0; i != after.size(); ++i)
    waiting.emplace(std::pair(after[i].command, after[i].backend), i);
  for (const Timing &each : before) {
    auto key = std::pair(each.command, each.backend);
    auto found = waiting.lower_bound(key);
    if (found == waiting.end() || found->first != key) {
      all.onlyBefore.push_back(each);
      continue;
    }
    TimingPair pair;
    pair.before = each;
    pair.after = after[found->second];
    waiting.erase(found);
    if (pair.before.timed() && pair.after.timed()) {
      computeRatio(&pair);
      ++all.timed;
    }
    all.pairs.push_back(std::move(pair));
  }
  std::vector<size_t> left;
  for (const auto &[key, index] : waiting)
    left.push_back(index);
  std::sort(left.begin(), left.end());
  for (size_t index : left)
    all.onlyAfter.push_back(after[index]);
  for (TimingPair &pair : all.pairs)
    pair.verdict = judge(pair, threshold, all.timed);
  summarise(&all);
  return all;
}
