//===- ConvCommand.cpp - The Graph of a convolution command ---------------===//

#include "boo/driver/commands/ConvCommand.h"

using namespace boo;

/// `sizes` (batch, channels, spatial…) in the order of the layout's letters.
static std::vector<int64_t> inLayout(const std::vector<int64_t> &sizes,
                                     const std::string &layout, size_t rank) {
  static constexpr std::string_view plain[] = {"NCH", "NCHW", "NCDHW"};
  std::vector<int64_t> result;
  for (char c : layout)
    result.push_back(sizes[plain[rank - 1].find(c)]);
  return result;
}

static std::vector<size_t> layoutOrder(const std::string &layout, size_t rank) {
  static constexpr std::string_view plain[] = {"NCH", "NCHW", "NCDHW"};
  std::vector<size_t> order;
  for (char c : layout)
    order.push_back(plain[rank - 1].find(c));
  return order;
}

static std::vector<int64_t> sizesOf(int64_t first, int64_t second,
                                    const std::array<int64_t, 3> &spatial,
                                    size_t rank) {
  std::vector<int64_t> sizes{first, second};
  sizes.insert(sizes.end(), spatial.begin(), spatial.begin() + rank);
  return sizes;
}

static std::vector<int64_t> spatialList(const std::array<int64_t, 3> &values,
                                        size_t rank) {
  return {values.begin(), values.begin() + rank};
}

static std::string joinTimes(const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : "x") + std::to_string(value);
  return text;
}

/// The layout in lower case, with `from` spelt f.
static std::string layoutName(const std::string &layout, char from) {
  std::string text;
  for (char c : layout)
    text += c == from ? 'f' : char(c - 'A' + 'a');
  return text;
}

static std::string_view directionName(ConvDirection direction) {
  switch (direction) {
  case ConvDirection::Forward:
    return "forward";
  case ConvDirection::InputGradient:
    return "input_backward";
  case ConvDirection::WeightGradient:
    return "weight_backward";
  }
  return "";
}

std::string boo::convFuncName(const ConvSpec &spec) {
  size_t rank = spec.rank;
  std::string pads;
  for (size_t i = 0; i != rank; ++i) {
    pads += (i ? "x" : "") + std::to_string(spec.padLo[i]);
    if (spec.padHi[i] != spec.padLo[i])
      pads += "_" + std::to_string(spec.padHi[i]);
  }
  std::string name = "conv_" + std::to_string(rank) + "d_" +
                     std::string(torchDType(spec.dtype)) + "_" +
                     std::string(directionName(spec.direction));
  if (spec.bias)
    name += "_b";
  name +=
      "_" +
      joinTimes(inLayout(sizesOf(spec.batch, spec.inChannels, spec.in, rank),
                         spec.inLayout, rank)) +
      "_" + layoutName(spec.inLayout, 0) + "_" +
      joinTimes(
          inLayout(sizesOf(spec.outChannels, spec.inChannels / spec.groups,
                           spec.filter, rank),
                   spec.filLayout, rank)) +
      "_" + layoutName(spec.filLayout, 'N') + "_" +
      layoutName(spec.outLayout, 'C') + "_" +
      joinTimes(spatialList(spec.stride, rank)) + "s_" + pads + "p_" +
      joinTimes(spatialList(spec.dilation, rank)) + "d_" +
      std::to_string(spec.groups) + "g";
  if (spec.residual)
    name += "_residual";
  for (const TailFn &tail : spec.tail)
    name += "_" + std::string(pointwiseFnName(tail.fn));
  return name;
}

/// One value a channel: a contiguous vector seen with the output's rank.
static TensorType channelType(const ConvSpec &spec) {
  TensorType type;
  type.dtype = spec.dtype;
  type.sizes.assign(spec.rank + 2, Dim(1));
  type.strides.assign(spec.rank + 2, 0);
  type.sizes[1] = spec.outChannels;
  type.strides[1] = spec.outChannels == 1 ? 0 : 1;
  return type;
}

StatusOr<CommandGraph> boo::buildConv(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(ConvSpec spec, convSpec(line, &result.notes));
  size_t rank = spec.rank;
  auto type = [&](std::vector<int64_t> sizes, const std::string &layout) {
    return TensorType::permuted(spec.dtype, std::move(sizes),
                                layoutOrder(layout, rank));
  };
  TensorType inType =
      type(sizesOf(spec.batch, spec.inChannels, spec.in, rank), spec.inLayout);
  TensorType filType =
      type(sizesOf(spec.outChannels, spec.inChannels / spec.groups, spec.filter,
                   rank),
           spec.filLayout);
  std::vector<int64_t> outSizes =
      sizesOf(spec.batch, spec.outChannels, spec.out, rank);
  TensorType outType = type(outSizes, spec.outLayout);

  Graph &graph = result.graph;
  Role weights = spec.weightsConstant ? Role::Constant : Role::Input;
  AttributeMap attributes;
  attributes["acc"] = spec.dtype == DType::F64 ? DType::F64 : DType::F32;
  attributes["dilation"] = spatialList(spec.dilation, rank);
  attributes["groups"] = spec.groups;
  attributes["pad_hi"] = spatialList(spec.padHi, rank);
  attributes["pad_lo"] = spatialList(spec.padLo, rank);
  attributes["stride"] = spatialList(spec.stride, rank);
  result.name = convFuncName(spec);
  result.direction = directionName(spec.direction);
  if (spec.direction != ConvDirection::Forward) {
    // The output's gradient comes first, as iree-turbine launches it.
    bool wantsInput = spec.direction == ConvDirection::InputGradient;
    attributes["size"] = spatialList(wantsInput ? spec.in : spec.filter, rank);
    ValueId outGrad = graph.addArgument(outType);
    ValueId other = wantsInput ? graph.addArgument(filType, weights)
                               : graph.addArgument(inType);
    const TensorType &made = wantsInput ? inType : filType;
    Op op = wantsInput ? Op::ConvGradInput : Op::ConvGradWeight;
    graph.addOutput(
        graph.addNode(op, {outGrad, other}, attributes, {made}).front());
    BOO_RETURN_IF_ERROR(graph.verify());
    std::vector<int64_t> sizes;
    for (Dim dim : made.sizes)
      sizes.push_back(dim.size());
    result.outputSizes.push_back(
        inLayout(sizes, wantsInput ? spec.inLayout : spec.filLayout, rank));
    return result;
  }

  ValueId input = graph.addArgument(inType);
  ValueId filter = graph.addArgument(filType, weights);
  ValueId last =
      graph.addNode(Op::Conv, {input, filter}, attributes, {outType}).front();
  if (spec.bias) {
    ValueId bias = graph.addArgument(channelType(spec), weights);
    last = graph.addPointwise(PointwiseFn::Add, {last, bias}, outType);
  }
  if (spec.residual) {
    ValueId residual = graph.addArgument(outType);
    last = graph.addPointwise(PointwiseFn::Add, {last, residual}, outType);
  }
  last = addTail(graph, last, spec.tail, channelType(spec), weights);
  graph.addOutput(last);
  BOO_RETURN_IF_ERROR(graph.verify());
  result.outputSizes.push_back(inLayout(outSizes, spec.outLayout, rank));
  return result;
}
