//===- AttentionNest.h - Attention as rows that share keys ------*- C++ -*-===//
//
// What emitter and strategy see of such a group: for each batch, head of keys
// and, unless they are joined, head of queries that shares it, rows of queries
// that meet the same keys and values. No MLIR here.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/ops/attention/AttentionProblem.h"

#include <array>

namespace boo::compiler {

struct AttentionNest {
  /// An operand or a result: strides in elements.
  struct Side {
    int64_t slot = -1; ///< among the group's arguments or outputs
    DType dtype = DType::F32;
    std::array<int64_t, 3> outer{}; ///< in batch, head of keys, group
    int64_t row = 0, column = 0;    ///< of the mask: query and key
  };

  AttentionProblem problem;
  /// Sizes of the grid's outer loops: batch, heads of keys, heads of queries
  /// that share one (1 if they are joined).
  std::array<int64_t, 3> outer{1, 1, 1};
  int64_t rows = 1; ///< queries of all joined heads
  Side q, k, v, mask, out, lse;
  Side dout, dq, dk, dv; ///< of a gradient, which reads out and lse

  /// Whether a row sees no more keys than its own number and one.
  bool isCausal() const { return problem.causal && problem.queries != 1; }
  /// The most rows that a tile can have, and lines that it can walk over: of a
  /// gradient either may be queries or keys.
  int64_t mostRows() const;
  int64_t mostLines() const;
  /// Keys that any row sees.
  int64_t keys() const;
  int64_t outerCount() const { return outer[0] * outer[1] * outer[2]; }
  /// Elements of a vector of `vectorBits`.
  int64_t lanes(int64_t vectorBits) const;
};

/// Of a static group whose only node is an attention or its gradient. Heads
/// that share keys are joined when each has few queries and their rows lie one
/// stride apart, but not of a gradient.
AttentionNest makeAttentionNest(const Graph &group);

} // namespace boo::compiler
