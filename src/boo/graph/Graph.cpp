//===- Graph.cpp - The one request type -----------------------------------===//
//
// Names of the lists, and how a Graph is put together.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/Graph.h"
#include "boo/graph/Attributes.h"

#include <algorithm>
#include <iterator>

using namespace boo;

static constexpr std::string_view OpNames[] = {
#define BOO_GRAPH_OP(name, spelling, minOperands, maxOperands, results)        \
  spelling,
#include "boo/graph/GraphOps.inc"
};

std::string_view boo::opName(Op op) { return OpNames[size_t(op)]; }

StatusOr<Op> boo::parseOp(std::string_view name) {
  for (size_t i = 0; i != std::size(OpNames); ++i)
    if (OpNames[i] == name)
      return Op(i);
  return invalidArgument("there is no op `" + std::string(name) + "`");
}

namespace {
struct PointwiseInfo {
  std::string_view name;
  int operands;
  std::string_view parameters; ///< separated by commas
};
} // namespace

static constexpr PointwiseInfo PointwiseInfos[] = {
#define BOO_POINTWISE(name, spelling, operands, parameters)                    \
  {spelling, operands, parameters},
#include "boo/graph/PointwiseFns.inc"
};

std::string_view boo::pointwiseFnName(PointwiseFn fn) {
  return PointwiseInfos[size_t(fn)].name;
}

StatusOr<PointwiseFn> boo::parsePointwiseFn(std::string_view name) {
  for (size_t i = 0; i != std::size(PointwiseInfos); ++i)
    if (PointwiseInfos[i].name == name)
      return PointwiseFn(i);
  return invalidArgument("there is no pointwise function `" +
                         std::string(name) + "`");
}

int boo::pointwiseFnOperands(PointwiseFn fn) {
  return PointwiseInfos[size_t(fn)].operands;
}

std::vector<std::string> boo::pointwiseFnParameters(PointwiseFn fn) {
  std::vector<std::string> names;
  std::string_view rest = PointwiseInfos[size_t(fn)].parameters;
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(','), rest.size());
    names.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return names;
}

PointwiseFn boo::pointwiseFn(const Node &node) {
  auto fn = parsePointwiseFn(attribute<std::string>(node, "fn"));
  assert(fn.isOk() && "a verified node has a known function");
  return *fn;
}

std::vector<double> boo::pointwiseParameters(const Node &node) {
  std::vector<double> values;
  for (const std::string &name : pointwiseFnParameters(pointwiseFn(node)))
    values.push_back(attribute<double>(node, name));
  return values;
}

ValueId Graph::addArgument(TensorType type, Role role) {
  assert(role != Role::Result && "results come from addNode");
  ValueId id = ValueId(Values.size());
  Values.push_back({std::move(type), role, -1});
  Arguments.push_back(id);
  return id;
}

std::vector<ValueId> Graph::addNode(Op op, std::vector<ValueId> operands,
                                    AttributeMap attributes,
                                    std::vector<TensorType> resultTypes) {
  int32_t index = int32_t(Nodes.size());
  std::vector<ValueId> results;
  for (TensorType &type : resultTypes) {
    results.push_back(ValueId(Values.size()));
    Values.push_back({std::move(type), Role::Result, index});
  }
  Nodes.push_back({op, std::move(operands), results, std::move(attributes)});
  return results;
}

ValueId Graph::addPointwise(PointwiseFn fn, std::vector<ValueId> operands,
                            TensorType type, std::vector<double> parameters) {
  AttributeMap attributes;
  attributes["fn"] = std::string(pointwiseFnName(fn));
  std::vector<std::string> names = pointwiseFnParameters(fn);
  assert(names.size() == parameters.size() && "one value a parameter");
  for (size_t i = 0; i != std::min(names.size(), parameters.size()); ++i)
    attributes[names[i]] = parameters[i];
  return addNode(Op::Pointwise, std::move(operands), std::move(attributes),
                 {std::move(type)})[0];
}

void Graph::setStrides(ValueId value, std::vector<int64_t> strides) {
  assert(Values[size_t(value)].role == Role::Result && "only results move");
  Values[size_t(value)].type.strides = std::move(strides);
}

void Graph::addOutput(ValueId value, ValueId into) {
  Outputs.push_back({value, into});
}

int32_t Graph::numSymbols() const {
  int32_t count = 0;
  for (const Value &value : Values)
    for (Dim dim : value.type.sizes)
      if (dim.isSymbol())
        count = std::max(count, dim.symbolId() + 1);
  return count;
}
