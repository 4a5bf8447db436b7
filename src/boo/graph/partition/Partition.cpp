//===- Partition.cpp - Cuts a Graph into groups ---------------------------===//
//
// A group has exactly one value that leaves it (an mlir node's group, and that
// of a norm with statistics or of an attention: its results, and nothing joins
// those, nor the gradient of an attention, of a filter or of a norm). Its next
// user may therefore join without a cycle: nothing outside can depend on the
// group but through that user.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/partition/Partition.h"
#include "boo/graph/Attributes.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>

using namespace boo;

namespace {

class Partitioner {
public:
  explicit Partitioner(const Graph &graph)
      : G(graph), Live(graph.nodes().size()), GroupOf(graph.nodes().size(), -1),
        Users(graph.values().size()), IsOutput(graph.values().size()) {}

  std::vector<Group> run();

private:
  void findLiveNodes();
  void countUsers();
  void place(size_t index);
  bool canJoin(size_t index, ValueId operand) const;
  bool isSecondConv(size_t index, ValueId operand) const;
  bool isPointwiseOnly(int group) const;
  bool fits(std::vector<size_t> nodes, size_t added) const;
  Group build(const std::vector<size_t> &nodes) const;

  const Graph &G;
  std::vector<bool> Live;
  std::vector<int> GroupOf; ///< of each node
  std::vector<int> Users;   ///< live nodes that read a value
  std::vector<bool> IsOutput;
  std::vector<std::vector<size_t>> Members; ///< nodes of each group, ascending
};

} // namespace

static bool isTailOp(Op op) { return op == Op::Pointwise || op == Op::Cast; }

/// Every pixel of a strided convolution's input meets a tap when the taps of a
/// dimension reach all residues of the stride.
static bool meetsAllPixels(const Graph &graph, const Node &gradient) {
  using List = std::vector<int64_t>;
  const List &stride = attribute<List>(gradient, "stride");
  const List &dilation = attribute<List>(gradient, "dilation");
  const TensorType &filter = graph.value(gradient.operands[1]).type;
  for (size_t d = 0; d != stride.size(); ++d)
    if (std::gcd(stride[d], dilation[d]) != 1 ||
        filter.sizes[d + 2].size() < stride[d])
      return false;
  return true;
}

bool boo::takesTail(const Graph &graph, const Node &node) {
  Op op = node.op;
  return op == Op::Conv || op == Op::Matmul || op == Op::Norm ||
         op == Op::Softmax || op == Op::SoftmaxGrad || op == Op::Reduce ||
         isTailOp(op) ||
         (op == Op::ConvGradInput && meetsAllPixels(graph, node));
}

static bool isStaticNode(const Graph &graph, const Node &node) {
  auto isStatic = [&](ValueId id) { return graph.value(id).type.isStatic(); };
  return std::all_of(node.operands.begin(), node.operands.end(), isStatic) &&
         std::all_of(node.results.begin(), node.results.end(), isStatic);
}

bool boo::areSeparable(const Graph &graph, const Node &first,
                       const Node &second) {
  using List = std::vector<int64_t>;
  if (first.op != Op::Conv || second.op != Op::Conv ||
      !isStaticNode(graph, first) || !isStaticNode(graph, second))
    return false;
  const TensorType &in = graph.value(first.operands[0]).type;
  const TensorType &middle = graph.value(second.operands[0]).type;
  const TensorType &filter = graph.value(second.operands[1]).type;
  auto is = [&](const char *name, int64_t number) {
    const List &list = attribute<List>(second, name);
    return std::all_of(list.begin(), list.end(),
                       [&](int64_t each) { return each == number; });
  };
  bool isPoint = is("stride", 1) && is("pad_lo", 0) && is("pad_hi", 0) &&
                 attribute<int64_t>(second, "groups") == 1 &&
                 second.operands[0] != second.operands[1];
  for (size_t dim = 2; dim != filter.rank(); ++dim)
    isPoint &= filter.sizes[dim].size() == 1;
  int64_t channels = in.sizes[1].size();
  bool isDepthwise = channels > 1 && middle.sizes[1].size() == channels &&
                     attribute<int64_t>(first, "groups") == channels;
  // A row of what lies between them rests in scratch.
  constexpr int64_t longest = int64_t(1) << 22;
  return isPoint && isDepthwise &&
         middle.sizes.back().size() <= longest / channels;
}

static std::set<ValueId> distinctOperands(const Node &node) {
  std::set<ValueId> ids(node.operands.begin(), node.operands.end());
  ids.erase(kNoValue);
  return ids;
}

void Partitioner::findLiveNodes() {
  auto mark = [&](ValueId id) {
    if (int32_t producer = G.value(id).producer; producer >= 0)
      Live[size_t(producer)] = true;
  };
  for (const Output &output : G.outputs()) {
    IsOutput[size_t(output.value)] = true;
    mark(output.value);
  }
  // Nodes stand in topological order, so one sweep back is enough.
  for (size_t i = G.nodes().size(); i-- != 0;)
    if (Live[i])
      for (ValueId id : distinctOperands(G.nodes()[i]))
        mark(id);
}

void Partitioner::countUsers() {
  for (size_t i = 0; i != G.nodes().size(); ++i)
    if (Live[i])
      for (ValueId id : distinctOperands(G.nodes()[i]))
        ++Users[size_t(id)];
}

bool Partitioner::isPointwiseOnly(int group) const {
  const auto &members = Members[size_t(group)];
  return std::all_of(members.begin(), members.end(), [&](size_t index) {
    return isTailOp(G.nodes()[index].op);
  });
}

bool Partitioner::isSecondConv(size_t index, ValueId operand) const {
  const Node &node = G.nodes()[index];
  if (node.op != Op::Conv || node.operands[0] != operand)
    return false;
  const std::vector<size_t> &members =
      Members[size_t(GroupOf[size_t(G.value(operand).producer)])];
  auto isConv = [&](size_t member) { return G.nodes()[member].op == Op::Conv; };
  return std::count_if(members.begin(), members.end(), isConv) == 1 &&
         areSeparable(G, G.nodes()[members.front()], node);
}

bool Partitioner::canJoin(size_t index, ValueId operand) const {
  const Node &node = G.nodes()[index];
  const Value &value = G.value(operand);
  if (value.producer < 0)
    return false;
  const Node &producer = G.nodes()[size_t(value.producer)];
  if (!takesTail(G, producer) || producer.results.size() != 1)
    return false;
  if (Users[size_t(operand)] != 1 || IsOutput[size_t(operand)])
    return false;
  return isTailOp(node.op)
             ? value.type.sizes == G.value(node.results[0]).type.sizes
             : isSecondConv(index, operand);
}

/// Whether `nodes` and the node `added` are no more than a group may hold.
bool Partitioner::fits(std::vector<size_t> nodes, size_t added) const {
  nodes.push_back(added);
  std::set<ValueId> made, read;
  size_t length = 0;
  for (size_t index : nodes) {
    const Node &node = G.nodes()[index];
    made.insert(node.results.begin(), node.results.end());
    if (!isTailOp(node.op))
      continue;
    ++length;
    read.merge(distinctOperands(node));
  }
  size_t operands = size_t(std::count_if(
      read.begin(), read.end(), [&](ValueId id) { return !made.count(id); }));
  return length <= maxTailNodes && operands <= maxTailOperands;
}

void Partitioner::place(size_t index) {
  // The group of an anchor comes first, then the one that is ready last.
  int best = -1;
  std::set<int> lone;
  for (ValueId id : distinctOperands(G.nodes()[index])) {
    if (!canJoin(index, id))
      continue;
    int group = GroupOf[size_t(G.value(id).producer)];
    if (!fits(Members[size_t(group)], index))
      continue;
    bool isLone = isPointwiseOnly(group);
    if (isLone)
      lone.insert(group);
    bool bestIsLone = best >= 0 && lone.count(best);
    if (best < 0 || (bestIsLone && !isLone) ||
        (bestIsLone == isLone &&
         Members[size_t(group)].back() > Members[size_t(best)].back()))
      best = group;
  }
  if (best < 0) {
    best = int(Members.size());
    Members.emplace_back();
  }
  // Two runs of pointwise nodes that meet are one. An anchor's tail stays a
  // tail: what it reads beside the anchor's result comes from outside.
  std::vector<size_t> &members = Members[size_t(best)];
  if (lone.count(best)) {
    lone.erase(best);
    for (int other : lone) {
      std::vector<size_t> both = members;
      both.insert(both.end(), Members[size_t(other)].begin(),
                  Members[size_t(other)].end());
      if (!fits(both, index))
        continue;
      for (size_t member : Members[size_t(other)])
        GroupOf[member] = best;
      members = std::move(both);
      Members[size_t(other)].clear();
    }
    std::sort(members.begin(), members.end());
  }
  members.push_back(index);
  GroupOf[index] = best;
}

/// Nodes of the group in the order in which canonicalize() would take them, so
/// that arguments are numbered the same way in equal groups.
static std::vector<size_t> depthFirst(const Graph &graph,
                                      const std::vector<size_t> &nodes) {
  std::set<size_t> left(nodes.begin(), nodes.end());
  std::vector<size_t> order, stack = {nodes.back()};
  while (!stack.empty()) {
    size_t index = stack.back();
    bool ready = true;
    for (ValueId id : graph.nodes()[index].operands) {
      int32_t producer = id == kNoValue ? -1 : graph.value(id).producer;
      if (producer >= 0 && size_t(producer) != index &&
          left.count(size_t(producer))) {
        stack.push_back(size_t(producer));
        ready = false;
        break;
      }
    }
    if (!ready)
      continue;
    stack.pop_back();
    left.erase(index);
    order.push_back(index);
  }
  return order;
}

/// Those of the group's last result, or what does as well.
static std::vector<int64_t> insideStrides(const TensorType &type,
                                          const TensorType &last) {
  if (type.sizes == last.sizes)
    return last.strides;
  std::vector<int64_t> sizes;
  for (Dim size : type.sizes)
    sizes.push_back(size.size());
  return TensorType::contiguous(type.dtype, sizes).strides;
}

Group Partitioner::build(const std::vector<size_t> &nodes) const {
  Group group;
  Graph sub;
  std::unordered_map<ValueId, ValueId> map;
  std::vector<size_t> order = depthFirst(G, nodes);
  const Node &last = G.nodes()[nodes.back()];

  std::unordered_map<ValueId, ValueId> intoOf; // result -> inout argument
  std::set<ValueId> overwritten;
  for (const Output &output : G.outputs())
    if (output.into != kNoValue &&
        std::find(last.results.begin(), last.results.end(), output.value) !=
            last.results.end()) {
      intoOf[output.value] = output.into;
      overwritten.insert(output.into);
    }

  std::set<size_t> inside(nodes.begin(), nodes.end());
  for (size_t index : order)
    for (ValueId id : G.nodes()[index].operands) {
      if (id == kNoValue || map.count(id))
        continue;
      const Value &value = G.value(id);
      if (value.producer >= 0 && inside.count(size_t(value.producer)))
        continue;
      Role role = Role::Input;
      if (value.role == Role::Constant)
        role = Role::Constant;
      else if (overwritten.count(id))
        role = Role::InOut;
      map[id] = sub.addArgument(value.type, role);
      group.arguments.push_back(id);
    }
  for (size_t index : order) {
    const Node &node = G.nodes()[index];
    std::vector<ValueId> operands;
    for (ValueId id : node.operands)
      operands.push_back(id == kNoValue ? kNoValue : map.at(id));
    std::vector<TensorType> types;
    for (ValueId id : node.results) {
      TensorType type = G.value(id).type;
      // What stays inside has no memory: its strides would only make equal
      // groups look different.
      if (index != nodes.back())
        type.strides = insideStrides(type, G.value(last.results[0]).type);
      types.push_back(std::move(type));
    }
    std::vector<ValueId> results = sub.addNode(
        node.op, std::move(operands), node.attributes, std::move(types));
    for (size_t i = 0; i != results.size(); ++i)
      map[node.results[i]] = results[i];
  }
  for (ValueId id : last.results) {
    auto into = intoOf.find(id);
    // An argument that the group does not read is just where its output lies.
    bool writes = into != intoOf.end() && map.count(into->second);
    sub.addOutput(map.at(id), writes ? map.at(into->second) : kNoValue);
    group.outputs.push_back(id);
  }
  group.graph = canonicalize(sub);
  return group;
}

std::vector<Group> Partitioner::run() {
  findLiveNodes();
  countUsers();
  for (size_t i = 0; i != G.nodes().size(); ++i)
    if (Live[i])
      place(i);
  // A group's arguments are made by last nodes of other groups, each before the
  // node that reads it: the order of last nodes is one in which all are ready.
  std::vector<std::vector<size_t>> members;
  for (const auto &nodes : Members)
    if (!nodes.empty())
      members.push_back(nodes);
  std::sort(members.begin(), members.end(),
            [](const auto &a, const auto &b) { return a.back() < b.back(); });
  std::vector<Group> groups;
  for (const auto &nodes : members)
    groups.push_back(build(nodes));
  return groups;
}

StatusOr<std::vector<Group>> boo::partition(const Graph &graph) {
  BOO_RETURN_IF_ERROR(graph.verify());
  return Partitioner(graph).run();
}
