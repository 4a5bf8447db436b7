//===- Canonicalize.cpp - The one form that is hashed ---------------------===//
//
// Nodes are taken in depth-first post-order from the outputs, so neither the
// order in which a front end added nodes nor dead ones leave a trace.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/Graph.h"

#include <algorithm>

using namespace boo;

static TensorType canonicalType(TensorType type) {
  for (size_t i = 0; i != type.rank(); ++i)
    if (type.sizes[i] == Dim(1))
      type.strides[i] = 0;
  return type;
}

/// Node indices in the order described above. No recursion: a chain may be as
/// deep as the text is long.
static std::vector<size_t> postOrder(const Graph &graph) {
  struct Frame {
    size_t node;
    size_t nextOperand;
  };
  std::vector<size_t> order;
  std::vector<bool> seen(graph.nodes().size());
  std::vector<Frame> stack;
  auto visit = [&](ValueId id) {
    int32_t producer = id == kNoValue ? -1 : graph.value(id).producer;
    if (producer < 0 || seen[size_t(producer)])
      return;
    seen[size_t(producer)] = true;
    stack.push_back({size_t(producer), 0});
  };
  for (const Output &output : graph.outputs()) {
    visit(output.value);
    while (!stack.empty()) {
      Frame &top = stack.back();
      const Node &node = graph.nodes()[top.node];
      if (top.nextOperand == node.operands.size()) {
        order.push_back(top.node);
        stack.pop_back();
        continue;
      }
      visit(node.operands[top.nextOperand++]);
    }
  }
  return order;
}

Graph boo::canonicalize(const Graph &graph) {
  Graph result;
  std::vector<ValueId> map(graph.values().size(), kNoValue);
  auto mapped = [&](ValueId id) {
    return id == kNoValue ? kNoValue : map[size_t(id)];
  };
  for (ValueId id : graph.arguments()) {
    const Value &value = graph.value(id);
    map[size_t(id)] = result.addArgument(canonicalType(value.type), value.role);
  }
  for (size_t index : postOrder(graph)) {
    const Node &node = graph.nodes()[index];
    std::vector<ValueId> operands;
    for (ValueId id : node.operands)
      operands.push_back(mapped(id));
    std::vector<TensorType> types;
    for (ValueId id : node.results)
      types.push_back(canonicalType(graph.value(id).type));
    std::vector<ValueId> results = result.addNode(
        node.op, std::move(operands), node.attributes, std::move(types));
    for (size_t i = 0; i != results.size(); ++i)
      map[size_t(node.results[i])] = results[i];
  }
  for (const Output &output : graph.outputs())
    result.addOutput(mapped(output.value), mapped(output.into));
  return result;
}
