//===- AttentionNest.cpp - Attention as rows that share keys --------------===//

#include "boo/compiler/strategy/AttentionNest.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// Heads with fewer queries than this cannot fill a grid tile alone.
static constexpr int64_t joinBelow = 64;

int64_t AttentionNest::keys() const {
  return problem.causal ? std::min(problem.queries, problem.keys)
                        : problem.keys;
}

int64_t AttentionNest::mostRows() const {
  return problem.isGradient ? std::max(problem.queries, problem.keys) : rows;
}
int64_t AttentionNest::mostLines() const {
  return problem.isGradient ? mostRows() : keys();
}

int64_t AttentionNest::lanes(int64_t vectorBits) const {
  return std::max<int64_t>(1, vectorBits / (8 * dtypeBytes(problem.accType)));
}

static int64_t positionOf(const std::vector<ValueId> &ids, ValueId id) {
  return std::find(ids.begin(), ids.end(), id) - ids.begin();
}

/// Whether the rows of the heads that share keys lie one stride apart.
static bool joins(const AttentionProblem &p,
                  const AttentionProblem::Strides &strides) {
  return p.queries == 1 || (strides.head % p.queries == 0 &&
                            strides.head / p.queries == strides.row);
}

AttentionNest boo::compiler::makeAttentionNest(const Graph &group) {
  const Node &node = group.nodes().front();
  AttentionNest nest;
  nest.problem = attentionProblem(group, node);
  const AttentionProblem &p = nest.problem;
  bool joined = !p.isGradient && p.group() > 1 && p.queries < joinBelow &&
                !nest.isCausal() && joins(p, p.q) && joins(p, p.out) &&
                (!p.hasMask || joins(p, p.mask)) &&
                (!p.logsumexp || joins(p, p.lse));
  nest.outer = {p.batch, p.kvHeads, joined ? 1 : p.group()};
  nest.rows = p.queries * (joined ? p.group() : 1);

  auto side = [&](int64_t slot, DType dtype,
                  const AttentionProblem::Strides &strides, bool ofKeys) {
    AttentionNest::Side side;
    side.slot = slot;
    side.dtype = dtype;
    side.outer[0] = strides.batch;
    if (p.kvHeads != 1)
      side.outer[1] = ofKeys ? strides.head : p.group() * strides.head;
    side.outer[2] = ofKeys ? 0 : strides.head;
    bool rowsAreHeads = joined && p.queries == 1 && !ofKeys;
    side.row = rowsAreHeads ? strides.head : strides.row;
    side.column = strides.column;
    return side;
  };
  auto argument = [&](size_t operand) {
    return positionOf(group.arguments(), node.operands[operand]);
  };
  auto output = [&](size_t result) {
    for (size_t i = 0; i != group.outputs().size(); ++i)
      if (group.outputs()[i].value == node.results[result])
        return int64_t(i);
    return int64_t(-1);
  };
  nest.q = side(argument(0), p.dtype, p.q, false);
  nest.k = side(argument(1), p.dtype, p.k, true);
  nest.v = side(argument(2), p.dtype, p.v, true);
  if (p.hasMask)
    nest.mask = side(argument(p.isGradient ? 6 : 3), p.maskType, p.mask, false);
  if (p.isGradient) {
    nest.out = side(argument(3), p.dtype, p.out, false);
    nest.lse = side(argument(4), p.accType, p.lse, false);
    nest.dout = side(argument(5), p.dtype, p.dout, false);
    nest.dq = side(output(0), p.dtype, p.dq, false);
    nest.dk = side(output(1), p.dtype, p.dk, true);
    nest.dv = side(output(2), p.dtype, p.dv, true);
    return nest;
  }
  nest.out = side(output(0), p.dtype, p.out, false);
  if (p.logsumexp)
    nest.lse = side(output(1), p.accType, p.lse, false);
  return nest;
}
