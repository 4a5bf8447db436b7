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

/// Whether `weight` has the input's dimensions, each of its size or 1: a group
/// norm's channels are neither a row nor all of it.
static bool spansInput(const TensorType &weight, const TensorType &x) {
  bool fits = weight.rank() == x.rank();
  for (size_t i = 0; fits && i != x.rank(); ++i)
    fits = weight.sizes[i] == x.sizes[i] || weight.sizes[i] == Dim(1);
  return fits;
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
  BOO_ASSIGN_OR_RETURN(bool rms, reader.takeMark("rms"));
  std::vector<Dim> row(x.sizes.end() - int64_t(dims), x.sizes.end());
  for (size_t i = 1; i != operands.size(); ++i) {
    std::string name = i == 1 ? "weight" : "bias";
    if (operands[i].dtype != x.dtype)
      return invalidArgument(
          "norm's input is " + std::string(dtypeName(x.dtype)) + " and its " +
          name + " " + std::string(dtypeName(operands[i].dtype)));
    if (operands[i].sizes != row && !spansInput(operands[i], x))
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
    results.insert(results.end(), rms ? 1 : 2, rowMajor(acc, sizes));
  }
  return results;
}

/// Whether an operand of a gradient is of this type and these sizes.
static Status checkOperand(Op op, const char *name, const TensorType &type,
                           DType dtype, const std::vector<Dim> &sizes) {
  if (type.dtype == dtype && type.sizes == sizes)
    return Status::ok();
  return invalidArgument(std::string(opName(op)) + "'s " + name + " is " +
                         std::string(dtypeName(type.dtype)) +
                         sizesText(type.sizes) + " and must be " +
                         std::string(dtypeName(dtype)) + sizesText(sizes));
}

StatusOr<std::vector<TensorType>>
boo::inferNormGrad(AttributeReader &reader,
                   const std::vector<TensorType> &operands) {
  const TensorType &dy = operands[0];
  BOO_ASSIGN_OR_RETURN(size_t dims, takeRowDims(Op::NormGrad, reader, dy));
  BOO_RETURN_IF_ERROR(takeAcc(reader, Op::NormGrad, dy.dtype));
  BOO_ASSIGN_OR_RETURN(bool dx, reader.take<bool>("dx", "true or false"));
  BOO_ASSIGN_OR_RETURN(bool dweight,
                       reader.take<bool>("dweight", "true or false"));
  BOO_ASSIGN_OR_RETURN(bool dbias, reader.take<bool>("dbias", "true or false"));
  if (!dx && !dweight && !dbias)
    return invalidArgument("norm_grad gives nothing: one of its attributes "
                           "`dx`, `dweight` and `dbias` must be true");
  BOO_ASSIGN_OR_RETURN(bool rms, reader.takeMark("rms"));
  bool one = !dx && !dweight;
  size_t least = one ? 1 : rms ? 3 : 4;
  if (operands.size() < least || operands.size() > least + dx)
    return invalidArgument("norm_grad takes the output's gradient" +
                           std::string(one   ? " alone for the bias"
                                       : rms ? ", input and rstd"
                                             : ", input, mean and rstd") +
                           (dx    ? ", and perhaps a weight"
                            : one ? ""
                                  : " without `dx`") +
                           ", and has " + str(int64_t(operands.size())) +
                           " operands");
  DType acc = dy.dtype == DType::F64 ? DType::F64 : DType::F32;
  std::vector<Dim> row(dy.sizes.end() - int64_t(dims), dy.sizes.end());
  std::vector<Dim> stats = dy.sizes;
  std::fill(stats.end() - int64_t(dims), stats.end(), Dim(1));
  auto check = [&](size_t operand, const char *name, DType dtype,
                   const std::vector<Dim> &sizes) {
    return operand < operands.size()
               ? checkOperand(Op::NormGrad, name, operands[operand], dtype,
                              sizes)
               : Status::ok();
  };
  BOO_RETURN_IF_ERROR(check(1, "input", dy.dtype, dy.sizes));
  if (!rms)
    BOO_RETURN_IF_ERROR(check(2, "mean", acc, stats));
  BOO_RETURN_IF_ERROR(check(rms ? 2 : 3, "rstd", acc, stats));
  BOO_RETURN_IF_ERROR(check(rms ? 3 : 4, "weight", dy.dtype, row));
  std::vector<TensorType> results;
  if (dx)
    results.push_back(rowMajor(dy.dtype, dy.sizes));
  for (bool wanted : {dweight, dbias})
    if (wanted)
      results.push_back(rowMajor(dy.dtype, row));
  return results;
}

/// The input of a batch norm, and one of its parameters, whose sizes tell what
/// is normalised together: the elements along the dimensions where it has 1.
static Status checkBatchNorm(Op op, AttributeReader &reader,
                             const TensorType &x, const TensorType &scale) {
  std::string name(opName(op));
  if (!isFloat(x.dtype))
    return unsupported(name + " of " + std::string(dtypeName(x.dtype)));
  BOO_RETURN_IF_ERROR(takeAcc(reader, op, x.dtype));
  BOO_RETURN_IF_ERROR(checkRows(op, x, 0, x.rank()));
  if (spansInput(scale, x))
    return Status::ok();
  return invalidArgument(
      name + "'s scale is " + sizesText(scale.sizes) + " and its input " +
      sizesText(x.sizes) +
      ": of each dimension the scale has the input's size, or 1 where elements "
      "are normalised together");
}

StatusOr<std::vector<TensorType>>
boo::inferBatchNorm(AttributeReader &reader,
                    const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0], &scale = operands[1];
  BOO_RETURN_IF_ERROR(checkBatchNorm(Op::BatchNorm, reader, x, scale));
  BOO_ASSIGN_OR_RETURN(auto eps, reader.take<double>("eps", "a real number"));
  if (!(eps >= 0) || eps > 1e30)
    return invalidArgument("attribute `eps` of batch_norm is " +
                           std::to_string(eps) +
                           " and must lie between 0 and 1e30");
  BOO_ASSIGN_OR_RETURN(auto momentum,
                       reader.take<double>("momentum", "a real number"));
  if (operands.size() == 4)
    return invalidArgument("batch_norm has a running mean and no running "
                           "variance: it takes both or none");
  bool running = operands.size() == 5;
  if (!(momentum >= 0 && momentum <= 1) || (!running && momentum != 0))
    return invalidArgument(
        "attribute `momentum` of batch_norm is " + std::to_string(momentum) +
        (running ? " and must lie between 0 and 1"
                 : " and must be 0 without running statistics"));
  BOO_ASSIGN_OR_RETURN(bool stats, reader.take<bool>("stats", "true or false"));
  DType acc = x.dtype == DType::F64 ? DType::F64 : DType::F32;
  static constexpr const char *names[] = {"input", "scale", "bias",
                                          "running mean", "running variance"};
  for (size_t i = 1; i != operands.size(); ++i)
    BOO_RETURN_IF_ERROR(
        checkOperand(Op::BatchNorm, names[i], operands[i], acc, scale.sizes));
  std::vector<TensorType> results{rowMajor(x.dtype, x.sizes)};
  results.insert(results.end(), (stats ? 2 : 0) + (running ? 2 : 0),
                 rowMajor(acc, scale.sizes));
  return results;
}

StatusOr<std::vector<TensorType>>
boo::inferBatchNormGrad(AttributeReader &reader,
                        const std::vector<TensorType> &operands) {
  const TensorType &dy = operands[0], &scale = operands[4];
  BOO_RETURN_IF_ERROR(checkBatchNorm(Op::BatchNormGrad, reader, dy, scale));
  BOO_RETURN_IF_ERROR(checkOperand(Op::BatchNormGrad, "input", operands[1],
                                   dy.dtype, dy.sizes));
  DType acc = dy.dtype == DType::F64 ? DType::F64 : DType::F32;
  static constexpr const char *names[] = {"mean", "rstd", "scale"};
  for (size_t i = 2; i != 5; ++i)
    BOO_RETURN_IF_ERROR(checkOperand(Op::BatchNormGrad, names[i - 2],
                                     operands[i], acc, scale.sizes));
  TensorType parameter = rowMajor(acc, scale.sizes);
  return std::vector<TensorType>{rowMajor(dy.dtype, dy.sizes), parameter,
                                 parameter};
}

StatusOr<std::vector<TensorType>>
boo::inferSoftmax(Op op, AttributeReader &reader,
                  const std::vector<TensorType> &operands) {
  const TensorType &x = operands[0];
  std::string name(opName(op));
  if (!isFloat(x.dtype))
    return unsupported(name + " of " + std::string(dtypeName(x.dtype)));
  BOO_ASSIGN_OR_RETURN(auto axis, reader.take<int64_t>("axis", "an integer"));
  if (axis < 0 || axis >= int64_t(x.rank()))
    return invalidArgument("attribute `axis` of " + name + " is " + str(axis) +
                           " and its operand has " + str(int64_t(x.rank())) +
                           " dimensions");
  BOO_RETURN_IF_ERROR(checkRows(op, x, size_t(axis), size_t(axis) + 1));
  BOO_RETURN_IF_ERROR(reader.take<bool>("log", "true or false").status());
  BOO_RETURN_IF_ERROR(takeAcc(reader, op, x.dtype));
  if (operands.size() > 1)
    BOO_RETURN_IF_ERROR(
        checkOperand(op, "output", operands[1], x.dtype, x.sizes));
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
