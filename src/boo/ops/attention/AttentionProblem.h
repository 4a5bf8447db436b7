//===- AttentionProblem.h - An attention, read off its node -----*- C++ -*-===//
//
// The numbers of one attention node, with both forms of its operands seen as
// [batch][head][row][column], so that reference, strategy and emitter see one.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// out[b][h][s] = sum over t of w[t] * v[b][h / group()][t], w the softmax over
/// t of scale * (q[b][h][s] . k[b][h / group()][t]) + mask[b][h][s][t]; causal:
/// over t <= s only. A row whose scores are all -inf gives zeros.
struct AttentionProblem {
  DType dtype = DType::F32; ///< of q, k, v and out
  DType accType = DType::F32;
  DType maskType = DType::F32;
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t queries = 1, keys = 1;
  int64_t depth = 1, valueDepth = 1; ///< elements of a key, of a value
  bool causal = false, hasMask = false, logsumexp = false;
  double scale = 1;

  /// In elements, 0 in a dimension in which an operand is broadcast or has
  /// size 1.
  struct Strides {
    int64_t batch = 0, head = 0, row = 0, column = 0;
  };
  Strides q, k, v, out;
  Strides mask; ///< row: query, column: key
  Strides lse;  ///< of the logarithms of sums, without columns
  // Of a gradient, which reads out and lse; its results lie so.
  bool isGradient = false;
  Strides dout, dq, dk, dv;

  /// Query heads that share a head of keys.
  int64_t group() const { return heads / kvHeads; }
  /// Pairs of a query and a key that it sees, of one head.
  double pairs() const;
  /// 2 * (depth + valueDepth) for each pair; gradients: as the five products
  /// that they need, 2 * (3 * depth + 2 * valueDepth).
  double flops() const;
};

/// The most keys whose exponentials may be scaled anew once: sums over fewer
/// keys at a time are not what the reference's bound allows for.
inline constexpr int64_t leastKeyBlock = 16;

/// Strides of q, k, v or a result of that form: with three dimensions the last
/// holds the columns of all `heads`.
AttentionProblem::Strides headStrides(const TensorType &type, int64_t heads);

/// Strides of [B, H, S].
AttentionProblem::Strides lseStrides(const TensorType &type);

/// Strides in [B, H, S, T] of a tensor that is aligned at the last dimension.
AttentionProblem::Strides maskStrides(const TensorType &type);

/// The problem of an Attention or AttentionGrad node of a verified, static
/// Graph.
AttentionProblem attentionProblem(const Graph &graph, const Node &node);

} // namespace boo
