//===- ConvNest.cpp - An anchor group as an implicit product --------------===//

#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/EdgePixels.h"
#include "boo/compiler/strategy/MatmulNest.h"
#include "boo/compiler/strategy/MergePixels.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// Strides of `type`, broadcast against an output of `rank` dimensions: batch,
/// channels (of which a group has `perGroup`), space.
static TailOperand tailOperand(ValueId id, const TensorType &type, size_t rank,
                               int64_t perGroup) {
  TailOperand tail;
  tail.value = id;
  tail.dtype = type.dtype;
  auto stride = [&](size_t dim) -> int64_t {
    size_t missing = rank - type.rank();
    if (dim < missing || type.sizes[dim - missing].size() == 1)
      return 0;
    return type.strides[dim - missing];
  };
  tail.strides.outer = stride(0);
  tail.strides.channel = stride(1);
  tail.strides.group = {perGroup * stride(1)};
  for (size_t dim = 2; dim != rank; ++dim)
    tail.strides.spatial[dim + 3 - rank] = stride(dim);
  return tail;
}

std::vector<TailOperand> boo::compiler::tailOperands(const Graph &group,
                                                     size_t firstNode,
                                                     ValueId result,
                                                     int64_t perGroup) {
  std::vector<TailOperand> tail;
  size_t rank = group.value(result).type.rank();
  auto last = size_t(group.value(result).producer);
  for (size_t i = firstNode; i <= last; ++i)
    for (ValueId operand : group.nodes()[i].operands)
      if (operand != kNoValue && group.value(operand).producer < 0)
        tail.push_back(
            tailOperand(operand, group.value(operand).type, rank, perGroup));
  return tail;
}

std::vector<ConvProblem::Strides *>
boo::compiler::outputStrides(ConvNest &nest) {
  std::vector<ConvProblem::Strides *> all{&nest.problem.outStrides};
  for (TailOperand &tail : nest.tail)
    all.push_back(&tail.strides);
  return all;
}

/// What is addressed by pixels: input, output and the tail's operands.
static std::vector<ConvProblem::Strides *> pixelStrides(ConvNest &nest) {
  std::vector<ConvProblem::Strides *> all = outputStrides(nest);
  all.insert(all.begin(), &nest.problem.inStrides);
  return all;
}

void boo::compiler::chooseDepthwise(ConvNest &nest) {
  ConvProblem &p = nest.problem;
  nest.depthwise = p.groups > 1 && nest.groupSizes.size() == 1 &&
                   p.inPerGroup() == 1 && p.outPerGroup() == 1;
  if (!nest.depthwise)
    return;
  for (ConvProblem::Strides *s : pixelStrides(nest))
    s->channel = s->group.front();
  p.filterStrides.outer = p.filterStrides.group.front();
}

void boo::compiler::finishNest(ConvNest &nest) {
  chooseDepthwise(nest);
  mergePixels(nest.problem, pixelStrides(nest));
}

ConvNest boo::compiler::nestOfConv(const Graph &group, size_t index,
                                   ValueId result, const TensorType &type) {
  ConvNest nest;
  const Node &conv = group.nodes()[index];
  nest.problem = convProblem(group, conv, type);
  nest.groupSizes = {nest.problem.groups};
  nest.outType = type.dtype;
  nest.input = conv.operands[0];
  nest.filter = conv.operands[1];
  nest.sum = conv.results[0];
  nest.tailNode = index + 1;
  nest.result = result;
  nest.tail =
      tailOperands(group, nest.tailNode, result, nest.problem.outPerGroup());
  return nest;
}

ConvNest boo::compiler::makeConvNest(const Graph &group) {
  Op anchor = group.nodes().front().op;
  assert((anchor == Op::Conv || anchor == Op::Matmul) &&
         "the anchor comes first");
  ValueId result = group.outputs().front().value;
  ConvNest nest = anchor == Op::Conv
                      ? nestOfConv(group, 0, result, group.value(result).type)
                      : matmulNest(group);
  finishNest(nest);
  return nest;
}

std::vector<std::string> ConvNest::describe() const {
  if (matmul)
    return {(depthwise ? "depthwise: single products, lanes over the batch"
                       : "direct: sums of " + std::to_string(kChannels()) +
                             " products") +
            std::string(exchanged ? "; A and B change places, so that lanes "
                                    "run over the rows"
                                  : "")};
  if (depthwise)
    return {"depthwise: one channel a group, so lanes run over channels"};
  return {"direct: products of " + std::to_string(kChannels()) +
              " channels for each tap",
          "not depthwise: a group has " + std::to_string(problem.inPerGroup()) +
              " input and " + std::to_string(problem.outPerGroup()) +
              " output channels, and lanes run over channels only for one and "
              "one"};
}

bool ConvNest::isInside(size_t dim) const {
  const ConvProblem &p = problem;
  int64_t last = (p.out[dim] - 1) * p.stride[dim] +
                 (p.filter[dim] - 1) * p.dilation[dim] - p.padLo[dim];
  return p.padLo[dim] <= 0 && last < p.in[dim];
}

std::string ConvNest::needsScratch(bool pairs) const {
  if (!pairs && !depthwise && problem.dtype != computeType())
    return "it is widened to " + std::string(dtypeName(computeType()));
  if (pairs && (problem.inStrides.channel != 1 || kChannels() % 2 != 0))
    return "its channels are not contiguous pairs";
  if (!isInside(2) && !(depthwise && hasFewEdges(problem)))
    return "its edges are padded";
  if (depthwise && problem.inStrides.channel != 1)
    return "its channels are not contiguous";
  return "";
}

std::string ConvNest::needsPacking(bool dot) const {
  if (depthwise)
    return "its lanes run over groups";
  if (taps() != 1)
    return "it has several taps";
  const ConvProblem::Strides &s = problem.filterStrides;
  if ((dot ? s.channel : s.outer) != 1)
    return dot ? "its reduction is not contiguous"
               : "its " + std::string(words.channels) + " are not contiguous";
  return "";
}
