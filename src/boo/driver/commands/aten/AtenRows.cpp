//===- AtenRows.cpp - Norms, softmaxes and reductions of torch's ----------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <algorithm>
#include <cmath>

using namespace boo;

Status boo::buildAtenSoftmax(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(int64_t dim, call.integer(1, std::nullopt));
  BOO_ASSIGN_OR_RETURN(int64_t axis, wrapDim(call, 1, dim, type.rank()));
  DType made = type.dtype;
  bool native = call.name().starts_with('_');
  if (native) {
    BOO_ASSIGN_OR_RETURN(bool toFloat, call.truth(2, false));
    made = toFloat ? DType::F32 : made;
  } else {
    BOO_ASSIGN_OR_RETURN(made, call.dtype(2, made));
  }
  bool log = call.name().find("log") != std::string_view::npos;
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  BOO_ASSIGN_OR_RETURN(x, build.cast(x, made));
  TensorType layout = build.typeOf(x);
  BOO_ASSIGN_OR_RETURN(
      ValueId result,
      build.add(Op::Softmax, {x},
                {{"acc", accumulator(made)}, {"axis", axis}, {"log", log}},
                &layout));
  build.result(result);
  return Status::ok();
}

Status boo::buildAtenLayerNorm(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(auto shape, call.integers(1));
  BOO_ASSIGN_OR_RETURN(double eps, call.real(4, 1e-5));
  if (shape.empty() || shape.size() > type.rank() ||
      !std::equal(shape.rbegin(), shape.rend(), type.sizes.rbegin(),
                  [](int64_t size, Dim dim) { return dim == Dim(size); }))
    return call.error(1, "must be the input's last sizes");
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  std::vector<ValueId> operands{x};
  for (size_t i : {2, 3}) {
    if (call.isNone(i))
      continue;
    if (i == 3 && operands.size() == 1)
      return call.error(i, "stands without a weight");
    BOO_ASSIGN_OR_RETURN(TensorType vector, call.tensor(i));
    BOO_ASSIGN_OR_RETURN(ValueId parameter, build.weight(i, vector));
    operands.push_back(parameter);
  }
  bool stats = call.name() == "native_layer_norm";
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  std::vector<TensorType> types{TensorType::contiguous(type.dtype, sizes)};
  std::fill(sizes.end() - int64_t(shape.size()), sizes.end(), 1);
  DType acc = accumulator(type.dtype);
  if (stats)
    types.insert(types.end(), 2, TensorType::contiguous(acc, sizes));
  AttributeMap attributes{{"acc", acc},
                          {"dims", int64_t(shape.size())},
                          {"eps", eps},
                          {"stats", stats}};
  for (ValueId id :
       build.graph().addNode(Op::Norm, operands, attributes, types))
    build.result(id);
  return Status::ok();
}

/// The input of a reduction with the reduced dimensions last, the others in
/// their order.
static TensorType reducedLast(const TensorType &type,
                              const std::vector<bool> &reduced) {
  TensorType turned;
  turned.dtype = type.dtype;
  for (bool last : {false, true})
    for (size_t i = 0; i != type.rank(); ++i)
      if (reduced[i] == last) {
        turned.sizes.push_back(type.sizes[i]);
        turned.strides.push_back(type.strides[i]);
      }
  return turned;
}

Status boo::buildAtenReduce(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  bool sums = call.name() == "sum" || call.name() == "mean";
  // Of two arguments the second is the type: sum(self, *, dtype).
  bool whole = sums && call.arguments().size() <= 2;
  BOO_ASSIGN_OR_RETURN(DType made, sums ? call.dtype(whole ? 1 : 3, type.dtype)
                                        : type.dtype);
  std::vector<int64_t> dims;
  if (!whole && !call.isNone(1)) {
    BOO_ASSIGN_OR_RETURN(dims, call.integers(1));
  }
  std::vector<bool> reduced(type.rank(), dims.empty());
  for (int64_t dim : dims) {
    BOO_ASSIGN_OR_RETURN(int64_t axis, wrapDim(call, 1, dim, type.rank()));
    if (reduced[size_t(axis)])
      return call.error(1, "names a dimension twice");
    reduced[size_t(axis)] = true;
  }
  if (type.rank() == 0)
    return call.error(0, "has no dimension to reduce");
  std::string fn(call.name());
  if (fn == "amax" || fn == "amin")
    fn = fn.substr(1);
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, reducedLast(type, reduced)));
  BOO_ASSIGN_OR_RETURN(x, build.cast(x, made));
  // keepdim changes no element: dimensions of size 1 take no room.
  auto count = int64_t(std::count(reduced.begin(), reduced.end(), true));
  BOO_ASSIGN_OR_RETURN(ValueId result, build.add(Op::Reduce, {x},
                                                 {{"acc", accumulator(made)},
                                                  {"dims", count},
                                                  {"fn", fn},
                                                  {"keep", false}}));
  build.result(result);
  return Status::ok();
}

Status boo::buildAtenArgReduce(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  if (type.rank() == 0)
    return call.error(0, "has no dimension to reduce");
  // Without a dimension an index counts all elements in row-major order.
  std::vector<bool> reduced(type.rank(), call.isNone(1));
  if (!call.isNone(1)) {
    BOO_ASSIGN_OR_RETURN(int64_t dim, call.integer(1, std::nullopt));
    BOO_ASSIGN_OR_RETURN(int64_t axis, wrapDim(call, 1, dim, type.rank()));
    reduced[size_t(axis)] = true;
  }
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, reducedLast(type, reduced)));
  auto count = int64_t(std::count(reduced.begin(), reduced.end(), true));
  BOO_ASSIGN_OR_RETURN(ValueId result,
                       build.add(Op::ArgReduce, {x},
                                 {{"dims", count},
                                  {"fn", std::string(call.name().substr(3))},
                                  {"keep", false},
                                  {"values", false}}));
  build.result(result);
  return Status::ok();
}

Status boo::buildAtenAttention(AtenGraph &build) {
  const AtenCall &call = build.call();
  std::vector<ValueId> operands;
  for (size_t i : {0, 1, 2}) {
    BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(i));
    if (type.rank() != 4)
      return call.error(i, "must have 4 dimensions: batch, heads, length, "
                           "elements");
    BOO_ASSIGN_OR_RETURN(ValueId operand, build.input(i, type));
    operands.push_back(operand);
  }
  TensorType query = build.typeOf(operands[0]), key = build.typeOf(operands[1]);
  if (!call.isNone(3)) {
    BOO_ASSIGN_OR_RETURN(ValueId mask, build.input(3));
    operands.push_back(mask);
  }
  BOO_ASSIGN_OR_RETURN(double dropout, call.real(4, 0.0));
  BOO_ASSIGN_OR_RETURN(bool causal, call.truth(5, false));
  BOO_ASSIGN_OR_RETURN(
      double scale, call.real(6, 1 / std::sqrt(double(query.sizes[3].size()))));
  BOO_ASSIGN_OR_RETURN(bool grouped, call.truth(7, false));
  if (dropout != 0)
    return call.error(4, "must be 0: nothing is dropped at random");
  if (!grouped && query.sizes[1] != key.sizes[1])
    return call.error(7, "must be True where key has other heads than query");
  BOO_ASSIGN_OR_RETURN(ValueId result,
                       build.add(Op::Attention, operands,
                                 {{"acc", accumulator(query.dtype)},
                                  {"causal", causal},
                                  {"logsumexp", false},
                                  {"scale", scale}}));
  build.result(result);
  return Status::ok();
}

/// Argument `i`, one value for each channel of the input, with its rank.
static StatusOr<TensorType> channelArgument(const AtenCall &call, size_t i,
                                            const TensorType &input) {
  BOO_ASSIGN_OR_RETURN(TensorType vector, call.tensor(i));
  if (vector.rank() != 1 || vector.sizes[0] != input.sizes[1])
    return call.error(i, "must have one value for each channel");
  return channelVector(vector, input);
}

/// Training: statistics of the batch, which are results of the native operator,
/// and running ones that move where they lie. Those and weight and bias are of
/// the input's type or wider; statistics come back in it.
static Status addTraining(AtenGraph &build, const TensorType &type) {
  const AtenCall &call = build.call();
  DType acc = accumulator(type.dtype);
  BOO_ASSIGN_OR_RETURN(double momentum, call.real(6, 0.1));
  BOO_ASSIGN_OR_RETURN(double eps, call.real(7, 1e-5));
  if (call.isNone(3) != call.isNone(4))
    return call.error(call.isNone(3) ? 3 : 4,
                      "must be a tensor: there are both running statistics or "
                      "none");
  bool running = !call.isNone(3), stats = call.name() != "batch_norm";
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, type));
  std::vector<ValueId> operands{x}, arguments;
  for (size_t i = 1; i != (running ? 5 : 3); ++i) {
    if (call.isNone(i))
      return unsupported(
          call.error(i, "must be a tensor: in training there is a weight and "
                        "a bias")
              .message());
    BOO_ASSIGN_OR_RETURN(TensorType vector, channelArgument(call, i, type));
    if (i > 2 && vector.sizes[1] != Dim(1) && vector.strides[1] != 1)
      return unsupported(
          call.error(i, "must lie in memory without gaps: it is written to")
              .message());
    Role role = i > 2 ? Role::InOut : call.weightRole();
    BOO_ASSIGN_OR_RETURN(ValueId argument, build.input(i, vector, role));
    arguments.push_back(argument);
    BOO_ASSIGN_OR_RETURN(ValueId wide, build.cast(arguments.back(), acc));
    operands.push_back(wide);
  }
  BOO_ASSIGN_OR_RETURN(std::vector<ValueId> made,
                       build.addAll(Op::BatchNorm, operands,
                                    {{"acc", acc},
                                     {"eps", eps},
                                     {"momentum", running ? momentum : 0.0},
                                     {"stats", stats}},
                                    &type));
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
    build.result(id, into);
  }
  return Status::ok();
}

/// (x - mean) / sqrt(variance + eps) * weight + bias, with the running
/// statistics, computed in f32 at least and rounded once.
Status boo::buildAtenBatchNorm(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(bool training, call.truth(5, false));
  BOO_ASSIGN_OR_RETURN(double eps, call.real(7, 1e-5));
  if (type.rank() < 2)
    return call.error(0, "must have at least 2 dimensions");
  if (training)
    return addTraining(build, type);
  DType made = accumulator(type.dtype);
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, type));
  ValueId vectors[5] = {x, kNoValue, kNoValue, kNoValue, kNoValue};
  for (size_t i : {1, 2, 3, 4}) {
    if (i <= 2 && call.isNone(i))
      continue;
    BOO_ASSIGN_OR_RETURN(TensorType vector, channelArgument(call, i, type));
    BOO_ASSIGN_OR_RETURN(vectors[i], build.weight(i, vector));
    BOO_ASSIGN_OR_RETURN(vectors[i], build.cast(vectors[i], made));
  }
  auto [input, weight, bias, mean, variance] = vectors;
  BOO_ASSIGN_OR_RETURN(ValueId last, build.cast(input, made));
  BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Sub, {last, mean}));
  BOO_ASSIGN_OR_RETURN(
      ValueId deviation,
      build.pointwise(PointwiseFn::Scale, {variance}, {1.0, eps}));
  BOO_ASSIGN_OR_RETURN(deviation,
                       build.pointwise(PointwiseFn::Sqrt, {deviation}));
  BOO_ASSIGN_OR_RETURN(last,
                       build.pointwise(PointwiseFn::Div, {last, deviation}));
  if (weight != kNoValue) {
    BOO_ASSIGN_OR_RETURN(last,
                         build.pointwise(PointwiseFn::Mul, {last, weight}));
  }
  if (bias != kNoValue) {
    BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Add, {last, bias}));
  }
  BOO_ASSIGN_OR_RETURN(last, build.cast(last, type.dtype));
  build.result(last);
  return Status::ok();
}
