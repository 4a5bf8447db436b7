//===- Reference.h - Softmax nodes in float64 -------------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// exp(x - m) / sum of exp(x - m), m the greatest x of a row, or its logarithm.
/// Errors are those of a kernel that computes in `acc`, sums in any order, and
/// may join the sums of chunks (ops/Rows.h).
StatusOr<Tensor> evaluateSoftmax(const Graph &graph, const Node &node,
                                 const TensorView &x, Workers workers);

/// 4 for an element: compare, exponential, add, product.
double softmaxFlops(const Graph &graph, const Node &node);

} // namespace boo
