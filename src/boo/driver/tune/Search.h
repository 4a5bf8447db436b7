//===- Search.h - Which Schedules are tried, and in which order -*- C++ -*-===//
//
// A greedy local search: from the untuned Schedule, each step away is compared
// with the best one so far, the likely ones first, and the first that wins is
// where it goes on. Where no step wins, a few jumps of several random steps may
// find a way on. Which Schedules come next depends on the outcomes and the seed
// alone, so that a search whose outcomes are known so far is repeated up to
// where it stopped without a measurement.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/tune/Trial.h"
#include "boo/runtime/Launcher.h"

namespace boo {

/// What a search asks of those who can compile and measure.
class TuneSpace {
public:
  virtual ~TuneSpace();
  /// Of a Schedule's text; "" is the untuned one.
  virtual StatusOr<ScheduleSteps> steps(const std::string &from) = 0;
  /// What fails is a Trial that says so; an error ends the search.
  virtual StatusOr<Trial> compare(const std::string &against,
                                  const std::string &schedule) = 0;
  /// Asked before each comparison.
  virtual bool timeLeft() = 0;
};

struct SearchOptions {
  uint64_t seed = 0;
  int jumps = 24; ///< in a row that find nothing, then it ends
};

struct SearchEnd {
  std::string untuned, best; ///< Schedules; equal when nothing was found
  bool exhausted = false;    ///< all was tried; else time ran out
};

/// A Schedule is found when it is faster than the best one before and than the
/// untuned one: both are comparisons of their own. At the end the best is
/// compared with the untuned one again; where it is not faster any more it is
/// taken back, and what was found before has to stand the same test.
StatusOr<SearchEnd> searchSchedules(TuneSpace &space,
                                    const SearchOptions &options);

} // namespace boo
