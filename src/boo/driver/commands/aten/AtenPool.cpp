//===- AtenPool.cpp - Poolings of torch's and their gradients -------------===//

#include "boo/driver/commands/aten/AtenOps.h"

using namespace boo;

namespace {
struct PoolArguments {
  TensorType input;
  std::vector<int64_t> window, stride, padding, dilation;
  bool ceil = false;

  /// Whether one window covers an image and nothing else.
  bool isWhole() const {
    return window == std::vector<int64_t>{input.sizes[2].size(),
                                          input.sizes[3].size()} &&
           padding == std::vector<int64_t>{0, 0};
  }
  AttributeMap attributes(const char *fn) const {
    return {{"acc", accumulator(input.dtype)},
            {"ceil", ceil},
            {"dilation", dilation},
            {"fn", std::string(fn)},
            {"pad_hi", padding},
            {"pad_lo", padding},
            {"stride", stride},
            {"window", window}};
  }
};
} // namespace

/// Argument `i`, a batch of images.
static StatusOr<TensorType> images(const AtenCall &call, size_t i) {
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(i));
  if (type.rank() != 4)
    return call.refusal(i, "has " + std::to_string(type.rank()) +
                               " dimensions and must have 4: batch, channels, "
                               "height, width");
  return type;
}

/// The arguments from the input, argument `first`, on. A maximum's have a
/// dilation.
static StatusOr<PoolArguments> readPool(const AtenCall &call, size_t first,
                                        bool dilated) {
  PoolArguments pool;
  BOO_ASSIGN_OR_RETURN(pool.input, images(call, first));
  BOO_ASSIGN_OR_RETURN(pool.window, spatialList(call, first + 1, 2, 1));
  pool.stride = pool.window;
  std::vector<int64_t> stride;
  if (!call.isNone(first + 2)) {
    BOO_ASSIGN_OR_RETURN(stride, call.integers(first + 2));
  }
  // An empty list stands for windows side by side.
  if (!stride.empty()) {
    BOO_ASSIGN_OR_RETURN(pool.stride, spatialList(call, first + 2, 2, 1));
  }
  BOO_ASSIGN_OR_RETURN(pool.padding, spatialList(call, first + 3, 2, 0));
  pool.dilation = {1, 1};
  if (dilated) {
    BOO_ASSIGN_OR_RETURN(pool.dilation, spatialList(call, first + 4, 2, 1));
  }
  BOO_ASSIGN_OR_RETURN(pool.ceil, call.truth(first + (dilated ? 5 : 4), false));
  return pool;
}

/// The input's gradient, which lies in memory as the input does. Of the input
/// itself nothing is read.
static Status addGradient(AtenGraph &build, std::vector<ValueId> operands,
                          AttributeMap attributes, const TensorType &input) {
  attributes["size"] =
      std::vector<int64_t>{input.sizes[2].size(), input.sizes[3].size()};
  TensorType layout = suggestedMemory(input);
  BOO_ASSIGN_OR_RETURN(ValueId made,
                       build.add(Op::PoolGrad, std::move(operands),
                                 std::move(attributes), &layout));
  if (build.typeOf(made).sizes != input.sizes)
    return build.call().error(0, "must be of the pooling's result");
  build.result(made);
  build.setDirection("input_backward");
  return Status::ok();
}

static Status addPool(AtenGraph &build, const TensorType &input,
                      AttributeMap attributes, bool indices) {
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, input));
  attributes["indices"] = indices;
  BOO_ASSIGN_OR_RETURN(std::vector<TensorType> types,
                       build.infer(Op::Pool, {x}, attributes));
  for (TensorType &type : types)
    if (isChannelsLast(input))
      type = channelsLast(type);
  std::vector<ValueId> made = build.graph().addNode(
      Op::Pool, {x}, std::move(attributes), std::move(types));
  for (ValueId id : made)
    build.result(id);
  return Status::ok();
}

Status boo::buildAtenMaxPool(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PoolArguments pool, readPool(call, 0, true));
  return addPool(build, pool.input, pool.attributes("max"),
                 call.name().ends_with("with_indices"));
}

Status boo::buildAtenMaxPoolGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PoolArguments pool, readPool(call, 1, true));
  BOO_ASSIGN_OR_RETURN(TensorType outGrad, images(call, 0));
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0, outGrad));
  BOO_ASSIGN_OR_RETURN(ValueId indices, build.input(7));
  return addGradient(build, {dy, indices}, pool.attributes("max"), pool.input);
}

/// Whether windows are divided by what lies in the padding, too; argument `i`,
/// and a divisor behind it.
static StatusOr<const char *> averageFn(const AtenCall &call, size_t i) {
  BOO_ASSIGN_OR_RETURN(bool padding, call.truth(i, true));
  if (!call.isNone(i + 1))
    return call.refusal(i + 1, "must be None: windows are divided by the "
                               "number of their elements");
  return padding ? "avg_in" : "avg";
}

/// One window that is all of an image: a reduction is cut among threads.
static Status addMean(AtenGraph &build, const TensorType &input) {
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, input));
  BOO_ASSIGN_OR_RETURN(ValueId mean,
                       build.add(Op::Reduce, {x},
                                 {{"acc", accumulator(input.dtype)},
                                  {"dims", std::vector<int64_t>{2, 3}},
                                  {"fn", std::string("mean")},
                                  {"keep", true}}));
  build.result(mean);
  return Status::ok();
}

Status boo::buildAtenAvgPool(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PoolArguments pool, readPool(call, 0, false));
  BOO_ASSIGN_OR_RETURN(const char *fn, averageFn(call, 5));
  if (pool.isWhole())
    return addMean(build, pool.input);
  return addPool(build, pool.input, pool.attributes(fn), false);
}

Status boo::buildAtenAvgPoolGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PoolArguments pool, readPool(call, 1, false));
  BOO_ASSIGN_OR_RETURN(const char *fn, averageFn(call, 6));
  BOO_ASSIGN_OR_RETURN(TensorType outGrad, images(call, 0));
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0, outGrad));
  return addGradient(build, {dy}, pool.attributes(fn), pool.input);
}

/// Windows of one size that cut an input into `out` parts in each dimension;
/// argument `i` is to blame where there are none.
static StatusOr<PoolArguments> evenWindows(const AtenCall &call, size_t i,
                                           const TensorType &input,
                                           const std::vector<int64_t> &out) {
  PoolArguments pool;
  pool.input = input;
  for (size_t d = 0; d != 2; ++d) {
    int64_t in = input.sizes[d + 2].size();
    if (out[d] < 1 || in % out[d] != 0)
      return call.refusal(i, "asks for " + std::to_string(out[d]) +
                                 " averages of " + std::to_string(in) +
                                 " elements: windows must be of one size");
    pool.window.push_back(in / out[d]);
  }
  pool.stride = pool.window;
  pool.padding = {0, 0};
  pool.dilation = {1, 1};
  return pool;
}

Status boo::buildAtenAdaptivePool(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType input, images(call, 0));
  BOO_ASSIGN_OR_RETURN(auto out, spatialList(call, 1, 2, 1));
  BOO_ASSIGN_OR_RETURN(PoolArguments pool, evenWindows(call, 1, input, out));
  if (pool.isWhole())
    return addMean(build, input);
  return addPool(build, input, pool.attributes("avg"), false);
}

Status boo::buildAtenAdaptivePoolGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType outGrad, images(call, 0));
  BOO_ASSIGN_OR_RETURN(TensorType input, images(call, 1));
  BOO_ASSIGN_OR_RETURN(
      PoolArguments pool,
      evenWindows(call, 0, input,
                  {outGrad.sizes[2].size(), outGrad.sizes[3].size()}));
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0, outGrad));
  return addGradient(build, {dy}, pool.attributes("avg"), input);
}
