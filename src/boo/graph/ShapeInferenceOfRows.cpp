//===- ShapeInferenceOfRows.cpp - Norms, softmaxes, reductions ------------===//

#include "boo/graph/AttributeReader.h"

#include <algorithm>

using namespace boo;

static std::string str(int64_t value) { return std::to_string(value); }

/// What norm, softmax and reduce ask of their input: floats, of which the
/// dimensions from `first` to `end` are known ahead and not empty.
static Status checkRows(Op op, const TensorType &x, size_t first, size_t end) {
  std::string name(opName(op));
  for (size_t i = first; i != end; ++i) {
    if (x.sizes[i].isSymbol())
      return unsupported(name + "'s dimension " + str(int64_t(i)) + " is " +
                         dimText(x.sizes[i]) +
                         ": those it works along must be known ahead");
    if (x.sizes[i].size() == 0)
      return invalidArgument(name + "'s dimension " + str(int64_t(i)) +
                             " has size 0, and it works along it");
  }
  return Status::ok();
}

/// The attribute `dims`: how many of the last dimensions make up a row.
static StatusOr<size_t> takeRowDims(Op op, AttributeReader &reader,
                                    const TensorType &x) {
  if (!isFloat(x.dtype))
    return unsupported(std::string(opName(op)) + " of " +
                       std::string(dtypeName(x.dtype)));
  BOO_ASSIGN_OR_RETURN(auto dims, reader.take<int64_t>("dims", "an integer"));
  if (dims < 1 || dims > int64_t(x.rank()))
    return invalidArgument("attribute `dims` of " + std::string(opName(op)) +
                           " is " + str(dims) + " and must be 1 to " +
                           str(int64_t(x.rank())) +
                           ", the dimensions of its operand");
  BOO_RETURN_IF_ERROR(checkRows(op, x, x.rank() - size_t(dims), x.rank()));
  return size_t(dims);
}

StatusOr<std::vector<TensorType>>
boo::inferNorm(AttributeReader &reader,
               const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  BOO_ASSIGN_OR_RETURN(size_t dims, takeRowDims(Op::Norm, reader, x));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::Norm, x.dtype));
  BOO_ASSIGN_OR_RETURN(auto eps, reader.take<double>("eps", "a real number"));
  if (!(eps >= 0) || eps > 1e30)
    return invalidArgument("attribute `eps` of norm is " + std::to_string(eps) +
                           " and must lie between 0 and 1e30");
  BOO_ASSIGN_OR_RETURN(bool stats, reader.take<bool>("stats", "true or false"));
  std::vector<Dim> row(x.sizes.end() - int64_t(dims), x.sizes.end());
  for (size_t i = 1; i != operands.size(); ++i) {
    std::string name = i == 1 ? "weight" : "bias";
    if (operands[i].dtype != x.dtype)
      return invalidArgument(
          "norm's input is " + std::string(dtypeName(x.dtype)) + " and its " +
          name + " " + std::string(dtypeName(operands[i].dtype)));
    if (operands[i].sizes != row)
      return invalidArgument(
          "norm's " + name + " is " + sizesText(operands[i].sizes) +
          " and must be as its input's last " + str(int64_t(dims)) +
          " dimensions, " + sizesText(row));
  }
  std::vector<TensorType> results{rowMajor(x.dtype, x.sizes)};
  if (stats) {
    std::vector<Dim> sizes = x.sizes;
    std::fill(sizes.end() - int64_t(dims), sizes.end(), Dim(1));
    DType acc = x.dtype == DType::F64 ? DType::F64 : DType::F32;
    results.insert(results.end(), 2, rowMajor(acc, sizes));
  }
  return results;
}

StatusOr<std::vector<TensorType>>
boo::inferSoftmax(AttributeReader &reader,
                  const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  if (!isFloat(x.dtype))
    return unsupported("softmax of " + std::string(dtypeName(x.dtype)));
  BOO_ASSIGN_OR_RETURN(auto axis, reader.take<int64_t>("axis", "an integer"));
  if (axis < 0 || axis >= int64_t(x.rank()))
    return invalidArgument("attribute `axis` of softmax is " + str(axis) +
                           " and its operand has " + str(int64_t(x.rank())) +
                           " dimensions");
  BOO_RETURN_IF_ERROR(
      checkRows(Op::Softmax, x, size_t(axis), size_t(axis) + 1));
  BOO_RETURN_IF_ERROR(reader.take<bool>("log", "true or false").status());
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::Softmax, x.dtype));
  return std::vector<TensorType>{rowMajor(x.dtype, x.sizes)};
}

/// A reduction over dimensions that `dims` lists: any, each of which stays with
/// size 1.
static StatusOr<std::vector<Dim>> takeListedDims(AttributeReader &reader,
                                                 const TensorType &x) {
  BOO_ASSIGN_OR_RETURN(auto dims,
                       reader.take<std::vector<int64_t>>("dims", "a list"));
  std::vector<Dim> sizes = x.sizes;
  int64_t last = -1;
  for (int64_t dim : dims) {
    if (dim <= last || dim >= int64_t(x.rank()))
      return invalidArgument("attribute `dims` of reduce must list dimensions "
                             "of its operand, which has " +
                             str(int64_t(x.rank())) + ", in ascending order");
    BOO_RETURN_IF_ERROR(checkRows(Op::Reduce, x, size_t(dim), size_t(dim) + 1));
    sizes[size_t(dim)] = Dim(1);
    last = dim;
  }
  if (last < 0)
    return invalidArgument("attribute `dims` of reduce is empty");
  return sizes;
}

/// Sizes without the reduced dimensions, or with 1 in their place: the
/// attributes `dims` and `keep`.
static StatusOr<std::vector<Dim>>
takeReducedSizes(Op op, AttributeReader &reader, const TensorType &x) {
  bool listed = op == Op::Reduce && reader.holds<std::vector<int64_t>>("dims");
  std::vector<Dim> sizes = x.sizes;
  size_t dims = 0;
  if (listed) {
    if (!isFloat(x.dtype))
      return unsupported("reduce of " + std::string(dtypeName(x.dtype)));
    BOO_ASSIGN_OR_RETURN(sizes, takeListedDims(reader, x));
  } else {
    BOO_ASSIGN_OR_RETURN(dims, takeRowDims(op, reader, x));
    std::fill(sizes.end() - int64_t(dims), sizes.end(), Dim(1));
  }
  BOO_ASSIGN_OR_RETURN(bool keep, reader.take<bool>("keep", "true or false"));
  if (!keep && listed)
    return invalidArgument("reduce over listed dimensions keeps them: `keep` "
                           "must be true");
  if (!keep)
    sizes.resize(x.rank() - dims);
  return sizes;
}

StatusOr<std::vector<TensorType>>
boo::inferReduce(AttributeReader &reader,
                 const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  BOO_ASSIGN_OR_RETURN(auto sizes, takeReducedSizes(Op::Reduce, reader, x));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::Reduce, x.dtype));
  BOO_ASSIGN_OR_RETURN(auto fn, reader.take<std::string>("fn", "a string"));
  static constexpr std::string_view fns[] = {"sum", "mean", "prod",  "max",
                                             "min", "amax", "norm1", "norm2"};
  if (std::find(std::begin(fns), std::end(fns), fn) == std::end(fns))
    return invalidArgument("attribute `fn` of reduce is `" + fn +
                           "` and must be sum, mean, prod, max, min, amax, "
                           "norm1 or norm2");
  return std::vector<TensorType>{rowMajor(x.dtype, sizes)};
}

StatusOr<std::vector<TensorType>>
boo::inferArgReduce(AttributeReader &reader,
                    const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  BOO_ASSIGN_OR_RETURN(auto sizes, takeReducedSizes(Op::ArgReduce, reader, x));
  BOO_ASSIGN_OR_RETURN(auto fn, reader.take<std::string>("fn", "a string"));
  if (fn != "max" && fn != "min")
    return invalidArgument("attribute `fn` of argreduce is `" + fn +
                           "` and must be max or min");
  BOO_ASSIGN_OR_RETURN(bool values,
                       reader.take<bool>("values", "true or false"));
  std::vector<TensorType> results{rowMajor(DType::I64, sizes)};
  if (values)
    results.push_back(rowMajor(x.dtype, sizes));
  return results;
}
