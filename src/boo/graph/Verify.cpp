//===- Verify.cpp - Is a Graph sound? -------------------------------------===//

#include "boo/graph/Verify.h"
#include "boo/graph/ShapeInference.h"

#include <algorithm>
#include <set>

using namespace boo;

namespace {
struct Arity {
  int minOperands, maxOperands, results; ///< -1: any number
};
} // namespace

static constexpr Arity Arities[] = {
#define BOO_GRAPH_OP(name, spelling, minOperands, maxOperands, results)        \
  {minOperands, maxOperands, results},
#include "boo/graph/GraphOps.inc"
};

/// True when every element surely has its own place: each dimension, taken by
/// growing stride, steps over all that the ones below it cover.
static bool isInjective(const TensorType &type) {
  std::vector<std::pair<int64_t, Dim>> dims;
  for (size_t i = 0; i != type.rank(); ++i)
    if (type.sizes[i] != Dim(1))
      dims.push_back({type.strides[i], type.sizes[i]});
  std::sort(dims.begin(), dims.end(),
            [](const auto &a, const auto &b) { return a.first < b.first; });
  int64_t covered = 0;
  for (auto [stride, size] : dims) {
    if (stride <= covered)
      return false;
    // What a symbol covers is known at launch only.
    if (!size.isSymbol() && size.size() > 0)
      covered += (size.size() - 1) * stride;
  }
  return true;
}

Status boo::verifyType(const TensorType &type, bool written) {
  if (type.sizes.size() != type.strides.size())
    return invalidArgument("a tensor of " + std::to_string(type.sizes.size()) +
                           " sizes has " + std::to_string(type.strides.size()) +
                           " strides");
  int64_t bytes = dtypeBytes(type.dtype), span = 0;
  for (size_t i = 0; i != type.rank(); ++i) {
    Dim dim = type.sizes[i];
    if (dim.isSymbol() && (dim.symbolId() < 0 || dim.symbolId() >= kMaxSymbols))
      return invalidArgument("symbols are s0 to s" +
                             std::to_string(kMaxSymbols - 1) +
                             ", and sizes are not negative");
    if (type.strides[i] < 0)
      return invalidArgument("stride " + std::to_string(type.strides[i]) +
                             " is negative");
    // An empty tensor is held to the same limit: its other sizes multiply too.
    int64_t size = dim.isSymbol() ? 1 : std::max<int64_t>(dim.size(), 1),
            extent;
    if (__builtin_mul_overflow(bytes, size, &bytes) ||
        __builtin_mul_overflow(size - 1, type.strides[i], &extent) ||
        __builtin_add_overflow(span, extent, &span))
      return invalidArgument("the tensor's bytes overflow 63 bits");
  }
  if (__builtin_add_overflow(span, int64_t(1), &span) ||
      __builtin_mul_overflow(span, dtypeBytes(type.dtype), &span))
    return invalidArgument("the tensor's bytes overflow 63 bits");
  bool empty = std::find(type.sizes.begin(), type.sizes.end(), Dim(0)) !=
               type.sizes.end();
  if (written && !empty && !isInjective(type))
    return invalidArgument("a tensor that is written overlaps itself: two of "
                           "its elements may share a place");
  return Status::ok();
}

Status boo::verifyArgument(const Value &value) {
  if (value.role == Role::Result || value.producer != -1)
    return internalError("an argument is made by a node");
  return verifyType(value.type, value.role == Role::InOut);
}

static std::string sizesText(const TensorType &type) {
  std::string text = std::string(dtypeName(type.dtype)) + "[";
  for (size_t i = 0; i != type.rank(); ++i) {
    Dim dim = type.sizes[i];
    text +=
        (i ? "," : "") + (dim.isSymbol() ? "s" + std::to_string(dim.symbolId())
                                         : std::to_string(dim.size()));
  }
  return text + "]";
}

Status boo::checkOperandCount(Op op, size_t count) {
  const Arity &arity = Arities[size_t(op)];
  if (int64_t(count) >= arity.minOperands &&
      (arity.maxOperands < 0 || int64_t(count) <= arity.maxOperands))
    return Status::ok();
  std::string want = std::to_string(arity.minOperands);
  if (arity.maxOperands != arity.minOperands)
    want += " to " + std::to_string(arity.maxOperands);
  return invalidArgument(std::string(opName(op)) + " takes " + want +
                         " operands and has " + std::to_string(count));
}

static Status verifyOperands(const Graph &graph, const Node &node,
                             size_t index) {
  std::string name(opName(node.op));
  BOO_RETURN_IF_ERROR(checkOperandCount(node.op, node.operands.size()));
  for (size_t i = 0; i != node.operands.size(); ++i) {
    ValueId id = node.operands[i];
    // No op of the list has optional operands yet.
    if (id == kNoValue)
      return invalidArgument("operand " + std::to_string(i) + " of " + name +
                             " must not be absent");
    if (id < 0 || size_t(id) >= graph.values().size() ||
        graph.value(id).producer >= int32_t(index))
      return invalidArgument("operand " + std::to_string(i) + " of " + name +
                             " is not defined before its use");
  }
  return Status::ok();
}

static bool isAttributeName(const std::string &name) {
  auto isLetter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !name.empty() && isLetter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return isLetter(c) || (c >= '0' && c <= '9');
         });
}

Status boo::verifyNode(const Graph &graph, size_t index) {
  const Node &node = graph.nodes()[index];
  std::string name(opName(node.op));
  BOO_RETURN_IF_ERROR(verifyOperands(graph, node, index));
  for (const auto &[attribute, value] : node.attributes)
    if (!isAttributeName(attribute))
      return invalidArgument("`" + attribute + "` is no attribute name");

  int wantResults = Arities[size_t(node.op)].results;
  if (node.results.empty() ||
      (wantResults >= 0 && int(node.results.size()) != wantResults))
    return invalidArgument(
        name + " gives " +
        (wantResults >= 0 ? std::to_string(wantResults) : "one or more") +
        " results and has " + std::to_string(node.results.size()));
  std::vector<TensorType> operandTypes;
  for (ValueId id : node.operands)
    operandTypes.push_back(graph.value(id).type);
  for (size_t i = 0; i != node.results.size(); ++i)
    BOO_RETURN_IF_ERROR(
        verifyType(graph.value(node.results[i]).type, true)
            .withContext("result " + std::to_string(i) + " of " + name));
  BOO_ASSIGN_OR_RETURN(auto inferred,
                       inferResults(node.op, node.attributes, operandTypes));
  // An mlir node's results are as declared.
  if (node.op != Op::Mlir && inferred.size() != node.results.size())
    return invalidArgument(name + " with these attributes gives " +
                           std::to_string(inferred.size()) +
                           " results and has " +
                           std::to_string(node.results.size()));
  for (size_t i = 0; i != inferred.size(); ++i) {
    const TensorType &declared = graph.value(node.results[i]).type;
    if (declared.dtype != inferred[i].dtype ||
        declared.sizes != inferred[i].sizes)
      return invalidArgument("result " + std::to_string(i) + " of " + name +
                             " is declared " + sizesText(declared) +
                             " and comes out as " + sizesText(inferred[i]));
  }
  return Status::ok();
}

/// Same memory: strides of dimensions of size 1 mean nothing.
static bool sameLayout(const TensorType &a, const TensorType &b) {
  if (a.dtype != b.dtype || a.sizes != b.sizes)
    return false;
  for (size_t i = 0; i != a.rank(); ++i)
    if (a.sizes[i] != Dim(1) && a.strides[i] != b.strides[i])
      return false;
  return true;
}

Status boo::verifyOutputs(const Graph &graph) {
  if (graph.outputs().empty())
    return invalidArgument("the graph returns nothing");
  auto exists = [&](ValueId id) {
    return id >= 0 && size_t(id) < graph.values().size();
  };
  std::set<ValueId> returned, overwritten;
  for (const Output &output : graph.outputs()) {
    if (!exists(output.value))
      return invalidArgument("a returned value is not defined");
    const Value &value = graph.value(output.value);
    if (value.role != Role::Result)
      return invalidArgument("an argument is returned: only what a node makes "
                             "can be");
    if (!returned.insert(output.value).second)
      return invalidArgument("a value is returned twice");
    if (output.into == kNoValue)
      continue;
    if (!exists(output.into) || graph.value(output.into).role != Role::InOut)
      return invalidArgument("a result can be written into an inout argument "
                             "only");
    if (!overwritten.insert(output.into).second)
      return invalidArgument("two results are written into one argument");
    if (!sameLayout(value.type, graph.value(output.into).type))
      return invalidArgument("a result is written into an argument of another "
                             "type or layout");
  }
  return Status::ok();
}

Status Graph::verify() const {
  for (size_t i = 0; i != Arguments.size(); ++i)
    BOO_RETURN_IF_ERROR(verifyArgument(value(Arguments[i]))
                            .withContext("argument " + std::to_string(i)));
  for (size_t i = 0; i != Nodes.size(); ++i)
    BOO_RETURN_IF_ERROR(
        verifyNode(*this, i).withContext("node " + std::to_string(i)));
  return verifyOutputs(*this);
}
