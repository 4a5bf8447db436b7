//===- Compare.h - A result against what it should be -----------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"
#include "boo/ops/Reference.h"

namespace boo {

/// What to hold a result to.
enum class Judge {
  Bounds, ///< |got - expected| at most the element's own bound
  Exact,  ///< the expected value rounded to the result's dtype, bit for bit
};

struct Comparison {
  bool ok = true;
  int64_t count = 0;    ///< elements compared
  int64_t failures = 0; ///< of them
  /// Of them, those whose bound is infinite: any result would have done.
  int64_t unbounded = 0;
  double maxAbsErr = 0, maxBound = 0;
  /// Over elements whose expected magnitude is not below their bound.
  double maxRelErr = 0;
  double sumErr = 0, sumSquaredErr = 0; ///< of signed errors
  /// The first failure: its index, in logical order, and the three values.
  std::vector<int64_t> index;
  double expected = 0, got = 0, bound = 0;

  /// Takes in what another comparison found; its failure comes second.
  void merge(const Comparison &other);
};

/// NaN agrees with NaN, an infinity with itself, a value with whatever rounds
/// to it, and an infinite bound with anything.
Comparison compareOutput(const TensorType &type, const void *got,
                         const ReferenceOutput &expected, Judge judge);

/// "at [0, 3, 1, 1]: expected 1.5, got 1.25, bound 1e-6 (first of 12 of 4096)".
std::string describeFailure(const Comparison &comparison);

} // namespace boo
