//===- ShapeInference.h - What a node's results look like -------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// Sizes and dtypes of the results of `node` for operands of the given types.
/// Strides are dense row-major; a front end may choose others. Errors name the
/// attribute or operand at fault. An `mlir` node's results are as declared.
StatusOr<std::vector<TensorType>>
inferResults(Op op, const AttributeMap &attributes,
             const std::vector<TensorType> &operands);

/// Output size of one spatial dimension of a convolution, 0 or less when the
/// dilated filter does not fit.
int64_t convOutputSize(int64_t in, int64_t filter, int64_t stride,
                       int64_t dilation, int64_t padLo, int64_t padHi);

} // namespace boo
