//===- PoolNest.cpp - Poolings as strategy and emitter see them -----------===//

#include "boo/compiler/strategy/PoolNest.h"
#include "boo/base/Math.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

PoolNest::PoolNest(const Graph &group)
    : P(poolProblem(group, group.nodes().front())) {
  const Node &node = group.nodes().front();
  auto strides = [&](ValueId id) { return poolStrides(group.value(id).type); };
  gradient = node.op == Op::PoolGrad;
  hasIndices = node.operands.size() + node.results.size() == 3;
  in = strides(gradient ? node.results[0] : node.operands[0]);
  out = strides(gradient ? node.operands[0] : node.results[0]);
  if (hasIndices)
    indices = strides(gradient ? node.operands[1] : node.results[1]);
}

int64_t PoolNest::lanes(int64_t vectorBits) const {
  return std::max<int64_t>(1, vectorBits / (8 * dtypeBytes(P.accType)));
}

int64_t PoolNest::blockChannels(const Schedule &schedule) const {
  return schedule.dot ? 1 : schedule.nVectors * lanes(schedule.vectorBits);
}

int64_t PoolNest::channelBlocks(const Schedule &schedule) const {
  return ceilDiv(P.channels, blockChannels(schedule));
}

int64_t PoolNest::units(const Schedule &schedule) const {
  return P.batch * channelBlocks(schedule) * written()[0] * written()[1];
}

int64_t PoolNest::columns() const {
  return std::min(P.in[2],
                  (P.out[2] - 1) * P.stride[2] + P.extent(2) - P.padLo[2]);
}

int64_t PoolNest::positions() const {
  // Of a gradient each output lies where its window's first tap is, and the
  // inputs are met by that tap and those behind it.
  if (gradient)
    return P.in[2] + P.extent(2) - 1;
  return (P.out[2] - 1) * P.stride[2] + P.extent(2);
}

int64_t PoolNest::rowElements(const Schedule &schedule) const {
  int64_t lanes = this->lanes(schedule.vectorBits);
  if (!schedule.dot)
    return positions() * blockChannels(schedule);
  // A vector of outputs reaches `stride` vectors far, and starts at the last
  // output at most.
  return positions() + (gradient ? 1 : P.stride[2] + 1) * lanes;
}

int64_t PoolNest::scratchBytes(const Schedule &schedule) const {
  // A gradient of a maximum adds up in a row of its own.
  int64_t rows = gradient && hasIndices ? 2 : 1;
  return rowElements(schedule) *
         (rows * dtypeBytes(P.accType) + (hasIndices ? 4 : 0));
}
