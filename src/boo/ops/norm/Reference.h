//===- Reference.h - Norm nodes in float64 ----------------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// The node's results, on views of its operands: the normalised input and, if
/// it has statistics, mean and 1 / sqrt(variance + eps) of each row. Errors
/// are those of a kernel that sums in `acc`, in any order, each row in at most
/// as many chunks as ops/Rows.h allows, the squares from centred elements;
/// nothing has been rounded to the results' dtype yet.
StatusOr<std::vector<Tensor>>
evaluateNorm(const Graph &graph, const Node &node,
             const std::vector<TensorView> &operands, Workers workers);

/// 8 for an element: centre, square, add, centre, two products, bias.
double normFlops(const Graph &graph, const Node &node);

} // namespace boo
