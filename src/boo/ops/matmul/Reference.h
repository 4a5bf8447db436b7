//===- Reference.h - Matmul nodes in float64 --------------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"
#include "boo/ops/matmul/MatmulProblem.h"

#include <string_view>

namespace boo {

/// Evaluates the problem (its strides are not looked at) on logical views of
/// the operands. Errors are those of an accumulator that has not been rounded
/// to the output's dtype yet.
StatusOr<Tensor> evaluateMatmul(const MatmulProblem &problem,
                                const TensorView &a, const TensorView &b,
                                std::string_view algorithm, Workers workers);

/// The same without errors, summed in the accumulation type, product after
/// product.
StatusOr<Tensor> directMatmul(const MatmulProblem &problem, const TensorView &a,
                              const TensorView &b, Workers workers);

} // namespace boo
