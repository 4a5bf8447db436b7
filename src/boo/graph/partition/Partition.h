//===- Partition.h - Cuts a Graph into groups -------------------*- C++ -*-===//
//
// A group is what becomes one key and one artifact: an anchor (a convolution,
// a matrix product, a norm, a softmax, a reduction) with the pointwise tail
// that follows it; a depthwise convolution and its tail with the 1x1
// convolution behind them and its tail; an attention or its gradients, a pad,
// a lone run of pointwise nodes, an mlir node. Equal groups print the same
// canonical text, so equal layers of a model share one artifact. No LLVM here.
//
// Inside a group nothing is rounded to a storage type: a conv's sum goes
// through the tail in its accumulation type, pointwise nodes are computed in
// f32 (f64 for f64), and a cast only changes which of the two. What leaves the
// group is rounded once; and so is what one convolution of a group hands to the
// other.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// One group of a Plan, with its own Graph in canonical form.
struct Group {
  Graph graph;
  /// Values of the whole Graph that are the group's arguments, in its order.
  std::vector<ValueId> arguments;
  /// Values of the whole Graph that are the group's outputs, in its order.
  std::vector<ValueId> outputs;
};

/// The most that a group holds beside its anchor, so that compiling it takes
/// about a second at worst: the time grows faster than the length.
constexpr size_t maxTailNodes = 64;
constexpr size_t maxTailOperands = 16; ///< values that come from outside

/// Whether pointwise nodes may join the node's group. The gradient of a
/// convolution's input takes them where every pixel meets a tap.
bool takesTail(const Graph &graph, const Node &node);

/// Whether a group may hold both convolutions: `first`, a depthwise one, and
/// `second`, a 1x1 one over all channels of its result, which it need not leave
/// to memory then.
bool areSeparable(const Graph &graph, const Node &first, const Node &second);

/// Groups in an order in which each finds its arguments ready. A node joins the
/// group of its operand when it is pointwise (or a cast), that operand has no
/// other user and is no output, the sizes agree, no other operand depends on
/// the group from outside of it, and the group stays within the limits above.
/// Past them a new group goes on, with what the full one has made as operand.
StatusOr<std::vector<Group>> partition(const Graph &graph);

/// Groups, their edges and one memory arena for what passes between them.
/// `graph` is the canonical form of what was planned: arguments and outputs
/// keep their order, value ids do not.
struct Plan {
  Graph graph;
  std::vector<Group> groups;
  /// For every value of `graph`: byte offset in the arena, or -1 when it is an
  /// argument, an output, or lives inside a group.
  std::vector<int64_t> arenaOffsets;
  int64_t arenaBytes = 0; ///< 64-byte aligned blocks, reused when dead
};

/// Refuses (Unsupported) a Graph that still reads an inout argument after its
/// overwriting result was written, and symbolic sizes between groups.
StatusOr<Plan> makePlan(const Graph &graph);

} // namespace boo
