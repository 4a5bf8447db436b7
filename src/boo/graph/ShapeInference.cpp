//===- ShapeInference.cpp - What a node's results look like ---------------===//
//
// Together with ShapeInferenceOf*.cpp the one place that knows which
// attributes an op takes.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/ShapeInference.h"
#include "boo/graph/AttributeReader.h"
#include "boo/graph/Verify.h"

#include <algorithm>

using namespace boo;

static std::string str(int64_t value) { return std::to_string(value); }

std::string boo::dimText(Dim dim) {
  return dim.isSymbol() ? "s" + str(dim.symbolId()) : str(dim.size());
}

int64_t boo::convOutputSize(int64_t in, int64_t filter, int64_t stride,
                            int64_t dilation, int64_t padLo, int64_t padHi) {
  if (stride <= 0)
    return 0;
  __int128 padded = __int128(in) + padLo + padHi;
  __int128 extent = __int128(filter - 1) * dilation + 1;
  if (extent > padded)
    return 0;
  __int128 size = (padded - extent) / stride + 1;
  return int64_t(std::min<__int128>(size, INT64_MAX));
}

TensorType boo::rowMajor(DType dtype, const std::vector<Dim> &sizes) {
  std::vector<int64_t> fixed;
  for (Dim dim : sizes)
    fixed.push_back(dim.isSymbol() ? 1 : dim.size());
  TensorType type = TensorType::contiguous(dtype, std::move(fixed));
  type.sizes = sizes;
  return type;
}

/// Sizes that conv can work with: fixed, but for the batch, and not 0.
static Status checkConvSizes(const TensorType &type, const char *what) {
  static constexpr const char *InputNames[] = {"batch", "channel"};
  static constexpr const char *FilterNames[] = {"output channel",
                                                "input channel"};
  bool isInput = std::string_view(what) == "input";
  for (size_t i = 0; i != type.rank(); ++i) {
    std::string name =
        i < 2 ? std::string(isInput ? InputNames[i] : FilterNames[i]) + " size"
              : "spatial size " + str(int64_t(i) - 2);
    if (type.sizes[i].isSymbol()) {
      if (isInput && i == 0)
        continue;
      return unsupported("conv's " + std::string(what) + " " + name +
                         " is a symbol: only the batch size may be");
    }
    if (type.sizes[i].size() <= 0)
      return invalidArgument("conv's " + std::string(what) + " " + name +
                             " is 0");
  }
  return Status::ok();
}

static StatusOr<std::vector<int64_t>> takeSpatial(AttributeReader &reader,
                                                  const std::string &name,
                                                  size_t count, int64_t least) {
  BOO_ASSIGN_OR_RETURN(auto values, reader.take<std::vector<int64_t>>(
                                        name, "a list of integers"));
  if (values.size() != count)
    return invalidArgument("attribute `" + name + "` of conv has " +
                           str(int64_t(values.size())) + " entries for " +
                           str(int64_t(count)) + " spatial dimensions");
  for (int64_t value : values)
    if (value < least)
      return invalidArgument("attribute `" + name + "` of conv is " +
                             str(value) + " and must be at least " +
                             str(least));
  return values;
}

static Status checkChannels(const TensorType &input, const TensorType &filter,
                            int64_t groups) {
  int64_t inChannels = input.sizes[1].size();
  int64_t outChannels = filter.sizes[0].size();
  if (groups < 1)
    return invalidArgument("conv has " + str(groups) +
                           " groups and must have at least 1");
  if (inChannels % groups != 0)
    return invalidArgument("conv's " + str(inChannels) +
                           " input channels are not divisible by its " +
                           str(groups) + " groups");
  if (outChannels % groups != 0)
    return invalidArgument("conv's " + str(outChannels) +
                           " output channels are not divisible by its " +
                           str(groups) + " groups");
  if (filter.sizes[1].size() != inChannels / groups)
    return invalidArgument("conv's filter has " + str(filter.sizes[1].size()) +
                           " input channels and needs " +
                           str(inChannels / groups) + ": " + str(inChannels) +
                           " of the input over " + str(groups) + " groups");
  return Status::ok();
}

Status boo::takeAcc(AttributeReader &reader, Op op, DType dtype) {
  BOO_ASSIGN_OR_RETURN(auto acc, reader.take<DType>("acc", "an element type"));
  DType want = dtype == DType::F64 ? DType::F64 : DType::F32;
  if (acc == want)
    return Status::ok();
  return unsupported(std::string(opName(op)) + " of " +
                     std::string(dtypeName(dtype)) + " accumulates in " +
                     std::string(dtypeName(want)) + ", not in " +
                     std::string(dtypeName(acc)));
}

static StatusOr<std::vector<TensorType>>
inferConv(AttributeReader &reader, const std::vector<TensorType> &operands) {
  const TensorType &input = operands[0], &filter = operands[1];
  if (input.rank() < 3 || input.rank() > 5)
    return invalidArgument("conv's input has " + str(int64_t(input.rank())) +
                           " dimensions and must have 3 to 5");
  if (filter.rank() != input.rank())
    return invalidArgument("conv's filter has " + str(int64_t(filter.rank())) +
                           " dimensions and its input " +
                           str(int64_t(input.rank())));
  if (!isFloat(input.dtype))
    return unsupported("conv of " + std::string(dtypeName(input.dtype)));
  if (filter.dtype != input.dtype)
    return invalidArgument(
        "conv's input is " + std::string(dtypeName(input.dtype)) +
        " and its filter " + std::string(dtypeName(filter.dtype)));
  BOO_RETURN_IF_ERROR(checkConvSizes(input, "input"));
  BOO_RETURN_IF_ERROR(checkConvSizes(filter, "filter"));

  size_t spatial = input.rank() - 2;
  BOO_ASSIGN_OR_RETURN(auto stride, takeSpatial(reader, "stride", spatial, 1));
  BOO_ASSIGN_OR_RETURN(auto dilation,
                       takeSpatial(reader, "dilation", spatial, 1));
  BOO_ASSIGN_OR_RETURN(auto padLo, takeSpatial(reader, "pad_lo", spatial, 0));
  BOO_ASSIGN_OR_RETURN(auto padHi, takeSpatial(reader, "pad_hi", spatial, 0));
  BOO_ASSIGN_OR_RETURN(auto groups,
                       reader.take<int64_t>("groups", "an integer"));
  BOO_RETURN_IF_ERROR(checkChannels(input, filter, groups));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::Conv, input.dtype));
  std::vector<Dim> sizes = {input.sizes[0], filter.sizes[0]};
  // Far from the ends of int64_t, so that index arithmetic cannot overflow.
  constexpr int64_t Limit = int64_t(1) << 60;
  for (size_t i = 0; i != spatial; ++i) {
    int64_t in = input.sizes[i + 2].size(), taps = filter.sizes[i + 2].size();
    __int128 padded = __int128(in) + padLo[i] + padHi[i];
    __int128 extent = __int128(taps - 1) * dilation[i] + 1;
    if (padded > Limit || extent > Limit || stride[i] > Limit)
      return invalidArgument("conv's padding, dilation or stride in spatial "
                             "dimension " +
                             str(int64_t(i)) + " overflows");
    if (extent > padded)
      return invalidArgument(
          "conv's filter is larger than the padded input in spatial "
          "dimension " +
          str(int64_t(i)) + ": " + str(int64_t(extent)) + " (" + str(taps) +
          " taps, dilation " + str(dilation[i]) + ") against " +
          str(int64_t(padded)) + " (" + str(in) + " and padding " +
          str(padLo[i]) + ", " + str(padHi[i]) + ")");
    sizes.push_back(
        convOutputSize(in, taps, stride[i], dilation[i], padLo[i], padHi[i]));
  }
  return std::vector<TensorType>{rowMajor(input.dtype, sizes)};
}

/// Sizes of the rows and columns of a matrix, none 0; those that must be known
/// ahead are no symbols.
static Status checkMatrix(const TensorType &type, const char *name,
                          bool rowsMayVary) {
  if (type.rank() < 2)
    return invalidArgument("matmul's operand " + std::string(name) + " has " +
                           str(int64_t(type.rank())) +
                           " dimensions and must have at least 2");
  for (size_t i = 0; i != type.rank(); ++i) {
    bool isRow = i + 2 == type.rank(), isColumn = i + 1 == type.rank();
    if (type.sizes[i].isSymbol() && (isColumn || (isRow && !rowsMayVary)))
      return unsupported("matmul's operand " + std::string(name) + " has " +
                         dimText(type.sizes[i]) + " " +
                         (isRow ? "rows" : "columns") +
                         ": only the rows of A and the batch may be symbols");
    if (type.sizes[i] == Dim(0))
      return invalidArgument("matmul's operand " + std::string(name) +
                             " has size 0 in dimension " + str(int64_t(i)));
  }
  return Status::ok();
}

static StatusOr<std::vector<TensorType>>
inferMatmul(AttributeReader &reader, const std::vector<TensorType> &operands) {
  const TensorType &a = operands[0], &b = operands[1];
  if (!isFloat(a.dtype))
    return unsupported("matmul of " + std::string(dtypeName(a.dtype)));
  if (a.dtype != b.dtype)
    return invalidArgument("matmul's A is " + std::string(dtypeName(a.dtype)) +
                           " and its B " + std::string(dtypeName(b.dtype)));
  BOO_RETURN_IF_ERROR(checkMatrix(a, "A", true));
  BOO_RETURN_IF_ERROR(checkMatrix(b, "B", false));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::Matmul, a.dtype));
  if (a.sizes.back() != b.sizes[b.rank() - 2])
    return invalidArgument("matmul's A has " + dimText(a.sizes.back()) +
                           " columns and its B " +
                           dimText(b.sizes[b.rank() - 2]) + " rows");
  size_t rank = std::max(a.rank(), b.rank());
  std::vector<Dim> sizes(rank, Dim(1));
  for (const TensorType *type : {&a, &b})
    for (size_t i = 0; i + 2 != type->rank(); ++i) {
      Dim &size = sizes[rank - type->rank() + i], own = type->sizes[i];
      if (own == Dim(1) || own == size)
        continue;
      if (size != Dim(1))
        return invalidArgument("matmul's A has size " + dimText(size) +
                               " in a batch dimension where its B has " +
                               dimText(own) +
                               ": they must be equal, or one of them 1");
      size = own;
    }
  sizes[rank - 2] = a.sizes[a.rank() - 2];
  sizes[rank - 1] = b.sizes.back();
  return std::vector<TensorType>{rowMajor(a.dtype, sizes)};
}

std::string boo::sizesText(const std::vector<Dim> &sizes) {
  std::string text;
  for (Dim dim : sizes)
    text += (text.empty() ? "" : ",") + dimText(dim);
  return "[" + text + "]";
}

/// Input and filter of the convolution whose gradient is asked for: one of them
/// is `operands[1]`, the other the result, which has the spatial sizes that the
/// attribute `size` tells.
static StatusOr<std::vector<TensorType>>
forwardOperands(Op op, AttributeReader &reader,
                const std::vector<TensorType> &operands) {
  const TensorType &outGrad = operands[0], &other = operands[1];
  bool wantsInput = op == Op::ConvGradInput;
  const char *otherName = wantsInput ? "filter" : "input";
  if (outGrad.rank() < 3 || outGrad.rank() > 5)
    return invalidArgument("its output gradient has " +
                           str(int64_t(outGrad.rank())) +
                           " dimensions and must have 3 to 5");
  if (other.rank() != outGrad.rank())
    return invalidArgument(
        "its " + std::string(otherName) + " has " + str(int64_t(other.rank())) +
        " dimensions and its output gradient " + str(int64_t(outGrad.rank())));
  if (other.dtype != outGrad.dtype)
    return invalidArgument(
        "its output gradient is " + std::string(dtypeName(outGrad.dtype)) +
        " and its " + otherName + " " + std::string(dtypeName(other.dtype)));
  BOO_ASSIGN_OR_RETURN(auto sizes,
                       takeSpatial(reader, "size", other.rank() - 2, 1));
  BOO_ASSIGN_OR_RETURN(auto groups,
                       reader.take<int64_t>("groups", "an integer"));
  if (outGrad.sizes[1].isSymbol() || other.sizes[1].isSymbol())
    return unsupported("a number of channels is a symbol: only the batch size "
                       "may be");
  if (groups < 1 || (wantsInput && other.sizes[1].size() > INT64_MAX / groups))
    return invalidArgument("conv has " + str(groups) +
                           " groups and must have at least 1");
  std::vector<Dim> result = {outGrad.sizes[wantsInput ? 0 : 1],
                             wantsInput ? other.sizes[1].size() * groups
                                        : other.sizes[1].size() / groups};
  result.insert(result.end(), sizes.begin(), sizes.end());
  TensorType type = rowMajor(outGrad.dtype, result);
  if (wantsInput)
    return std::vector<TensorType>{type, other};
  return std::vector<TensorType>{other, type};
}

static StatusOr<std::vector<TensorType>>
inferConvGrad(Op op, AttributeReader &reader,
              const std::vector<TensorType> &operands) {
  auto infer = [&]() -> StatusOr<std::vector<TensorType>> {
    BOO_ASSIGN_OR_RETURN(auto forward, forwardOperands(op, reader, operands));
    BOO_ASSIGN_OR_RETURN(auto out, inferConv(reader, forward));
    if (out[0].sizes != operands[0].sizes)
      return invalidArgument(
          "its output gradient is " + sizesText(operands[0].sizes) +
          ", but the convolution of " + sizesText(forward[0].sizes) + " with " +
          sizesText(forward[1].sizes) + " gives " + sizesText(out[0].sizes));
    return std::vector<TensorType>{forward[op == Op::ConvGradInput ? 0 : 1]};
  };
  auto result = infer();
  if (!result.isOk())
    return result.status().withContext(std::string(opName(op)));
  return result;
}

/// numpy's rule: aligned at the last dimension, a 1 stretches.
static StatusOr<std::vector<Dim>>
broadcastSizes(const std::vector<TensorType> &operands) {
  size_t rank = 0;
  for (const TensorType &type : operands)
    rank = std::max(rank, type.rank());
  std::vector<Dim> sizes(rank, Dim(1));
  for (size_t i = 0; i != operands.size(); ++i) {
    const TensorType &type = operands[i];
    for (size_t j = 0; j != type.rank(); ++j) {
      size_t at = rank - type.rank() + j;
      if (type.sizes[j] == Dim(1) || type.sizes[j] == sizes[at])
        continue;
      if (sizes[at] != Dim(1))
        return invalidArgument(
            "pointwise operand " + str(int64_t(i)) + " has size " +
            dimText(type.sizes[j]) + " in dimension " + str(int64_t(j)) +
            ", which does not broadcast to " + dimText(sizes[at]));
      sizes[at] = type.sizes[j];
    }
  }
  return sizes;
}

static StatusOr<std::vector<TensorType>>
inferPointwise(AttributeReader &reader,
               const std::vector<TensorType> &operands) {
  BOO_ASSIGN_OR_RETURN(auto name, reader.take<std::string>("fn", "a string"));
  BOO_ASSIGN_OR_RETURN(PointwiseFn fn, parsePointwiseFn(name));
  if (size_t(pointwiseFnOperands(fn)) != operands.size())
    return invalidArgument("pointwise function `" + name + "` takes " +
                           str(pointwiseFnOperands(fn)) + " operands and has " +
                           str(int64_t(operands.size())));
  for (const std::string &parameter : pointwiseFnParameters(fn))
    BOO_RETURN_IF_ERROR(
        reader.take<double>(parameter, "a number with a point or exponent")
            .status());
  for (const TensorType &type : operands) {
    if (!isFloat(type.dtype))
      return unsupported("pointwise on " + std::string(dtypeName(type.dtype)));
    if (type.dtype != operands[0].dtype)
      return invalidArgument("pointwise operands are " +
                             std::string(dtypeName(operands[0].dtype)) +
                             " and " + std::string(dtypeName(type.dtype)) +
                             ": a cast makes them one");
  }
  BOO_ASSIGN_OR_RETURN(auto sizes, broadcastSizes(operands));
  return std::vector<TensorType>{rowMajor(operands[0].dtype, sizes)};
}

static StatusOr<std::vector<TensorType>>
inferCast(AttributeReader &reader, const std::vector<TensorType> &operands) {
  BOO_ASSIGN_OR_RETURN(DType to, reader.take<DType>("to", "an element type"));
  for (DType dtype : {operands[0].dtype, to})
    if (!isFloat(dtype))
      return unsupported(
          "cast from " + std::string(dtypeName(operands[0].dtype)) + " to " +
          std::string(dtypeName(to)) + ": only floats can be cast");
  return std::vector<TensorType>{rowMajor(to, operands[0].sizes)};
}

static StatusOr<std::vector<TensorType>>
inferOp(Op op, AttributeReader &reader,
        const std::vector<TensorType> &operands) {
  switch (op) {
  case Op::Conv:
    return inferConv(reader, operands);
  case Op::ConvGradInput:
  case Op::ConvGradWeight:
    return inferConvGrad(op, reader, operands);
  case Op::Matmul:
    return inferMatmul(reader, operands);
  case Op::Attention:
    return inferAttention(reader, operands);
  case Op::AttentionGrad:
    return inferAttentionGrad(reader, operands);
  case Op::Norm:
    return inferNorm(reader, operands);
  case Op::NormGrad:
    return inferNormGrad(reader, operands);
  case Op::BatchNorm:
    return inferBatchNorm(reader, operands);
  case Op::BatchNormGrad:
    return inferBatchNormGrad(reader, operands);
  case Op::Softmax:
  case Op::SoftmaxGrad:
    return inferSoftmax(op, reader, operands);
  case Op::Reduce:
    return inferReduce(reader, operands);
  case Op::ArgReduce:
    return inferArgReduce(reader, operands);
  case Op::Pool:
    return inferPool(reader, operands);
  case Op::PoolGrad:
    return inferPoolGrad(reader, operands);
  case Op::Pad:
    return inferPad(reader, operands);
  case Op::Pointwise:
    return inferPointwise(reader, operands);
  case Op::Cast:
    return inferCast(reader, operands);
  case Op::Mlir:
    BOO_RETURN_IF_ERROR(
        reader.take<std::string>("module", "a string").status());
    return std::vector<TensorType>{};
  }
  return internalError("an op without shape inference");
}

StatusOr<std::vector<TensorType>>
boo::inferResults(Op op, const AttributeMap &attributes,
                  const std::vector<TensorType> &operands) {
  BOO_RETURN_IF_ERROR(checkOperandCount(op, operands.size()));
  AttributeReader reader(op, attributes);
  BOO_ASSIGN_OR_RETURN(auto results, inferOp(op, reader, operands));
  BOO_RETURN_IF_ERROR(reader.finish());
  for (size_t i = 0; i != results.size(); ++i)
    BOO_RETURN_IF_ERROR(verifyType(results[i], true)
                            .withContext("result " + std::to_string(i) +
                                         " of " + std::string(opName(op))));
  return results;
}
