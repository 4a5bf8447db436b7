//===- BatchReference.h - Batch norms in float64 ----------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// A Tensor for each result: (x - mean) / sqrt(variance + eps) * scale + bias
/// by the statistics of the batch; mean and 1 / sqrt(variance + eps); the
/// running mean and variance, moved towards those of the batch by `momentum`,
/// the variance's without bias (n - 1 of n elements; of a single one as it is).
/// Errors are those of statistics of parts, joined, in `acc`.
StatusOr<std::vector<Tensor>>
evaluateBatchNorm(const Graph &graph, const Node &node,
                  const std::vector<TensorView> &operands, Workers workers);

/// Gradients of input, scale and bias. With n = (x - mean) * rstd:
/// rstd * scale * (dy - mean(dy) - n * mean(dy * n)), sum of dy * n, sum of dy.
StatusOr<std::vector<Tensor>>
evaluateBatchNormGrad(const Graph &graph, const Node &node,
                      const std::vector<TensorView> &operands, Workers workers);

/// 17 for an element.
double batchNormGradFlops(const Graph &graph, const Node &node);

} // namespace boo
