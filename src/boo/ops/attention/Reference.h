//===- Reference.h - Attention nodes in float64 -----------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"
#include "boo/ops/attention/AttentionProblem.h"

namespace boo {

/// The result, and the logarithms of sums where the problem asks for them.
/// Operands are q, k, v and perhaps the mask. Errors are those of a kernel that
/// computes in the accumulation type, sums in any order, and walks over the
/// keys in blocks of at least leastKeyBlock, whose sums it scales anew.
///
/// A NaN in what a row sees makes its results NaN. Nothing is said where an
/// infinity in q, k or v may meet a zero that rounding made, nor where a value
/// that a causal row does not see is no number.
StatusOr<std::vector<Tensor>>
evaluateAttention(const AttentionProblem &problem,
                  const std::vector<TensorView> &operands, Workers workers);

} // namespace boo
