//===- AtenBatchNorm.cpp - Batch norms of torch's -------------------------===//

#include "boo/driver/commands/aten/AtenOps.h"

using namespace boo;

namespace {
/// Where a batch norm's options stand among its arguments; input, weight, bias,
/// running mean and running variance are the first five.
struct Options {
  bool training = false;
  bool functional = false; ///< running statistics move into further results
  double momentum = 0.1, eps = 1e-5;
};
} // namespace

static StatusOr<Options> readOptions(const AtenCall &call) {
  Options options;
  size_t next = 5;
  if (!call.name().ends_with("no_training")) {
    BOO_ASSIGN_OR_RETURN(options.training, call.truth(next++, false));
  }
  options.functional = call.name().ends_with("functional");
  BOO_ASSIGN_OR_RETURN(options.momentum, call.real(next, 0.1));
  BOO_ASSIGN_OR_RETURN(options.eps, call.real(next + 1, 1e-5));
  return options;
}

/// Argument `i`, one value for each channel of the input, with its rank: it may
/// have that already, as statistics that a Graph made.
static StatusOr<TensorType> channelArgument(const AtenCall &call, size_t i,
                                            const TensorType &input) {
  BOO_ASSIGN_OR_RETURN(TensorType vector, call.tensor(i));
  std::vector<Dim> spread(input.rank(), Dim(1));
  spread[1] = input.sizes[1];
  if (vector.sizes == spread)
    return vector;
  if (vector.rank() != 1 || vector.sizes[0] != input.sizes[1])
    return call.error(i, "must have one value for each channel");
  return channelVector(vector, input);
}

/// The same as an input, in the type that it is computed with.
static StatusOr<ValueId> addChannelInput(AtenGraph &build, size_t i,
                                         const TensorType &input) {
  BOO_ASSIGN_OR_RETURN(TensorType vector,
                       channelArgument(build.call(), i, input));
  BOO_ASSIGN_OR_RETURN(ValueId argument, build.weight(i, vector));
  return build.cast(argument, accumulator(input.dtype));
}

/// Training: statistics of the batch, which are results of the native operator,
/// and running ones that move where they lie, or into results. Those and weight
/// and bias are of the input's type or wider; statistics come back in it.
static Status addTraining(AtenGraph &build, const TensorType &type,
                          const Options &options) {
  const AtenCall &call = build.call();
  DType acc = accumulator(type.dtype);
  if (call.isNone(3) != call.isNone(4))
    return call.error(call.isNone(3) ? 3 : 4,
                      "must be a tensor: there are both running statistics or "
                      "none");
  bool running = !call.isNone(3), stats = call.name() != "batch_norm";
  bool inPlace = !options.functional;
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, type));
  std::vector<ValueId> operands{x}, arguments;
  for (size_t i = 1; i != (running ? 5 : 3); ++i) {
    if (call.isNone(i))
      return call.refusal(i, "must be a tensor: in training there is a weight "
                             "and a bias");
    BOO_ASSIGN_OR_RETURN(TensorType vector, channelArgument(call, i, type));
    if (i > 2 && inPlace && vector.sizes[1] != Dim(1) && vector.strides[1] != 1)
      return call.refusal(i,
                          "must lie in memory without gaps: it is written to");
    Role role = i <= 2    ? call.weightRole()
                : inPlace ? Role::InOut
                          : Role::Input;
    BOO_ASSIGN_OR_RETURN(ValueId argument, build.input(i, vector, role));
    arguments.push_back(argument);
    BOO_ASSIGN_OR_RETURN(ValueId wide, build.cast(arguments.back(), acc));
    operands.push_back(wide);
  }
  TensorType layout = suggestedMemory(type);
  BOO_ASSIGN_OR_RETURN(
      std::vector<ValueId> made,
      build.addAll(Op::BatchNorm, operands,
                   {{"acc", acc},
                    {"eps", options.eps},
                    {"momentum", running ? options.momentum : 0.0},
                    {"stats", stats}},
                   &layout));
  build.result(made[0]);
  DType parameter = build.typeOf(arguments[0]).dtype;
  for (size_t i = 1; stats && i != 3; ++i) {
    BOO_ASSIGN_OR_RETURN(ValueId id, build.cast(made[i], parameter));
    build.result(id);
  }
  for (size_t i = 0; running && i != 2; ++i) {
    ValueId into = arguments[2 + i];
    BOO_ASSIGN_OR_RETURN(ValueId id, build.cast(made[made.size() - 2 + i],
                                                build.typeOf(into).dtype));
    build.result(id, inPlace ? into : kNoValue);
  }
  return Status::ok();
}

/// weight / sqrt(variance + eps), one value a channel.
static StatusOr<ValueId> addFactor(AtenGraph &build, ValueId weight,
                                   ValueId variance, double eps) {
  BOO_ASSIGN_OR_RETURN(ValueId factor, build.pointwise(PointwiseFn::Scale,
                                                       {variance}, {1.0, eps}));
  BOO_ASSIGN_OR_RETURN(factor, build.pointwise(PointwiseFn::Sqrt, {factor}));
  if (weight == kNoValue)
    return build.pointwise(PointwiseFn::Pow, {factor}, {-1.0});
  return build.pointwise(PointwiseFn::Div, {weight, factor});
}

/// (x - mean) * (weight / sqrt(variance + eps)) + bias, with the running
/// statistics, computed in f32 at least and rounded once. What a channel's
/// pixels share is computed once a channel.
static Status addInference(AtenGraph &build, const TensorType &type,
                           double eps) {
  const AtenCall &call = build.call();
  DType made = accumulator(type.dtype);
  BOO_ASSIGN_OR_RETURN(ValueId last, build.input(0, type));
  ValueId vectors[5] = {last, kNoValue, kNoValue, kNoValue, kNoValue};
  for (size_t i : {1, 2, 3, 4}) {
    if (i <= 2 && call.isNone(i))
      continue;
    BOO_ASSIGN_OR_RETURN(vectors[i], addChannelInput(build, i, type));
  }
  auto [input, weight, bias, mean, variance] = vectors;
  BOO_ASSIGN_OR_RETURN(ValueId factor, addFactor(build, weight, variance, eps));
  BOO_ASSIGN_OR_RETURN(last, build.cast(last, made));
  TensorType layout = suggestedMemory(type);
  BOO_ASSIGN_OR_RETURN(last, build.add(Op::Pointwise, {last, mean},
                                       {{"fn", std::string("sub")}}, &layout));
  BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Mul, {last, factor}));
  if (bias != kNoValue) {
    BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Add, {last, bias}));
  }
  BOO_ASSIGN_OR_RETURN(last, build.cast(last, type.dtype));
  build.result(last);
  return Status::ok();
}

Status boo::buildAtenBatchNorm(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(Options options, readOptions(call));
  if (type.rank() < 2)
    return call.error(0, "must have at least 2 dimensions");
  if (options.training)
    return addTraining(build, type, options);
  if (options.functional)
    return call.refusal(5, "must be True: without training there is "
                           "_native_batch_norm_legit_no_training");
  return addInference(build, type, options.eps);
}

/// Along all dimensions but the channels', which stay with size 1.
static StatusOr<ValueId> addChannelSums(AtenGraph &build, ValueId value) {
  TensorType type = build.typeOf(value);
  std::vector<int64_t> dims{0};
  for (size_t dim = 2; dim != type.rank(); ++dim)
    dims.push_back(int64_t(dim));
  return build.add(Op::Reduce, {value},
                   {{"acc", accumulator(type.dtype)},
                    {"dims", std::move(dims)},
                    {"fn", std::string("sum")},
                    {"keep", true}});
}

/// Gradients of input, weight and bias, each of which may be kNoValue.
using Gradients = std::array<ValueId, 3>;

/// Of the inference: the statistics are no function of the input.
static StatusOr<Gradients> addFrozenGradients(AtenGraph &build, ValueId dy,
                                              const TensorType &type,
                                              const std::vector<bool> &mask) {
  const AtenCall &call = build.call();
  DType acc = accumulator(type.dtype);
  Gradients made{kNoValue, kNoValue, kNoValue};
  BOO_ASSIGN_OR_RETURN(double eps, call.real(8, 1e-5));
  BOO_ASSIGN_OR_RETURN(dy, build.cast(dy, acc));
  ValueId weight = kNoValue, variance = kNoValue;
  if (mask[0] || mask[1]) {
    BOO_ASSIGN_OR_RETURN(variance, addChannelInput(build, 4, type));
  }
  if (mask[0]) {
    if (!call.isNone(2)) {
      BOO_ASSIGN_OR_RETURN(weight, addChannelInput(build, 2, type));
    }
    BOO_ASSIGN_OR_RETURN(ValueId factor,
                         addFactor(build, weight, variance, eps));
    TensorType layout = suggestedMemory(type);
    BOO_ASSIGN_OR_RETURN(made[0],
                         build.add(Op::Pointwise, {dy, factor},
                                   {{"fn", std::string("mul")}}, &layout));
    BOO_ASSIGN_OR_RETURN(made[0], build.cast(made[0], type.dtype));
  }
  if (mask[1]) {
    BOO_ASSIGN_OR_RETURN(ValueId x, build.input(1, type));
    BOO_ASSIGN_OR_RETURN(ValueId mean, addChannelInput(build, 3, type));
    BOO_ASSIGN_OR_RETURN(x, build.cast(x, acc));
    BOO_ASSIGN_OR_RETURN(x, build.pointwise(PointwiseFn::Sub, {x, mean}));
    BOO_ASSIGN_OR_RETURN(x, build.pointwise(PointwiseFn::Mul, {x, dy}));
    BOO_ASSIGN_OR_RETURN(x, addChannelSums(build, x));
    BOO_ASSIGN_OR_RETURN(ValueId factor,
                         addFactor(build, kNoValue, variance, eps));
    BOO_ASSIGN_OR_RETURN(made[1],
                         build.pointwise(PointwiseFn::Mul, {x, factor}));
  }
  if (mask[2]) {
    BOO_ASSIGN_OR_RETURN(made[2], addChannelSums(build, dy));
  }
  return made;
}

/// Of the training: mean and 1 / sqrt(variance + eps) are those of the batch.
static StatusOr<Gradients> addTrainingGradients(AtenGraph &build, ValueId dy,
                                                const TensorType &type) {
  const AtenCall &call = build.call();
  if (call.isNone(2))
    return call.refusal(2, "must be a tensor: in training there is a weight");
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(1, type));
  std::vector<ValueId> operands{dy, x};
  for (size_t i : {5, 6, 2}) {
    BOO_ASSIGN_OR_RETURN(ValueId operand, addChannelInput(build, i, type));
    operands.push_back(operand);
  }
  TensorType layout = suggestedMemory(type);
  BOO_ASSIGN_OR_RETURN(std::vector<ValueId> made,
                       build.addAll(Op::BatchNormGrad, operands,
                                    {{"acc", accumulator(type.dtype)}},
                                    &layout));
  return Gradients{made[0], made[1], made[2]};
}

Status boo::buildAtenBatchNormGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType outGrad, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(1));
  BOO_ASSIGN_OR_RETURN(bool training, call.truth(7, false));
  BOO_ASSIGN_OR_RETURN(std::vector<bool> mask, outputMask(call, 9));
  if (type.rank() < 2)
    return call.error(1, "must have at least 2 dimensions");
  if (outGrad.sizes != type.sizes || outGrad.dtype != type.dtype)
    return call.error(0, "must be of the input's type and sizes");
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0, outGrad));
  BOO_ASSIGN_OR_RETURN(Gradients made,
                       training ? addTrainingGradients(build, dy, type)
                                : addFrozenGradients(build, dy, type, mask));
  // The parameters' gradients are of their type; there may be no weight.
  DType parameter = type.dtype;
  if (!call.isNone(2)) {
    BOO_ASSIGN_OR_RETURN(TensorType weight, call.tensor(2));
    parameter = weight.dtype;
  }
  for (size_t i = 0; i != 3; ++i) {
    if (!mask[i])
      continue;
    BOO_ASSIGN_OR_RETURN(ValueId id,
                         build.cast(made[i], i ? parameter : type.dtype));
    build.result(id);
  }
  build.setDirection("backward");
  return Status::ok();
}
