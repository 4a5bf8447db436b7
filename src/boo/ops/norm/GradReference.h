//===- GradReference.h - Gradients of norms in float64 ----------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// A Tensor for each result. With n = (x - mean) * rstd and g = dy * weight:
/// the input's gradient is rstd * (g - mean(g) - n * mean(g * n)), means over a
/// row; the weight's is the sum of dy * n and the bias' the sum of dy, over the
/// elements that one of theirs served. Errors are those of a kernel that
/// computes in `acc` and sums in any order.
StatusOr<std::vector<Tensor>>
evaluateNormGrad(const Graph &graph, const Node &node,
                 const std::vector<TensorView> &operands, Workers workers);

/// For an element: 12 of the input's gradient, 4 of the weight's, 1 of the
/// bias'.
double normGradFlops(const Graph &graph, const Node &node);

} // namespace boo
