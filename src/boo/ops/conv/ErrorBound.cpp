//===- ErrorBound.cpp - Rounding errors of convolution algorithms ---------===//

#include "boo/ops/conv/ErrorBound.h"
#include "boo/ops/ErrorBound.h"

using namespace boo;

/// A sum of n products in any order, with or without FMA: n units (Jeannerod
/// and Rump, Improved error bounds for inner products, 2013: without the
/// denominator of Higham's gamma_n). A few more for partial sums that are
/// joined and for a scale on the way.
static double sumFactor(const ConvProblem &problem) {
  constexpr double Few = 4;
  double terms = double(problem.reduction()) + Few;
  return terms * floatLimits(problem.accType).unit;
}

namespace {
struct AlgorithmBound {
  std::string_view name;
  double (*factor)(const ConvProblem &);
};
} // namespace

/// Every algorithm that a Schedule can name for a convolution. Winograd's
/// errors do not follow the sum at one output: raiseWinogradErrors() adds them
/// to these, which hold for the direct groups of the same Graph.
static constexpr AlgorithmBound Bounds[] = {
    {"direct", sumFactor},       {"depthwise", sumFactor},
    {"pointwise", sumFactor},    {"winograd-4x4", sumFactor},
    {"winograd-2x2", sumFactor}, {"separable", sumFactor},
};

StatusOr<double> boo::convErrorFactor(std::string_view algorithm,
                                      const ConvProblem &problem) {
  for (const AlgorithmBound &bound : Bounds)
    if (bound.name == algorithm) {
      double reference =
          double(problem.reduction()) * floatLimits(DType::F64).unit;
      return bound.factor(problem) + reference;
    }
  return unsupported("no error bound is known for the convolution algorithm `" +
                     std::string(algorithm) + "`");
}
