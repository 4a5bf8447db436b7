//===- AtenGraph.cpp - Nodes whose result types are inferred --------------===//

#include "boo/driver/commands/aten/AtenOps.h"
#include "boo/graph/ShapeInference.h"

#include <algorithm>
#include <numeric>

using namespace boo;

static constexpr AtenOp AtenOps[] = {
#define BOO_ATEN(name, builder, schema) {"aten::" name, builder, schema},
#include "boo/driver/commands/aten/AtenOps.inc"
};

const AtenOp *boo::findAtenOp(std::string_view name) {
  for (const AtenOp &each : AtenOps)
    if (each.name == name)
      return &each;
  return nullptr;
}

/// Do the elements fill the memory from the first to the last, each once?
static bool isDense(const TensorType &type) {
  std::vector<size_t> order(type.rank());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return type.strides[a] < type.strides[b];
  });
  int64_t next = 1;
  for (size_t dim : order) {
    if (type.sizes[dim] == Dim(1))
      continue;
    if (type.strides[dim] != next)
      return false;
    next *= type.sizes[dim].size();
  }
  return true;
}

/// The same elements in the same places: strides of dimensions of one element
/// aside.
static bool isSameView(const TensorType &a, const TensorType &b) {
  if (a.sizes != b.sizes)
    return false;
  for (size_t i = 0; i != a.rank(); ++i)
    if (a.sizes[i] != Dim(1) && a.strides[i] != b.strides[i])
      return false;
  return true;
}

StatusOr<ValueId> AtenGraph::input(size_t i, TensorType type, Role role) {
  if (Given.empty())
    return G.addArgument(std::move(type), role);
  ValueId given = i < Given.size() ? Given[i] : kNoValue;
  if (given == kNoValue)
    return Call.error(i, "must be a tensor");
  auto viewed = viewOf(given, type, role);
  if (!viewed.isOk())
    return Status(viewed.status().code(),
                  Call.error(i, viewed.status().message()).message());
  return viewed;
}

/// Whether `type` is the vector with further dimensions of one element.
static bool isVectorIn(const TensorType &type, const TensorType &vector) {
  if (vector.rank() != 1)
    return false;
  auto longer = std::count_if(type.sizes.begin(), type.sizes.end(),
                              [](Dim size) { return size != Dim(1); });
  return longer <= 1 && std::find(type.sizes.begin(), type.sizes.end(),
                                  vector.sizes[0]) != type.sizes.end();
}

StatusOr<ValueId> AtenGraph::viewOf(ValueId value, const TensorType &type,
                                    Role role) {
  if (isSameView(type, typeOf(value)))
    return value;
  const Value &own = G.value(value);
  if (own.role != Role::Result) {
    TensorType view = type;
    view.dtype = own.type.dtype;
    ValueId made = G.addArgument(std::move(view), role);
    Views.push_back({value, made});
    return made;
  }
  Node node = G.nodes()[size_t(own.producer)];
  bool single = node.op == Op::Pointwise || node.op == Op::Cast;
  if (!single || !isVectorIn(type, own.type))
    return unsupported("is a result of the same Graph, of which a view is "
                       "needed");
  TensorType result = own.type;
  for (ValueId &operand : node.operands) {
    // A scalar stays one in any view.
    if (typeOf(operand).rank() == 0)
      continue;
    if (typeOf(operand).sizes != result.sizes)
      return unsupported("is stretched in the same Graph");
    TensorType view = type;
    view.strides.assign(type.rank(), typeOf(operand).strides[0]);
    BOO_ASSIGN_OR_RETURN(operand, viewOf(operand, view, role));
  }
  result.sizes = type.sizes;
  result.strides = type.strides;
  return G.addNode(node.op, node.operands, node.attributes, {result}).front();
}

StatusOr<ValueId> AtenGraph::input(size_t i) {
  BOO_ASSIGN_OR_RETURN(TensorType type, Call.tensor(i));
  return input(i, std::move(type));
}

StatusOr<ValueId> AtenGraph::add(Op op, std::vector<ValueId> operands,
                                 AttributeMap attributes,
                                 const TensorType *layout) {
  BOO_ASSIGN_OR_RETURN(
      std::vector<ValueId> made,
      addAll(op, std::move(operands), std::move(attributes), layout));
  return made.front();
}

StatusOr<std::vector<TensorType>>
AtenGraph::infer(Op op, const std::vector<ValueId> &operands,
                 const AttributeMap &attributes) const {
  std::vector<TensorType> types;
  for (ValueId id : operands)
    types.push_back(typeOf(id));
  auto results = inferResults(op, attributes, types);
  if (!results.isOk())
    return results.status().withContext("aten::" + std::string(Call.name()));
  return results;
}

StatusOr<std::vector<ValueId>> AtenGraph::addAll(Op op,
                                                 std::vector<ValueId> operands,
                                                 AttributeMap attributes,
                                                 const TensorType *layout) {
  BOO_ASSIGN_OR_RETURN(std::vector<TensorType> results,
                       infer(op, operands, attributes));
  if (layout)
    results.front() = inOrderOf(*layout, results.front());
  return G.addNode(op, std::move(operands), std::move(attributes),
                   std::move(results));
}

StatusOr<ValueId> AtenGraph::pointwise(PointwiseFn fn,
                                       std::vector<ValueId> operands,
                                       std::vector<double> parameters) {
  AttributeMap attributes{{"fn", std::string(pointwiseFnName(fn))}};
  std::vector<std::string> names = pointwiseFnParameters(fn);
  for (size_t i = 0; i != names.size(); ++i)
    attributes[names[i]] = parameters[i];
  TensorType layout = typeOf(operands[0]);
  // Where the first operand is stretched the second one tells the layout.
  if (operands.size() > 1 && layout.rank() <= typeOf(operands[1]).rank() &&
      typeOf(operands[1]).numElements() > layout.numElements())
    layout = typeOf(operands[1]);
  return add(Op::Pointwise, std::move(operands), std::move(attributes),
             &layout);
}

StatusOr<ValueId> AtenGraph::cast(ValueId value, DType to) {
  TensorType layout = typeOf(value);
  if (layout.dtype == to)
    return value;
  return add(Op::Cast, {value}, {{"to", to}}, &layout);
}

DType boo::accumulator(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

TensorType boo::inOrderOf(const TensorType &layout, TensorType type) {
  if (layout.sizes != type.sizes)
    return type;
  if (isDense(layout)) {
    type.strides = layout.strides;
    return type;
  }
  std::vector<size_t> order(layout.rank());
  std::vector<int64_t> sizes;
  for (size_t i = 0; i != layout.rank(); ++i) {
    if (layout.sizes[i] != Dim(1) && layout.strides[i] == 0)
      return type;
    sizes.push_back(layout.sizes[i].size());
  }
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return layout.strides[a] != layout.strides[b]
               ? layout.strides[a] > layout.strides[b]
               : a < b;
  });
  return TensorType::permuted(type.dtype, sizes, order);
}

TensorType boo::suggestedMemory(const TensorType &type) {
  if ((type.rank() == 4 || type.rank() == 5) && isChannelsLast(type))
    return channelsLast(type);
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  return TensorType::contiguous(type.dtype, sizes);
}

StatusOr<int64_t> boo::wrapDim(const AtenCall &call, size_t argument,
                               int64_t dim, size_t rank) {
  auto size = int64_t(rank);
  if (dim < -size || dim >= size)
    return call.error(argument, "is " + std::to_string(dim) +
                                    ": the input has " + std::to_string(size) +
                                    " dimensions");
  return dim < 0 ? dim + size : dim;
}

StatusOr<std::vector<bool>> boo::outputMask(const AtenCall &call, size_t i) {
  std::vector<bool> mask(3, true);
  if (!call.isNone(i)) {
    BOO_ASSIGN_OR_RETURN(mask, call.truths(i));
  }
  if (mask.size() != 3)
    return call.error(i, "must say of input, weight and bias whether the "
                         "gradient is wanted");
  if (!mask[0] && !mask[1] && !mask[2])
    return call.error(i, "asks for no gradient");
  return mask;
}

StatusOr<std::vector<int64_t>> boo::spatialList(const AtenCall &call, size_t i,
                                                size_t rank,
                                                int64_t otherwise) {
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

TensorType boo::channelVector(const TensorType &vector,
                              const TensorType &like) {
  TensorType type;
  type.dtype = vector.dtype;
  type.sizes.assign(like.rank(), Dim(1));
  type.strides.assign(like.rank(), 0);
  type.sizes[1] = vector.sizes[0];
  type.strides[1] = vector.strides[0];
  return type;
}

TensorType boo::channelsLast(const TensorType &type) {
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

bool boo::isChannelsLast(const TensorType &type) {
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
