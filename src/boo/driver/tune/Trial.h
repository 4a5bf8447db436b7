//===- Trial.h - One comparison of two Schedules ----------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <nlohmann/json_fwd.hpp>

#include <cmath>

namespace boo {

enum class TrialOutcome {
  Slower, ///< or not clearly faster
  Faster, ///< clearly, and its results are right
  Failed, ///< it is refused, crashes, hangs, or is wrong
};
std::string_view outcomeName(TrialOutcome outcome);

/// What came of a Schedule that was run in turns with another one.
struct Trial {
  std::string against, schedule; ///< in full
  TrialOutcome outcome = TrialOutcome::Failed;
  double againstUs = NAN, us = NAN; ///< medians of the same turns, a call
  double ratio = NAN;               ///< median of us / againstUs, turn by turn
  double seconds = 0;               ///< that it took, compilation included
  std::string why;                  ///< it failed
  /// Memory of the process may be damaged: a kernel did what it must not. Not
  /// part of the text form.
  bool damaging = false;
};

/// The fields above as one object; what is not known is left out.
nlohmann::ordered_json trialJson(const Trial &trial);
/// The error names the field at fault.
StatusOr<Trial> trialOfJson(const nlohmann::ordered_json &json);

/// "m_tile=7 n_vectors=4": the fields of `schedule` that are not as in `other`.
std::string scheduleChange(std::string_view schedule, std::string_view other);

} // namespace boo
