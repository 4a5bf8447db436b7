//===- Plan.cpp - Groups, their edges and one memory arena ----------------===//

#include "boo/graph/partition/Partition.h"

#include <algorithm>

using namespace boo;

namespace {

/// A value in the arena, live from the group that writes it to the last one
/// that reads it, both included.
struct Block {
  ValueId value;
  size_t firstGroup, lastGroup;
  int64_t bytes;
  int64_t offset = 0;
};

} // namespace

/// Whether `operand` of a batch norm is a running statistic that its own
/// successor is written over: each element is read just before.
static bool movesInPlace(const Graph &graph, const Node &node, size_t operand) {
  if (node.op != Op::BatchNorm || operand < 3)
    return false;
  // Those are the last two of five operands and of the results.
  ValueId moved = node.results[node.results.size() + operand - 5];
  return std::any_of(graph.outputs().begin(), graph.outputs().end(),
                     [&](const Output &output) {
                       return output.value == moved &&
                              output.into == node.operands[operand];
                     });
}

/// Is every use of `id` in the group one that reads the very element that is
/// then written in its place?
static bool readsElementwise(const Group &group, ValueId id) {
  auto it = std::find(group.arguments.begin(), group.arguments.end(), id);
  if (it == group.arguments.end())
    return true;
  const Graph &graph = group.graph;
  ValueId argument = graph.arguments()[size_t(it - group.arguments.begin())];
  const auto &sizes = graph.value(argument).type.sizes;
  for (const Node &node : graph.nodes())
    for (size_t i = 0; i != node.operands.size(); ++i)
      if (node.operands[i] == argument && !movesInPlace(graph, node, i) &&
          ((node.op != Op::Pointwise && node.op != Op::Cast) ||
           graph.value(node.results[0]).type.sizes != sizes))
        return false;
  return true;
}

/// A result that is written into an argument must not destroy what is still to
/// be read.
static Status checkOverwrites(const Graph &graph,
                              const std::vector<Group> &groups) {
  for (const Output &output : graph.outputs()) {
    if (output.into == kNoValue)
      continue;
    bool written = false;
    for (const Group &group : groups) {
      bool writes = std::find(group.outputs.begin(), group.outputs.end(),
                              output.value) != group.outputs.end();
      bool reads = std::find(group.arguments.begin(), group.arguments.end(),
                             output.into) != group.arguments.end();
      if ((written && reads) ||
          (writes && !readsElementwise(group, output.into)))
        return unsupported("an inout argument is read after a result has "
                           "been written into it");
      written |= writes;
    }
  }
  return Status::ok();
}

static StatusOr<std::vector<Block>>
findBlocks(const Graph &graph, const std::vector<Group> &groups) {
  std::vector<bool> isOutput(graph.values().size());
  for (const Output &output : graph.outputs())
    isOutput[size_t(output.value)] = true;
  std::vector<Block> blocks;
  std::vector<int64_t> blockOf(graph.values().size(), -1);
  for (size_t i = 0; i != groups.size(); ++i) {
    for (ValueId id : groups[i].arguments)
      if (int64_t block = blockOf[size_t(id)]; block >= 0)
        blocks[size_t(block)].lastGroup = i;
    for (ValueId id : groups[i].outputs) {
      if (isOutput[size_t(id)])
        continue;
      const TensorType &type = graph.value(id).type;
      if (!type.isStatic())
        return unsupported("a value of symbolic size passes between groups");
      int64_t bytes = type.spanBytes();
      if (bytes > INT64_MAX - 63)
        return invalidArgument("a value's bytes overflow 63 bits");
      blockOf[size_t(id)] = int64_t(blocks.size());
      blocks.push_back({id, i, i, (bytes + 63) / 64 * 64});
    }
  }
  return blocks;
}

/// Large blocks first, each at the lowest place that no block of its lifetime
/// has taken.
static Status placeBlocks(std::vector<Block> &blocks, int64_t &arenaBytes) {
  std::sort(blocks.begin(), blocks.end(), [](const Block &a, const Block &b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.value < b.value;
  });
  std::vector<const Block *> placed; // by offset
  for (Block &block : blocks) {
    int64_t offset = 0;
    for (const Block *other : placed) {
      if (other->lastGroup < block.firstGroup ||
          block.lastGroup < other->firstGroup)
        continue;
      if (other->offset - offset >= block.bytes)
        break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    int64_t end;
    if (__builtin_add_overflow(offset, block.bytes, &end))
      return invalidArgument("the plan's memory overflows 63 bits");
    block.offset = offset;
    arenaBytes = std::max(arenaBytes, end);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &block,
                                   [](const Block *a, const Block *b) {
                                     return a->offset < b->offset;
                                   }),
                  &block);
  }
  return Status::ok();
}

StatusOr<Plan> boo::makePlan(const Graph &graph) {
  BOO_RETURN_IF_ERROR(graph.verify());
  Plan plan;
  plan.graph = canonicalize(graph);
  BOO_ASSIGN_OR_RETURN(plan.groups, partition(plan.graph));
  BOO_RETURN_IF_ERROR(checkOverwrites(plan.graph, plan.groups));
  BOO_ASSIGN_OR_RETURN(auto blocks, findBlocks(plan.graph, plan.groups));
  BOO_RETURN_IF_ERROR(placeBlocks(blocks, plan.arenaBytes));
  plan.arenaOffsets.assign(plan.graph.values().size(), -1);
  for (const Block &block : blocks)
    plan.arenaOffsets[size_t(block.value)] = block.offset;
  return plan;
}
