//===- AtenRows.cpp - Norms, softmaxes and reductions of torch's ----------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <algorithm>

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
  BOO_ASSIGN_OR_RETURN(
      ValueId result,
      build.add(Op::Softmax, {x},
                {{"acc", accumulator(made)}, {"axis", axis}, {"log", log}}));
  build.result(result);
  return Status::ok();
}

Status boo::buildAtenSoftmaxGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(1));
  BOO_ASSIGN_OR_RETURN(int64_t dim, call.integer(2, std::nullopt));
  BOO_ASSIGN_OR_RETURN(int64_t axis, wrapDim(call, 2, dim, type.rank()));
  BOO_ASSIGN_OR_RETURN(DType made, call.dtype(3, type.dtype));
  bool log = call.name().find("log") != std::string_view::npos;
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0));
  BOO_ASSIGN_OR_RETURN(ValueId y, build.input(1));
  BOO_ASSIGN_OR_RETURN(
      ValueId result,
      build.add(
          Op::SoftmaxGrad, {dy, y},
          {{"acc", accumulator(type.dtype)}, {"axis", axis}, {"log", log}}));
  BOO_ASSIGN_OR_RETURN(result, build.cast(result, made));
  build.result(result);
  build.setDirection("backward");
  return Status::ok();
}

/// Whether `shape` holds the last sizes of `type`.
static bool isRow(const std::vector<int64_t> &shape, const TensorType &type) {
  return !shape.empty() && shape.size() <= type.rank() &&
         std::equal(shape.rbegin(), shape.rend(), type.sizes.rbegin(),
                    [](int64_t size, Dim dim) { return dim == Dim(size); });
}

Status boo::buildAtenLayerNorm(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(auto shape, call.integers(1));
  BOO_ASSIGN_OR_RETURN(double eps, call.real(4, 1e-5));
  if (!isRow(shape, type))
    return call.error(1, "must be the input's last sizes");
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  std::vector<ValueId> operands{x};
  for (size_t i : {2, 3}) {
    if (call.isNone(i))
      continue;
    if (i == 3 && operands.size() == 1)
      return call.refusal(i, "stands without a weight");
    BOO_ASSIGN_OR_RETURN(TensorType vector, call.tensor(i));
    if (vector.dtype != type.dtype)
      return call.refusal(i, "must be of the input's type");
    BOO_ASSIGN_OR_RETURN(ValueId parameter, build.weight(i, vector));
    operands.push_back(parameter);
  }
  bool stats = call.name() == "native_layer_norm";
  BOO_ASSIGN_OR_RETURN(std::vector<ValueId> made,
                       build.addAll(Op::Norm, operands,
                                    {{"acc", accumulator(type.dtype)},
                                     {"dims", int64_t(shape.size())},
                                     {"eps", eps},
                                     {"stats", stats}}));
  // Mean and 1 / sqrt(variance + eps) are of the parameters' type.
  for (ValueId id : made) {
    BOO_ASSIGN_OR_RETURN(ValueId result, build.cast(id, type.dtype));
    build.result(result);
  }
  return Status::ok();
}

Status boo::buildAtenLayerNormGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(1));
  BOO_ASSIGN_OR_RETURN(auto shape, call.integers(2));
  BOO_ASSIGN_OR_RETURN(std::vector<bool> mask, outputMask(call, 7));
  if (!isRow(shape, type))
    return call.error(2, "must be the input's last sizes");
  for (size_t i : {1, 2})
    if (mask[i] && call.isNone(4 + i))
      return call.error(4 + i, "must be a tensor: its gradient is wanted");
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0));
  std::vector<ValueId> operands{dy};
  if (mask[0] || mask[1]) {
    for (size_t i : {1, 3, 4}) {
      BOO_ASSIGN_OR_RETURN(ValueId operand, build.input(i));
      if (i != 1) {
        BOO_ASSIGN_OR_RETURN(operand,
                             build.cast(operand, accumulator(type.dtype)));
      }
      operands.push_back(operand);
    }
  }
  if (mask[0] && !call.isNone(5)) {
    BOO_ASSIGN_OR_RETURN(TensorType weight, call.tensor(5));
    if (weight.dtype != type.dtype)
      return call.refusal(5, "must be of the input's type");
    BOO_ASSIGN_OR_RETURN(ValueId operand, build.weight(5, weight));
    operands.push_back(operand);
  }
  BOO_ASSIGN_OR_RETURN(std::vector<ValueId> made,
                       build.addAll(Op::NormGrad, operands,
                                    {{"acc", accumulator(type.dtype)},
                                     {"dbias", bool(mask[2])},
                                     {"dims", int64_t(shape.size())},
                                     {"dweight", bool(mask[1])},
                                     {"dx", bool(mask[0])}}));
  for (ValueId id : made)
    build.result(id);
  build.setDirection("backward");
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
  BOO_ASSIGN_OR_RETURN(bool keep,
                       whole ? StatusOr<bool>(false) : call.truth(2, false));
  AttributeMap attributes{
      {"acc", accumulator(made)}, {"fn", fn}, {"keep", keep}};
  // Only dimensions that are listed stay where they are.
  std::vector<int64_t> listed;
  for (size_t i = 0; i != reduced.size(); ++i)
    if (reduced[i])
      listed.push_back(int64_t(i));
  TensorType turned = keep ? type : reducedLast(type, reduced);
  attributes["dims"] = int64_t(listed.size());
  if (keep)
    attributes["dims"] = listed;
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, turned));
  BOO_ASSIGN_OR_RETURN(x, build.cast(x, made));
  BOO_ASSIGN_OR_RETURN(ValueId result, build.add(Op::Reduce, {x}, attributes));
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
  TensorType turned = reducedLast(type, reduced);
  BOO_ASSIGN_OR_RETURN(bool keep, call.truth(2, false));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0, turned));
  auto count = int64_t(std::count(reduced.begin(), reduced.end(), true));
  // A dimension that is not the last one cannot stay; its size of 1 takes no
  // room in memory.
  keep &= std::is_sorted(reduced.begin(), reduced.end());
  BOO_ASSIGN_OR_RETURN(ValueId result,
                       build.add(Op::ArgReduce, {x},
                                 {{"dims", count},
                                  {"fn", std::string(call.name().substr(3))},
                                  {"keep", keep},
                                  {"values", false}}));
  build.result(result);
  return Status::ok();
}
