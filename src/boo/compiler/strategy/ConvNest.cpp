//===- ConvNest.cpp - A convolution group as a loop nest ------------------===//

#include "boo/compiler/strategy/ConvNest.h"

using namespace boo;
using namespace boo::compiler;

/// Strides of `type`, broadcast against an output of `rank` dimensions.
static TailOperand tailOperand(ValueId id, const TensorType &type,
                               size_t rank) {
  TailOperand tail;
  tail.value = id;
  tail.dtype = type.dtype;
  auto stride = [&](size_t dim) -> int64_t {
    size_t missing = rank - type.rank();
    if (dim < missing || type.sizes[dim - missing].size() == 1)
      return 0;
    return type.strides[dim - missing];
  };
  tail.batch = stride(0);
  tail.channel = stride(1);
  for (size_t dim = 2; dim != rank; ++dim)
    tail.spatial[dim + 3 - rank] = stride(dim);
  return tail;
}

/// Whether stepping the outer index is the same as stepping the inner one by
/// its size.
static bool contiguous(int64_t outer, int64_t inner, int64_t innerSize) {
  return outer == inner * innerSize;
}

static bool walksAlong(const ConvProblem &p, size_t dim) {
  return p.filter[dim] == 1 && p.stride[dim] == 1 && p.padLo[dim] == 0 &&
         p.padHi[dim] == 0;
}

/// Merges spatial dimension `dim` into the one after it, if memory allows.
static bool mergeSpatial(ConvNest &nest, size_t dim) {
  ConvProblem &p = nest.problem;
  if (!walksAlong(p, dim) || !walksAlong(p, dim + 1))
    return false;
  int64_t size = p.in[dim + 1];
  if (p.in[dim] != 1) {
    auto fits = [&](const std::array<int64_t, 3> &s) {
      return contiguous(s[dim], s[dim + 1], size);
    };
    // A size of 1 says nothing about its stride: take the outer one's.
    if (size == 1) {
      auto take = [&](std::array<int64_t, 3> &s) { s[dim + 1] = s[dim]; };
      take(p.inStrides.spatial);
      take(p.outStrides.spatial);
      for (TailOperand &tail : nest.tail)
        take(tail.spatial);
    } else {
      if (!fits(p.inStrides.spatial) || !fits(p.outStrides.spatial))
        return false;
      for (const TailOperand &tail : nest.tail)
        if (!fits(tail.spatial))
          return false;
    }
  }
  p.in[dim + 1] *= p.in[dim];
  p.out[dim + 1] *= p.out[dim];
  p.in[dim] = p.out[dim] = 1;
  return true;
}

/// Merges the batch into the width.
static void mergeBatch(ConvNest &nest) {
  ConvProblem &p = nest.problem;
  if (!walksAlong(p, 2) || p.out[0] != 1 || p.out[1] != 1 || p.in[0] != 1 ||
      p.in[1] != 1)
    return;
  int64_t size = p.in[2];
  if (p.batch != 1) {
    if (size == 1) {
      p.inStrides.spatial[2] = p.inStrides.outer;
      p.outStrides.spatial[2] = p.outStrides.outer;
      for (TailOperand &tail : nest.tail)
        tail.spatial[2] = tail.batch;
    } else {
      if (!contiguous(p.inStrides.outer, p.inStrides.spatial[2], size) ||
          !contiguous(p.outStrides.outer, p.outStrides.spatial[2], size))
        return;
      for (const TailOperand &tail : nest.tail)
        if (!contiguous(tail.batch, tail.spatial[2], size))
          return;
    }
  }
  p.in[2] *= p.batch;
  p.out[2] *= p.batch;
  p.batch = 1;
}

ConvNest boo::compiler::makeConvNest(const Graph &group) {
  ConvNest nest;
  const Node &conv = group.nodes().front();
  const TensorType &out = group.value(group.outputs().front().value).type;
  nest.problem = convProblem(group, conv, out);
  nest.outType = out.dtype;
  nest.input = conv.operands[0];
  nest.filter = conv.operands[1];
  nest.depthwise = nest.problem.groups > 1 && nest.problem.inPerGroup() == 1 &&
                   nest.problem.outPerGroup() == 1;
  for (size_t i = 1; i < group.nodes().size(); ++i)
    for (ValueId operand : group.nodes()[i].operands)
      if (operand != kNoValue && group.value(operand).producer < 0)
        nest.tail.push_back(
            tailOperand(operand, group.value(operand).type, out.rank()));
  mergeSpatial(nest, 0);
  mergeSpatial(nest, 1);
  mergeBatch(nest);
  return nest;
}

std::string ConvNest::needsScratch(bool pairs) const {
  const ConvProblem &p = problem;
  int64_t last = (p.out[2] - 1) * p.stride[2] +
                 (p.filter[2] - 1) * p.dilation[2] - p.padLo[2];
  if (!pairs && p.dtype != computeType())
    return "it is widened to " + std::string(dtypeName(computeType()));
  if (pairs && (p.inStrides.channel != 1 || kChannels() % 2 != 0))
    return "its channels are not contiguous pairs";
  if (p.padLo[2] != 0 || last >= p.in[2])
    return "its edges are padded";
  if (depthwise && p.inStrides.channel != 1)
    return "its channels are not contiguous";
  return "";
}
