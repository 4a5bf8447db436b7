//===- Verify.h - The pieces of Graph::verify() -----------------*- C++ -*-===//
//
// One check for each statement of a Graph text, so that the parser can name the
// line at fault. A piece assumes that those before it have passed.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// Symbols are numbered below this.
inline constexpr int32_t kMaxSymbols = 1024;

/// Sizes and strides are sound and their bytes fit 63 bits. A `written` tensor
/// must also give every element a place of its own.
Status verifyType(const TensorType &type, bool written);
/// GraphOps.inc's limits. Shape inference starts with it.
Status checkOperandCount(Op op, size_t count);
/// Role and type of an argument.
Status verifyArgument(const Value &value);
/// Node `index`: operands, attributes and result types.
Status verifyNode(const Graph &graph, size_t index);
/// What is returned, and where it is written.
Status verifyOutputs(const Graph &graph);

} // namespace boo
