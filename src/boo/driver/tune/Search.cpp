//===- Search.cpp ---------------------------------------------------------===//

#include "boo/driver/tune/Search.h"

#include <optional>
#include <random>
#include <set>

using namespace boo;

TuneSpace::~TuneSpace() = default;

namespace {

class Search {
public:
  Search(TuneSpace &space, const SearchOptions &options)
      : Space(space), Options(options), Random(options.seed) {}

  StatusOr<SearchEnd> run() {
    BOO_ASSIGN_OR_RETURN(ScheduleSteps first, Space.steps(""));
    End.untuned = End.best = first.from;
    Tried.insert(first.from);
    BOO_RETURN_IF_ERROR(climb());
    for (int vain = 0; vain != Options.jumps && !TimeUp;) {
      BOO_ASSIGN_OR_RETURN(std::optional<std::string> far, jumpFromBest());
      if (!far)
        break;
      BOO_ASSIGN_OR_RETURN(bool won, tryOne(*far));
      vain = won ? 0 : vain + 1;
      if (won)
        BOO_RETURN_IF_ERROR(climb());
    }
    End.exhausted = !TimeUp;
    BOO_RETURN_IF_ERROR(confirm());
    return End;
  }

private:
  /// Goes on from the best until no step away wins.
  Status climb() {
    for (bool moved = true; moved && !TimeUp;) {
      moved = false;
      BOO_ASSIGN_OR_RETURN(ScheduleSteps around, Space.steps(End.best));
      for (const std::string &step : around.steps) {
        if (Tried.count(step))
          continue;
        BOO_ASSIGN_OR_RETURN(moved, tryOne(step));
        if (moved || TimeUp)
          break;
      }
    }
    return Status::ok();
  }

  StatusOr<bool> tryOne(const std::string &schedule) {
    TimeUp = !Space.timeLeft();
    if (TimeUp)
      return false;
    Tried.insert(schedule);
    BOO_ASSIGN_OR_RETURN(Trial trial, Space.compare(End.best, schedule));
    if (trial.outcome != TrialOutcome::Faster)
      return false;
    if (End.best != End.untuned) {
      // A chain of small gains that each owe something to chance must not end
      // behind its start.
      BOO_ASSIGN_OR_RETURN(Trial again, Space.compare(End.untuned, schedule));
      if (again.outcome != TrialOutcome::Faster)
        return false;
    }
    End.best = schedule;
    Finds.push_back(schedule);
    return true;
  }

  /// Much later than what was found: a machine that did other work for a while
  /// lets what does not mind that look fast.
  Status confirm() {
    for (; !Finds.empty(); Finds.pop_back()) {
      BOO_ASSIGN_OR_RETURN(Trial trial,
                           Space.compare(End.untuned, Finds.back()));
      if (trial.outcome == TrialOutcome::Faster)
        break;
    }
    End.best = Finds.empty() ? End.untuned : Finds.back();
    return Status::ok();
  }

  /// A Schedule a few random steps away that was not tried; none when that was
  /// not to be had.
  StatusOr<std::optional<std::string>> jumpFromBest() {
    constexpr int attempts = 8;
    for (int attempt = 0; attempt != attempts; ++attempt) {
      std::string at = End.best;
      for (size_t length = 2 + Random() % 2; length != 0; --length) {
        BOO_ASSIGN_OR_RETURN(ScheduleSteps around, Space.steps(at));
        if (around.steps.empty())
          break;
        at = around.steps[Random() % around.steps.size()];
      }
      if (!Tried.count(at))
        return std::optional(at);
    }
    return std::optional<std::string>();
  }

  TuneSpace &Space;
  const SearchOptions &Options;
  std::mt19937_64 Random;
  std::set<std::string> Tried;
  std::vector<std::string> Finds; ///< each better than those before
  SearchEnd End;
  bool TimeUp = false;
};

} // namespace

StatusOr<SearchEnd> boo::searchSchedules(TuneSpace &space,
                                         const SearchOptions &options) {
  return Search(space, options).run();
}
