//===- NormOperands.h - Places of a norm's operands -------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// Whether a norm, or its gradient, divides by the root of the mean square and
/// leaves the mean alone (the attribute `rms`).
inline bool isRmsNorm(const Node &node) { return node.attributes.count("rms"); }

/// Of a gradient's operands behind those of output and input.
struct NormGradOperands {
  explicit NormGradOperands(const Node &node)
      : centred(!isRmsNorm(node)), rstd(centred ? 3 : 2), weight(rstd + 1) {}
  bool hasWeight(const Node &node) const {
    return node.operands.size() > weight;
  }

  bool centred;
  size_t mean = 2, rstd, weight; ///< `mean` only if centred
};

} // namespace boo
