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

/// How many times the spread of direct f32 sums an algorithm's errors may have,
/// `algorithm` as in reports ("direct + rows": the loosest counts).
double spreadFactor(std::string_view algorithm);

/// One command and what was found.
struct NumericsRow {
  std::string where, name;
  RunResult result;
  ErrorFigures figures;
  double factor = NAN, seconds = NAN;
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

/// Runs a command and judges it. Times out after `budget` seconds.
NumericsRow runNumerics(const PlannedCommand &planned,
                        const SessionOptions &session,
                        ReferenceCache &references, double budget);

/// Sets the row's verdict from its figures.
void judgeNumerics(const NumericsCriteria &criteria, DType dtype,
                   NumericsRow &row);

/// The lines of a row for people, and further ones.
std::string numericsLines(const NumericsRow &row, bool verbose, bool histogram);
/// All rows in 80 columns.
std::string numericsTable(std::span<const NumericsRow> rows);
std::string numericsCsv(std::span<const NumericsRow> rows);
std::string numericsJson(std::span<const NumericsRow> rows, bool histogram);

} // namespace boo
