//===- Reference.h - Pad nodes in float64 -----------------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// The operand's elements as they are, and the border's value, which is exact:
/// it is rounded when it is stored, as the reference rounds all results.
StatusOr<Tensor> evaluatePad(const Graph &graph, const Node &node,
                             const TensorView &x, Workers workers);

} // namespace boo
