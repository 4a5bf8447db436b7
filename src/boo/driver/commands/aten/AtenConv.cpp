//===- AtenConv.cpp - Convolutions of torch's -----------------------------===//

#include "boo/driver/commands/aten/AtenOps.h"
#include "boo/graph/ShapeInference.h"

#include <algorithm>

using namespace boo;

namespace {
struct ConvArguments {
  std::vector<int64_t> stride, padding, dilation, outputPadding;
  int64_t groups = 1;
  bool transposed = false;
};
} // namespace

/// Spatial dimensions of the input, argument 0.
static StatusOr<size_t> spatialRank(const AtenCall &call) {
  BOO_ASSIGN_OR_RETURN(TensorType input, call.tensor(0));
  if (input.rank() < 3 || input.rank() > 5)
    return call.error(0, "has " + std::to_string(input.rank()) +
                             " dimensions and must have 3 to 5");
  return input.rank() - 2;
}

/// One entry a spatial dimension; a single one stands for all of them.
static StatusOr<std::vector<int64_t>>
spatialList(const AtenCall &call, size_t i, size_t rank, int64_t otherwise) {
  if (call.isNone(i))
    return std::vector<int64_t>(rank, otherwise);
  BOO_ASSIGN_OR_RETURN(auto values, call.integers(i));
  if (values.size() == 1)
    values.resize(rank, values[0]);
  if (values.size() != rank)
    return call.error(i, "has " + std::to_string(values.size()) +
                             " entries for " + std::to_string(rank) +
                             " spatial dimensions");
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  for (int64_t value : values)
    if (value < 0 || value > most)
      return call.error(i, "must lie between 0 and " + std::to_string(most));
  return values;
}

/// Spatial sizes of a transposed convolution's result.
static StatusOr<std::vector<int64_t>>
transposedSizes(const AtenCall &call, const ConvArguments &conv) {
  BOO_ASSIGN_OR_RETURN(TensorType input, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(TensorType weight, call.tensor(1));
  if (weight.rank() != input.rank())
    return call.error(1, "must have as many dimensions as the input");
  std::vector<int64_t> sizes;
  for (size_t i = 0; i != conv.stride.size(); ++i) {
    if (conv.outputPadding[i] >= std::max(conv.stride[i], conv.dilation[i]))
      return call.error(7, "must be below the stride or the dilation");
    __int128 size =
        __int128(input.sizes[i + 2].size() - 1) * conv.stride[i] -
        2 * conv.padding[i] +
        __int128(weight.sizes[i + 2].size() - 1) * conv.dilation[i] +
        conv.outputPadding[i] + 1;
    if (size < 1 || size > (int64_t(1) << 40))
      return call.error(4, "leaves no output, or one too large");
    sizes.push_back(int64_t(size));
  }
  return sizes;
}

static TensorType channelsLast(const TensorType &type) {
  std::vector<size_t> order{0};
  std::vector<int64_t> sizes;
  for (size_t i = 0; i != type.rank(); ++i) {
    sizes.push_back(type.sizes[i].size());
    if (i >= 2)
      order.push_back(i);
  }
  order.push_back(1);
  return TensorType::permuted(type.dtype, sizes, order);
}

/// Are the strides those of channels-last memory and of no other?
static bool isChannelsLast(const TensorType &type) {
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  auto isLike = [&](const TensorType &other) {
    for (size_t i = 0; i != type.rank(); ++i)
      if (sizes[i] != 1 && type.strides[i] != other.strides[i])
        return false;
    return true;
  };
  return isLike(channelsLast(type)) &&
         !isLike(TensorType::contiguous(type.dtype, sizes));
}

static Status addConvolution(AtenGraph &build, const ConvArguments &conv) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType input, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(TensorType weight, call.tensor(1));
  AttributeMap attributes{
      {"acc", accumulator(input.dtype)}, {"dilation", conv.dilation},
      {"groups", conv.groups},           {"pad_hi", conv.padding},
      {"pad_lo", conv.padding},          {"stride", conv.stride}};
  // A transposed convolution is the gradient of the input of the one that it
  // turns round.
  Op op = conv.transposed ? Op::ConvGradInput : Op::Conv;
  if (conv.transposed) {
    BOO_ASSIGN_OR_RETURN(attributes["size"], transposedSizes(call, conv));
  }
  auto inferred = inferResults(op, attributes, {input, weight});
  if (!inferred.isOk())
    return inferred.status().withContext("aten::" + std::string(call.name()));
  TensorType layout = inferred->front();
  if (isChannelsLast(input) || isChannelsLast(weight))
    layout = channelsLast(layout);

  Graph &graph = build.graph();
  ValueId x = graph.addArgument(input);
  ValueId w = graph.addArgument(weight, call.weightRole());
  BOO_ASSIGN_OR_RETURN(ValueId last,
                       build.add(op, {x, w}, attributes, &layout));
  if (!call.isNone(2)) {
    BOO_ASSIGN_OR_RETURN(TensorType bias, call.tensor(2));
    if (bias.rank() != 1)
      return call.error(2, "must have one dimension");
    ValueId b =
        graph.addArgument(channelVector(bias, layout), call.weightRole());
    BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Add, {last, b}));
  }
  graph.addOutput(last);
  return Status::ok();
}

Status boo::buildAtenConvolution(AtenGraph &build) {
  const AtenCall &call = build.call();
  ConvArguments conv;
  BOO_ASSIGN_OR_RETURN(size_t rank, spatialRank(call));
  BOO_ASSIGN_OR_RETURN(conv.stride, spatialList(call, 3, rank, 1));
  BOO_ASSIGN_OR_RETURN(conv.padding, spatialList(call, 4, rank, 0));
  BOO_ASSIGN_OR_RETURN(conv.dilation, spatialList(call, 5, rank, 1));
  BOO_ASSIGN_OR_RETURN(conv.transposed, call.truth(6, false));
  BOO_ASSIGN_OR_RETURN(conv.outputPadding, spatialList(call, 7, rank, 0));
  BOO_ASSIGN_OR_RETURN(conv.groups, call.integer(8, 1));
  return addConvolution(build, conv);
}

Status boo::buildAtenConv(AtenGraph &build) {
  const AtenCall &call = build.call();
  ConvArguments conv;
  BOO_ASSIGN_OR_RETURN(size_t rank, spatialRank(call));
  if (size_t named = size_t(call.name()[4] - '0'); rank != named)
    return call.error(0,
                      "must have " + std::to_string(named + 2) + " dimensions");
  BOO_ASSIGN_OR_RETURN(conv.stride, spatialList(call, 3, rank, 1));
  BOO_ASSIGN_OR_RETURN(conv.padding, spatialList(call, 4, rank, 0));
  BOO_ASSIGN_OR_RETURN(conv.dilation, spatialList(call, 5, rank, 1));
  BOO_ASSIGN_OR_RETURN(conv.groups, call.integer(6, 1));
  return addConvolution(build, conv);
}
