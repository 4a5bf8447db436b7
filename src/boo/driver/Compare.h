//===- Compare.h - A result against what it should be -----------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"
#include "boo/ops/Reference.h"

#include <array>

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

/// How often errors of which size came: one count for each power of two.
class ErrorHistogram {
public:
  void add(double error);
  /// Of errors that are exactly 0.
  int64_t zeros() const { return Zeros; }
  /// Of errors in [2^exponent, 2^(exponent+1)), either sign.
  int64_t at(int exponent) const;
  /// Exponents of the smallest and the largest error; none: first > last.
  int first() const { return First; }
  int last() const { return Last; }

private:
  static constexpr int Lowest = -200, Highest = 55;
  int64_t Zeros = 0;
  int First = Highest + 1, Last = Lowest - 1;
  std::array<int64_t, Highest - Lowest + 1> Counts{};
};

/// Differences of many numbers from those they are held against.
struct Differences {
  int64_t count = 0;
  int64_t nanMismatches = 0; ///< one is a NaN, the other is none
  int64_t notClose = 0;      ///< |got - want| > atol + rtol * |want|
  double maxAbs = 0, maxRel = 0;
  double sum = 0, sumSquared = 0; ///< of finite signed differences
  ErrorHistogram histogram;

  void add(double got, double want, double rtol, double atol);
  double mean() const;
  double stddev() const;
};

/// What a kernel's errors look like beside those that no algorithm avoids.
struct ErrorFigures {
  Differences kernelDirect;    ///< kernel against evaluateDirect()
  Differences kernelReference; ///< kernel against the float64 reference
  Differences directReference; ///< evaluateDirect() against the reference

  /// Takes in one output; elements without a bound tell nothing.
  void add(const TensorType &type, const void *got,
           const std::vector<double> &direct, const ReferenceOutput &expected);
};

/// Tolerances of numpy's and torch's allclose that results of a type are held
/// to: 1e-4 and 1e-5 as iree-turbine does, but of narrow types at least what
/// lies between two neighbours.
double closeRtol(DType dtype);
constexpr double CloseAtol = 1e-5;

/// NaN agrees with NaN, an infinity with itself, a value with whatever rounds
/// to it, and an infinite bound with anything.
Comparison compareOutput(const TensorType &type, const void *got,
                         const ReferenceOutput &expected, Judge judge);

/// "at [0, 3, 1, 1]: expected 1.5, got 1.25, bound 1e-6 (first of 12 of 4096)".
std::string describeFailure(const Comparison &comparison);

} // namespace boo
