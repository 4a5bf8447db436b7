//===- Reference.h - Convolution nodes in float64 ---------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"
#include "boo/ops/conv/ConvProblem.h"

#include <string_view>

namespace boo {

/// Evaluates the problem (its strides are not looked at) on logical views of
/// the node's operands: input and filter, or for the gradients the output's
/// gradient and filter or input. Taps in the padding multiply a zero, so a NaN
/// or infinity in the other operand shows there too. Errors are those of an
/// accumulator that has not been rounded to the output's dtype yet.
StatusOr<Tensor> evaluateConv(const ConvProblem &problem,
                              const TensorView &first, const TensorView &second,
                              std::string_view algorithm, Workers workers);

/// The same without errors, summed in the accumulation type, product after
/// product.
StatusOr<Tensor> directConv(const ConvProblem &problem, const TensorView &first,
                            const TensorView &second, Workers workers);

} // namespace boo
