//===- Reference.h - ArgReduce nodes in float64 -----------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// The indices of the greatest or smallest elements of an ArgReduce node, and
/// the elements if it has that result too. An index counts in row-major order
/// of the reduced dimensions; of equal elements the first is meant, and a NaN
/// comes before all else, as in torch. Nothing is said of an index where the
/// operand's errors leave two elements in question.
StatusOr<std::vector<Tensor>> evaluateArgReduce(const Graph &graph,
                                                const Node &node,
                                                const TensorView &x,
                                                Workers workers);

/// One for each element.
double argReduceFlops(const Graph &graph, const Node &node);

} // namespace boo
