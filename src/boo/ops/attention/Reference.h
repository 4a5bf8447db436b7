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

/// The gradients of q, k and v, from q, k, v, the result, the logarithms of
/// sums, the result's gradient, and perhaps the mask. Where an operand of a
/// head of keys, or of one that shares it, is no number, or a value overflows,
/// nothing is said about any of the head's gradients.
StatusOr<std::vector<Tensor>>
evaluateAttentionGradient(const AttentionProblem &problem,
                          const std::vector<TensorView> &operands,
                          Workers workers);

} // namespace boo
