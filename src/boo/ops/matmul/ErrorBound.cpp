//===- ErrorBound.cpp - Rounding errors of matrix products ----------------===//

#include "boo/ops/matmul/ErrorBound.h"
#include "boo/ops/ErrorBound.h"

using namespace boo;

/// Every algorithm that a Schedule can name for a matmul: sums of k products in
/// some order.
static constexpr std::string_view Sums[] = {"direct", "depthwise", "pointwise"};

StatusOr<double> boo::matmulErrorFactor(std::string_view algorithm,
                                        const MatmulProblem &problem) {
  // n units for n terms in any order, with or without FMA (Jeannerod and Rump,
  // Improved error bounds for inner products, 2013), and a few for partial
  // sums that are joined.
  constexpr double Few = 4;
  double terms = double(problem.k);
  for (std::string_view name : Sums)
    if (name == algorithm)
      return (terms + Few) * floatLimits(problem.accType).unit +
             terms * floatLimits(DType::F64).unit;
  return unsupported("no error bound is known for the matmul algorithm `" +
                     std::string(algorithm) + "`");
}
