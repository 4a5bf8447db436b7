//===- AtenAttention.cpp - Attentions of torch's --------------------------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <cmath>

using namespace boo;

namespace {
/// Where the options stand among the arguments.
struct Places {
  size_t query, mask, dropout, causal, scale;
};
/// What the directions share.
struct Attention {
  std::vector<ValueId> operands; ///< queries, keys, values
  ValueId mask = kNoValue;
  AttributeMap attributes;
};
} // namespace

static StatusOr<ValueId> headsInput(AtenGraph &build, size_t i) {
  BOO_ASSIGN_OR_RETURN(TensorType type, build.call().tensor(i));
  if (type.rank() != 4)
    return build.call().refusal(i, "must have 4 dimensions: batch, heads, "
                                   "length, elements");
  return build.input(i, type);
}

static StatusOr<Attention> readAttention(AtenGraph &build, Places at) {
  const AtenCall &call = build.call();
  Attention attention;
  for (size_t i = 0; i != 3; ++i) {
    BOO_ASSIGN_OR_RETURN(ValueId operand, headsInput(build, at.query + i));
    attention.operands.push_back(operand);
  }
  TensorType query = build.typeOf(attention.operands[0]);
  if (!call.isNone(at.mask)) {
    BOO_ASSIGN_OR_RETURN(attention.mask, build.input(at.mask));
  }
  BOO_ASSIGN_OR_RETURN(double dropout, call.real(at.dropout, 0.0));
  BOO_ASSIGN_OR_RETURN(bool causal, call.truth(at.causal, false));
  double otherwise = 1 / std::sqrt(double(query.sizes[3].size()));
  BOO_ASSIGN_OR_RETURN(double scale, call.real(at.scale, otherwise));
  if (dropout != 0)
    return call.refusal(at.dropout, "must be 0: nothing is dropped at random");
  attention.attributes = {
      {"acc", accumulator(query.dtype)}, {"causal", causal}, {"scale", scale}};
  return attention;
}

/// The heads of an element of the sequence next to each other.
static void layHeadsInside(TensorType &type) {
  std::vector<size_t> order{0, 2, 1, 3};
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  order.resize(type.rank());
  type = TensorType::permuted(type.dtype, sizes, order);
}

/// The results. The first lies in memory as the queries do.
static StatusOr<std::vector<ValueId>>
addAttention(AtenGraph &build, Attention attention, bool logsumexp) {
  if (attention.mask != kNoValue)
    attention.operands.push_back(attention.mask);
  attention.attributes["logsumexp"] = logsumexp;
  BOO_ASSIGN_OR_RETURN(
      std::vector<TensorType> types,
      build.infer(Op::Attention, attention.operands, attention.attributes));
  types[0] = inOrderOf(build.typeOf(attention.operands[0]), types[0]);
  if (logsumexp)
    layHeadsInside(types[1]);
  return build.graph().addNode(Op::Attention, attention.operands,
                               attention.attributes, std::move(types));
}

Status boo::buildAtenAttention(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(Attention attention,
                       readAttention(build, {0, 3, 4, 5, 6}));
  BOO_ASSIGN_OR_RETURN(bool grouped, call.truth(7, false));
  if (!grouped && build.typeOf(attention.operands[0]).sizes[1] !=
                      build.typeOf(attention.operands[1]).sizes[1])
    return call.error(7, "must be True where key has other heads than query");
  BOO_ASSIGN_OR_RETURN(std::vector<ValueId> made,
                       addAttention(build, std::move(attention), false));
  build.result(made[0]);
  return Status::ok();
}

Status boo::buildAtenFlashAttention(AtenGraph &build) {
  BOO_ASSIGN_OR_RETURN(Attention attention,
                       readAttention(build, {0, 5, 3, 4, 6}));
  BOO_ASSIGN_OR_RETURN(std::vector<ValueId> made,
                       addAttention(build, std::move(attention), true));
  for (ValueId id : made)
    build.result(id);
  return Status::ok();
}

Status boo::buildAtenFlashAttentionGrad(AtenGraph &build) {
  BOO_ASSIGN_OR_RETURN(ValueId outGrad, headsInput(build, 0));
  BOO_ASSIGN_OR_RETURN(Attention attention,
                       readAttention(build, {1, 8, 6, 7, 9}));
  BOO_ASSIGN_OR_RETURN(ValueId out, headsInput(build, 4));
  BOO_ASSIGN_OR_RETURN(ValueId sums, build.input(5));
  std::vector<ValueId> &operands = attention.operands;
  operands.insert(operands.end(), {out, sums, outGrad});
  if (attention.mask != kNoValue)
    operands.push_back(attention.mask);
  BOO_ASSIGN_OR_RETURN(
      std::vector<TensorType> types,
      build.infer(Op::AttentionGrad, operands, attention.attributes));
  for (TensorType &type : types)
    layHeadsInside(type);
  for (ValueId id : build.graph().addNode(
           Op::AttentionGrad, operands, attention.attributes, std::move(types)))
    build.result(id);
  build.setDirection("backward");
  return Status::ok();
}
