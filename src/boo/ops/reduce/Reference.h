//===- Reference.h - Reduce nodes in float64 --------------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// Sum, mean, maximum or minimum of each row. Errors are those of a sum in
/// `acc` in any order; a maximum or minimum is exact, and a NaN if one of its
/// elements is.
StatusOr<Tensor> evaluateReduce(const Graph &graph, const Node &node,
                                const TensorView &x, Workers workers);

/// One for an element.
double reduceFlops(const Graph &graph, const Node &node);

} // namespace boo
