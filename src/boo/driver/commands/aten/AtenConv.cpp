//===- AtenConv.cpp - Convolutions of torch's -----------------------------===//

#include "boo/driver/commands/ConvCommand.h"
#include "boo/driver/commands/aten/AtenOps.h"
#include "boo/graph/AttributeReader.h"
#include "boo/graph/ShapeInference.h"

#include <algorithm>

using namespace boo;

namespace {
struct ConvArguments {
  size_t first; ///< the number of the argument `input`; all others follow it
  TensorType input, weight;
  std::vector<int64_t> stride, padding, dilation, outputPadding;
  int64_t groups = 1;
  bool transposed = false;
  /// Of a transposed one: its result's spatial sizes.
  std::vector<int64_t> outSizes;
  /// Of the convolution, or of the one that a transposed one turns round.
  std::vector<int64_t> padLo, padHi;

  AttributeMap attributes() const {
    return {{"acc", accumulator(input.dtype)},
            {"dilation", dilation},
            {"groups", groups},
            {"pad_hi", padHi},
            {"pad_lo", padLo},
            {"stride", stride}};
  }
};
} // namespace

/// Spatial dimensions of the input, argument `i`.
static StatusOr<size_t> spatialRank(const AtenCall &call, size_t i) {
  BOO_ASSIGN_OR_RETURN(TensorType input, call.tensor(i));
  if (input.rank() < 3 || input.rank() > 5)
    return call.error(i, "has " + std::to_string(input.rank()) +
                             " dimensions and must have 3 to 5");
  return input.rank() - 2;
}

/// What a transposed convolution has beside its arguments.
static Status fitTransposed(const AtenCall &call, ConvArguments &conv) {
  if (conv.weight.rank() != conv.input.rank())
    return call.error(conv.first + 1,
                      "must have as many dimensions as the input");
  size_t outputPadding = conv.first + 7;
  for (size_t i = 0; i != conv.stride.size(); ++i) {
    int64_t stride = conv.stride[i], pad = conv.padding[i];
    int64_t more = conv.outputPadding[i];
    if (more >= std::max(stride, conv.dilation[i]))
      return call.error(outputPadding, "must be below the stride or the "
                                       "dilation");
    __int128 size =
        __int128(conv.input.sizes[i + 2].size() - 1) * stride - 2 * pad +
        __int128(conv.weight.sizes[i + 2].size() - 1) * conv.dilation[i] +
        more + 1;
    if (size < 1 || size > (int64_t(1) << 40))
      return call.error(conv.first + 4, "leaves no output, or one too large");
    conv.outSizes.push_back(int64_t(size));
    // The one that is turned round must not make a further pixel of it.
    int64_t excess = std::max<int64_t>(more - (stride - 1), 0);
    if (excess > pad)
      return call.refusal(
          outputPadding,
          "is " + std::to_string(more) + " beside a stride of " +
              std::to_string(stride) + " and a padding of " +
              std::to_string(pad) +
              ": what is not below the stride needs as much padding to make up "
              "for it");
    conv.padHi[i] = pad - excess;
  }
  return Status::ok();
}

/// Whether torch makes results channels last.
static bool makesChannelsLast(const ConvArguments &conv) {
  return isChannelsLast(conv.input) || isChannelsLast(conv.weight);
}

/// The forward direction's operator and attributes.
static std::pair<Op, AttributeMap> forwardNode(const ConvArguments &conv) {
  AttributeMap attributes = conv.attributes();
  if (!conv.transposed)
    return {Op::Conv, attributes};
  // A transposed convolution is the gradient of the input of the one that it
  // turns round.
  attributes["size"] = conv.outSizes;
  return {Op::ConvGradInput, attributes};
}

/// The type of the forward direction's result.
static StatusOr<TensorType> outputType(const AtenCall &call,
                                       const ConvArguments &conv) {
  auto [op, attributes] = forwardNode(conv);
  auto inferred = inferResults(op, attributes, {conv.input, conv.weight});
  if (!inferred.isOk())
    return inferred.status().withContext("aten::" + std::string(call.name()));
  return makesChannelsLast(conv) ? channelsLast(inferred->front())
                                 : inferred->front();
}

static Status addConvolution(AtenGraph &build, const ConvArguments &conv) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType layout, outputType(call, conv));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, conv.input));
  BOO_ASSIGN_OR_RETURN(ValueId w, build.weight(1, conv.weight));
  auto [op, attributes] = forwardNode(conv);
  BOO_ASSIGN_OR_RETURN(ValueId last,
                       build.add(op, {x, w}, attributes, &layout));
  if (!call.isNone(2)) {
    BOO_ASSIGN_OR_RETURN(TensorType bias, call.tensor(2));
    if (bias.rank() != 1)
      return call.error(2, "must have one dimension");
    BOO_ASSIGN_OR_RETURN(ValueId b,
                         build.weight(2, channelVector(bias, layout)));
    BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Add, {last, b}));
  }
  build.result(last);
  return Status::ok();
}

/// The arguments from `input`, argument `first`, on; in a `plain` schema
/// `groups` follows the dilation.
static StatusOr<ConvArguments> readConv(const AtenCall &call, size_t first,
                                        bool plain) {
  ConvArguments conv;
  conv.first = first;
  BOO_ASSIGN_OR_RETURN(size_t rank, spatialRank(call, first));
  BOO_ASSIGN_OR_RETURN(conv.input, call.tensor(first));
  BOO_ASSIGN_OR_RETURN(conv.weight, call.tensor(first + 1));
  BOO_ASSIGN_OR_RETURN(conv.stride, spatialList(call, first + 3, rank, 1));
  BOO_ASSIGN_OR_RETURN(conv.padding, spatialList(call, first + 4, rank, 0));
  BOO_ASSIGN_OR_RETURN(conv.dilation, spatialList(call, first + 5, rank, 1));
  conv.padLo = conv.padHi = conv.padding;
  if (plain) {
    BOO_ASSIGN_OR_RETURN(conv.groups, call.integer(first + 6, 1));
    return conv;
  }
  BOO_ASSIGN_OR_RETURN(conv.transposed, call.truth(first + 6, false));
  BOO_ASSIGN_OR_RETURN(conv.outputPadding,
                       spatialList(call, first + 7, rank, 0));
  BOO_ASSIGN_OR_RETURN(conv.groups, call.integer(first + 8, 1));
  if (conv.transposed)
    BOO_RETURN_IF_ERROR(fitTransposed(call, conv));
  return conv;
}

Status boo::buildAtenConvolution(AtenGraph &build) {
  BOO_ASSIGN_OR_RETURN(ConvArguments conv, readConv(build.call(), 0, false));
  return addConvolution(build, conv);
}

Status boo::buildAtenConv(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(ConvArguments conv, readConv(call, 0, true));
  if (size_t named = size_t(call.name()[4] - '0'); conv.stride.size() != named)
    return call.error(0,
                      "must have " + std::to_string(named + 2) + " dimensions");
  return addConvolution(build, conv);
}

/// A transposed convolution's gradients are those of the one that it turns
/// round, with the roles of input and output exchanged.
static Status addGradients(AtenGraph &build, const ConvArguments &conv,
                           const TensorType &outGrad,
                           const std::vector<bool> &mask) {
  AttributeMap attributes = conv.attributes();
  bool last = makesChannelsLast(conv);
  auto laidOut = [&](const TensorType &type) {
    return last ? channelsLast(type) : type;
  };
  auto spatial = [](const TensorType &type) {
    std::vector<int64_t> sizes;
    for (size_t i = 2; i != type.rank(); ++i)
      sizes.push_back(type.sizes[i].size());
    return sizes;
  };
  ValueId x = kNoValue, w = kNoValue;
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0, outGrad));
  if (mask[1]) {
    BOO_ASSIGN_OR_RETURN(x, build.input(1, conv.input));
  }
  if (mask[0]) {
    BOO_ASSIGN_OR_RETURN(w, build.weight(2, conv.weight));
  }
  if (mask[0]) {
    TensorType layout = laidOut(conv.input);
    AttributeMap own = attributes;
    if (!conv.transposed)
      own["size"] = spatial(conv.input);
    BOO_ASSIGN_OR_RETURN(
        ValueId made, build.add(conv.transposed ? Op::Conv : Op::ConvGradInput,
                                {dy, w}, std::move(own), &layout));
    build.result(made);
  }
  if (mask[1]) {
    TensorType layout = laidOut(conv.weight);
    AttributeMap own = attributes;
    own["size"] = spatial(conv.weight);
    std::vector<ValueId> operands{dy, x};
    if (conv.transposed)
      std::swap(operands[0], operands[1]);
    BOO_ASSIGN_OR_RETURN(ValueId made, build.add(Op::ConvGradWeight, operands,
                                                 std::move(own), &layout));
    build.result(made);
  }
  if (mask[2]) {
    std::vector<int64_t> dims{0};
    for (size_t dim = 2; dim != outGrad.rank(); ++dim)
      dims.push_back(int64_t(dim));
    BOO_ASSIGN_OR_RETURN(ValueId made,
                         build.add(Op::Reduce, {dy},
                                   {{"acc", accumulator(outGrad.dtype)},
                                    {"dims", std::move(dims)},
                                    {"fn", std::string("sum")},
                                    {"keep", true}}));
    build.result(made);
  }
  return Status::ok();
}

Status boo::buildAtenConvBackward(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType outGrad, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(ConvArguments conv, readConv(call, 1, false));
  BOO_ASSIGN_OR_RETURN(std::vector<bool> mask, outputMask(call, 10));
  BOO_ASSIGN_OR_RETURN(TensorType output, outputType(call, conv));
  if (outGrad.sizes != output.sizes || outGrad.dtype != output.dtype)
    return call.error(0, "must be of the convolution's result: " +
                             std::string(torchDType(output.dtype)) + " of " +
                             sizesText(output.sizes));
  unsigned gradients = (mask[0] ? InputGrad : 0u) |
                       (mask[1] ? WeightGrad : 0u) | (mask[2] ? BiasGrad : 0u);
  build.setDirection(convDirectionName(gradients));
  return addGradients(build, conv, outGrad, mask);
}
