//===- Numerics.h - Are a kernel's errors those it must have? ---*- C++ -*-===//
//
// Beside the bounds of driver/Verify.h, which no element may leave, stand
// statistics that see what bounds are too wide for: the errors of many elements
// may have no bias, and spread no more than those of a direct sum in f32.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/ProgramLine.h"
#include "boo/driver/RunCommand.h"

namespace boo {

/// What iree-turbine's flags --numerics-… set.
struct NumericsCriteria {
  double stddevRtol = NAN; ///< NaN: as spreadFactor() says
  double stddevAtol = 0, meanRtol = 0.2, meanAtol = 0;
};
NumericsCriteria readCriteria(const DriverValues &flags);

/// What the errors of an algorithm are held to.
struct SpreadRule {
  std::string_view algorithm;
  double factor;   ///< how many times the spread of direct f32 sums
  bool judgesMean; ///< whether a mean off zero is a bias
};
std::span<const SpreadRule> spreadRules();
/// `algorithm` as in reports; of "direct + rows" the loosest counts.
SpreadRule spreadRule(std::string_view algorithm);

/// One command and what was found.
struct NumericsRow {
  std::string where, name;
  RunResult result;
  ErrorFigures figures;
  double factor = NAN; ///< NaN: mean and spread were not judged
  double seconds = NAN;
  bool structuredAsked = true;
  /// None of these is looked at when `result` never came to checks.
  bool meanOk = true, spreadOk = true, nanOk = true, structuredOk = true,
       boundsOk = true;

  /// It ran, and there are figures to judge by.
  bool judged() const { return figures.kernelReference.count > 0; }
  bool passed() const;
  /// Spread over that of direct sums; NaN where those are exact.
  double spread() const;
  /// "PASS", "FAIL (mean bias, stddev)", or "ERROR".
  std::string verdict() const;
  /// Why it did not pass.
  Status why() const;
};

/// Runs a command and judges it. References may take `budget` seconds.
NumericsRow runNumerics(const PlannedCommand &planned,
                        ReferenceCache &references, double budget);

/// Sets the row's verdict from its figures, from mean and spread only where
/// they are `statistical`.
void judgeNumerics(const NumericsCriteria &criteria, bool statistical,
                   NumericsRow &row);

/// The lines of a row for people, and further ones.
std::string numericsLines(const NumericsRow &row, bool verbose, bool histogram);
/// All rows in 80 columns.
std::string numericsTable(std::span<const NumericsRow> rows);
std::string numericsCsv(std::span<const NumericsRow> rows);
std::string numericsJson(std::span<const NumericsRow> rows, bool histogram);

} // namespace boo
