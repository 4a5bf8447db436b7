//===- ShapeInferenceOfPools.cpp - Poolings and their gradients -----------===//

#include "boo/graph/AttributeReader.h"

using namespace boo;

static std::string str(int64_t value) { return std::to_string(value); }

namespace {
struct PoolAttributes {
  std::string fn;
  std::vector<int64_t> window, stride, dilation, padLo, padHi;
  bool ceil = false;
};
} // namespace

static StatusOr<std::vector<int64_t>> takeList(AttributeReader &reader, Op op,
                                               const std::string &name,
                                               size_t count, int64_t least) {
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  BOO_ASSIGN_OR_RETURN(auto values, reader.take<std::vector<int64_t>>(
                                        name, "a list of integers"));
  std::string what = "attribute `" + name + "` of " + std::string(opName(op));
  if (values.size() != count)
    return invalidArgument(what + " has " + str(int64_t(values.size())) +
                           " entries for " + str(int64_t(count)) +
                           " spatial dimensions");
  for (int64_t value : values)
    if (value < least || value > most)
      return invalidArgument(what + " is " + str(value) + " and must be " +
                             str(least) + " to " + str(most));
  return values;
}

static StatusOr<PoolAttributes> takePool(AttributeReader &reader, Op op,
                                         size_t spatial) {
  PoolAttributes pool;
  BOO_ASSIGN_OR_RETURN(pool.fn, reader.take<std::string>("fn", "a string"));
  if (pool.fn != "max" && pool.fn != "avg" && pool.fn != "avg_in")
    return invalidArgument("attribute `fn` of " + std::string(opName(op)) +
                           " is `" + pool.fn +
                           "` and must be max, avg or avg_in");
  BOO_ASSIGN_OR_RETURN(pool.window, takeList(reader, op, "window", spatial, 1));
  BOO_ASSIGN_OR_RETURN(pool.stride, takeList(reader, op, "stride", spatial, 1));
  BOO_ASSIGN_OR_RETURN(pool.dilation,
                       takeList(reader, op, "dilation", spatial, 1));
  BOO_ASSIGN_OR_RETURN(pool.padLo, takeList(reader, op, "pad_lo", spatial, 0));
  BOO_ASSIGN_OR_RETURN(pool.padHi, takeList(reader, op, "pad_hi", spatial, 0));
  BOO_ASSIGN_OR_RETURN(pool.ceil, reader.take<bool>("ceil", "true or false"));
  for (size_t i = 0; i != spatial; ++i) {
    int64_t extent = (pool.window[i] - 1) * pool.dilation[i] + 1;
    if (pool.padLo[i] >= extent || pool.padHi[i] >= extent)
      return invalidArgument(std::string(opName(op)) +
                             " pads spatial dimension " + str(int64_t(i)) +
                             " by " +
                             str(std::max(pool.padLo[i], pool.padHi[i])) +
                             ", and a window that spans " + str(extent) +
                             " would lie in the padding alone: pad by less");
  }
  return pool;
}

/// The forward result's sizes for an input of `sizes`.
static StatusOr<std::vector<Dim>> outputSizes(Op op, const PoolAttributes &pool,
                                              std::vector<Dim> sizes) {
  for (size_t i = 2; i != sizes.size(); ++i) {
    size_t d = i - 2;
    int64_t in = sizes[i].size();
    int64_t extent = (pool.window[d] - 1) * pool.dilation[d] + 1;
    __int128 room = __int128(in) + pool.padLo[d] + pool.padHi[d] - extent;
    if (room < 0)
      return invalidArgument(
          std::string(opName(op)) + "'s window spans " + str(extent) +
          " in spatial dimension " + str(int64_t(d)) +
          ", more than the input and its padding: " + str(in) + " + " +
          str(pool.padLo[d]) + " + " + str(pool.padHi[d]));
    __int128 stride = pool.stride[d];
    __int128 out = (room + (pool.ceil ? stride - 1 : 0)) / stride + 1;
    // A window starts in the input or in the padding before it.
    if (pool.ceil && (out - 1) * stride >= __int128(in) + pool.padLo[d])
      --out;
    sizes[i] = int64_t(out);
  }
  return sizes;
}

/// Rank, type and sizes that a pooling can work with.
static Status checkOperand(Op op, const TensorType &type, const char *what) {
  std::string name = std::string(opName(op)) + "'s " + what;
  if (type.rank() < 3 || type.rank() > 5)
    return invalidArgument(name + " has " + str(int64_t(type.rank())) +
                           " dimensions and must have 3 to 5");
  if (!isFloat(type.dtype))
    return unsupported(std::string(opName(op)) + " of " +
                       std::string(dtypeName(type.dtype)));
  for (size_t i = 1; i != type.rank(); ++i) {
    if (type.sizes[i].isSymbol())
      return unsupported(name + " has the symbol " + dimText(type.sizes[i]) +
                         " in dimension " + str(int64_t(i)) +
                         ": only the batch size may be one");
    if (type.sizes[i].size() == 0)
      return invalidArgument(name + " has size 0 in dimension " +
                             str(int64_t(i)));
  }
  return Status::ok();
}

StatusOr<std::vector<TensorType>>
boo::inferPool(AttributeReader &reader,
               const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  BOO_RETURN_IF_ERROR(checkOperand(Op::Pool, x, "input"));
  BOO_ASSIGN_OR_RETURN(PoolAttributes pool,
                       takePool(reader, Op::Pool, x.rank() - 2));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::Pool, x.dtype));
  BOO_ASSIGN_OR_RETURN(bool indices,
                       reader.take<bool>("indices", "true or false"));
  if (indices && pool.fn != "max")
    return invalidArgument("pool has indices for fn = \"max\" only");
  BOO_ASSIGN_OR_RETURN(auto sizes, outputSizes(Op::Pool, pool, x.sizes));
  std::vector<TensorType> results{rowMajor(x.dtype, sizes)};
  if (indices)
    results.push_back(rowMajor(DType::I64, sizes));
  return results;
}

StatusOr<std::vector<TensorType>>
boo::inferPoolGrad(AttributeReader &reader,
                   const std::vector<TensorType> &operands) {
  const TensorType &dy = operands[0];
  BOO_RETURN_IF_ERROR(checkOperand(Op::PoolGrad, dy, "output gradient"));
  size_t spatial = dy.rank() - 2;
  BOO_ASSIGN_OR_RETURN(PoolAttributes pool,
                       takePool(reader, Op::PoolGrad, spatial));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::PoolGrad, dy.dtype));
  BOO_ASSIGN_OR_RETURN(auto size,
                       takeList(reader, Op::PoolGrad, "size", spatial, 1));
  if (operands.size() != (pool.fn == "max" ? 2 : 1))
    return invalidArgument(pool.fn == "max"
                               ? "pool_grad of a maximum needs its indices"
                               : "pool_grad of an average has one operand");
  if (operands.size() == 2 &&
      (operands[1].dtype != DType::I64 || operands[1].sizes != dy.sizes))
    return invalidArgument("pool_grad's indices must be i64" +
                           sizesText(dy.sizes) + " and are " +
                           std::string(dtypeName(operands[1].dtype)) +
                           sizesText(operands[1].sizes));
  std::vector<Dim> sizes{dy.sizes[0], dy.sizes[1]};
  sizes.insert(sizes.end(), size.begin(), size.end());
  BOO_ASSIGN_OR_RETURN(auto forward, outputSizes(Op::PoolGrad, pool, sizes));
  if (forward != dy.sizes)
    return invalidArgument("pool_grad's output gradient is " +
                           sizesText(dy.sizes) + ", but the pooling of " +
                           sizesText(sizes) + " gives " + sizesText(forward));
  return std::vector<TensorType>{rowMajor(dy.dtype, sizes)};
}
