//===- Summary.h - What a file of commands came to --------------*- C++ -*-===//
#pragma once

#include "boo/driver/records/RunResult.h"

namespace boo {

/// A failure as the table at the end lists it.
struct Failure {
  std::string what, why;
  std::string repro; ///< the one line that repeats it
};

/// Counts of lines and kernels, and the failures.
struct Summary {
  size_t lines = 0; ///< in the file
  size_t passed = 0, failed = 0;
  size_t skipped = 0; ///< of those: their results came from --state
  size_t cached = 0, compiled = 0; ///< runs whose kernels were so
  double seconds = 0;
  bool interrupted = false;
  std::vector<Failure> failures;

  size_t done() const { return passed + failed; }
  /// A line whose results, one for each backend, are there.
  void add(const std::vector<RunResult> &results, bool fromState);
  /// 80 columns wide but for the lines that repeat failures.
  std::string text() const;
};

} // namespace boo
