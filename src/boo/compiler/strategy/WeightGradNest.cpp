//===- WeightGradNest.cpp - A filter's gradient as a loop nest ------------===//

#include "boo/compiler/strategy/WeightGradNest.h"
#include "boo/base/Math.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

static bool walksAlong(const ConvProblem &p, size_t dim) {
  return p.filter[dim] == 1 && p.stride[dim] == 1 && p.padLo[dim] == 0 &&
         p.in[dim] == p.out[dim];
}

/// Whether stepping an index of `outerSize` is the same as stepping the inner
/// one by its size. An inner index of size 1 takes the outer one's stride.
static bool joins(int64_t outer, int64_t outerSize, int64_t &inner,
                  int64_t innerSize) {
  if (outerSize == 1)
    return true;
  if (innerSize == 1) {
    inner = outer;
    return true;
  }
  return outer == inner * innerSize;
}

/// Merges spatial dimension `dim` into the one after it, if memory allows.
static void mergeSpatial(ConvProblem &p, size_t dim) {
  if (!walksAlong(p, dim) || !walksAlong(p, dim + 1))
    return;
  auto in = p.inStrides.spatial, out = p.outStrides.spatial;
  if (!joins(in[dim], p.in[dim], in[dim + 1], p.in[dim + 1]) ||
      !joins(out[dim], p.out[dim], out[dim + 1], p.out[dim + 1]))
    return;
  p.inStrides.spatial = in;
  p.outStrides.spatial = out;
  p.in[dim + 1] *= p.in[dim];
  p.out[dim + 1] *= p.out[dim];
  p.in[dim] = p.out[dim] = 1;
}

/// Merges the batch into the width.
static void mergeBatch(ConvProblem &p) {
  if (!walksAlong(p, 2) || p.out[0] != 1 || p.out[1] != 1 || p.in[0] != 1 ||
      p.in[1] != 1)
    return;
  int64_t in = p.inStrides.spatial[2], out = p.outStrides.spatial[2];
  if (!joins(p.inStrides.outer, p.batch, in, p.in[2]) ||
      !joins(p.outStrides.outer, p.batch, out, p.out[2]))
    return;
  p.inStrides.spatial[2] = in;
  p.outStrides.spatial[2] = out;
  p.in[2] *= p.batch;
  p.out[2] *= p.batch;
  p.batch = 1;
}

WeightGradNest boo::compiler::makeWeightGradNest(const Graph &group) {
  const Node &node = group.nodes().front();
  assert(node.op == Op::ConvGradWeight && "the group is one such node");
  WeightGradNest nest;
  ConvProblem &p = nest.problem;
  p = convProblem(group, node, group.value(group.outputs()[0].value).type);
  nest.depthwise = p.groups > 1 && p.inPerGroup() == 1 && p.outPerGroup() == 1;
  mergeSpatial(p, 0);
  mergeSpatial(p, 1);
  mergeBatch(p);
  nest.outGrad = {
      node.operands[0], false, nest.depthwise ? p.outChannels : p.outPerGroup(),
      p.outStrides,     p.out, p.filterStrides.outer};
  nest.input = {node.operands[1],
                true,
                nest.depthwise ? p.inChannels : p.inPerGroup(),
                p.inStrides,
                p.in,
                nest.depthwise ? p.filterStrides.outer
                               : p.filterStrides.channel};
  return nest;
}

bool WeightGradNest::isInside(size_t dim) const {
  const ConvProblem &p = problem;
  return p.padLo[dim] == 0 && (p.out[dim] - 1) * p.stride[dim] +
                                      (p.filter[dim] - 1) * p.dilation[dim] <
                                  p.in[dim];
}

std::string WeightGradNest::lanesNeedPack(const Side &side,
                                          int64_t vectorLanes) const {
  if (problem.dtype != problem.accType)
    return "it is widened to " + std::string(dtypeName(problem.accType));
  if (side.strides.channel != 1)
    return "its channels are not contiguous";
  if (side.channels % vectorLanes != 0)
    return "its channels do not fill vectors of " + std::to_string(vectorLanes);
  return "";
}

std::string WeightGradNest::rowsNeedPack(const Side &side) const {
  if (problem.dtype != problem.accType)
    return "it is widened to " + std::string(dtypeName(problem.accType));
  if (depthwise && side.strides.channel != 1)
    return "its channels are not contiguous";
  return "";
}

std::array<int64_t, 4> WeightGradNest::pieces(int64_t parts) const {
  std::array<int64_t, 4> result = extents();
  for (int64_t &extent : result) {
    int64_t piece = ceilDiv(extent, std::min(parts, extent));
    parts = ceilDiv(parts, ceilDiv(extent, piece));
    extent = piece;
  }
  return result;
}

int64_t WeightGradNest::countParts(const std::array<int64_t, 4> &pieces) const {
  int64_t parts = 1;
  for (size_t i = 0; i != pieces.size(); ++i)
    parts *= ceilDiv(extents()[i], pieces[i]);
  return parts;
}
