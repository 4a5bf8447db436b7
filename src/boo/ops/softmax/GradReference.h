//===- GradReference.h - Gradients of softmaxes in float64 ------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// From the gradient of the output and the output: y * (dy - sum of dy * y), or
/// of the logarithm dy - exp(y) * sum of dy; sums over a row. Errors are those
/// of a kernel that computes in `acc` and sums in any order.
StatusOr<Tensor> evaluateSoftmaxGrad(const Graph &graph, const Node &node,
                                     const std::vector<TensorView> &operands,
                                     Workers workers);

/// 4 for an element: two of the sum, two of the result.
double softmaxGradFlops(const Graph &graph, const Node &node);

} // namespace boo
