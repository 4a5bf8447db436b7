//===- ElementGrid.cpp - The elements of a pointwise group ----------------===//

#include "boo/compiler/import/ElementGrid.h"
#include "boo/graph/Attributes.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

using namespace boo;
using namespace boo::compiler;

/// Stride of `type` along dimension `dim` of the output: shapes are aligned at
/// their ends, and what has size 1 repeats.
static int64_t broadcastStride(const TensorType &type, size_t dim,
                               size_t outRank) {
  size_t missing = outRank - type.rank();
  if (dim < missing || type.sizes[dim - missing].size() == 1)
    return 0;
  return type.strides[dim - missing];
}

/// Dimensions of size 1 count where they lie in the border.
static std::vector<ElementAxis> padAxes(const Graph &group) {
  using List = std::vector<int64_t>;
  const Node &node = group.nodes().front();
  const TensorType &in = group.value(node.operands[0]).type;
  const TensorType &out = group.value(node.results[0]).type;
  const List &lo = attribute<List>(node, "lo"),
             &hi = attribute<List>(node, "hi");
  std::vector<ElementAxis> axes;
  for (size_t dim = 0; dim != out.rank(); ++dim) {
    int64_t size = out.sizes[dim].size();
    if (size == 1 && lo[dim] == 0)
      continue;
    // A dimension of size 1 is crossed in no step at all.
    int64_t stride = size == 1 ? out.numElements() : out.strides[dim];
    axes.push_back({size, stride, {in.strides[dim]}, 1, lo[dim], hi[dim]});
  }
  return axes;
}

static std::vector<ElementAxis> elementAxes(const Graph &group) {
  const TensorType &out = group.value(group.outputs().front().value).type;
  std::vector<ElementAxis> axes;
  for (size_t dim = 0; dim != out.rank(); ++dim) {
    if (out.sizes[dim].size() == 1)
      continue;
    ElementAxis axis{out.sizes[dim].size(), out.strides[dim], {}};
    for (ValueId id : group.arguments())
      axis.in.push_back(broadcastStride(group.value(id).type, dim, out.rank()));
    axes.push_back(std::move(axis));
  }
  return axes;
}

static std::vector<ElementAxis> outputAxes(const Graph &group) {
  bool pads = group.nodes().front().op == Op::Pad;
  std::vector<ElementAxis> axes = pads ? padAxes(group) : elementAxes(group);
  if (axes.empty()) // one element
    axes.push_back({1, 1, std::vector<int64_t>(group.arguments().size(), 0)});
  std::sort(
      axes.begin(), axes.end(),
      [](const ElementAxis &a, const ElementAxis &b) { return a.out > b.out; });
  return axes;
}

/// Whether a step of `outer` is a whole pass of `inner`, for all operands.
static bool isOneAxis(const ElementAxis &outer, const ElementAxis &inner) {
  bool same =
      outer.out == inner.out * inner.size && inner.lo == 0 && inner.hi == 0;
  for (size_t i = 0; i != inner.in.size(); ++i)
    same &= outer.in[i] == inner.in[i] * inner.size;
  return same;
}

/// The axes along which the output or an argument is contiguous, or next to it.
static std::set<size_t> fastAxes(const std::vector<ElementAxis> &axes) {
  std::set<size_t> fast{axes.size() - 1};
  for (size_t i = 0; i != axes.front().in.size(); ++i) {
    std::optional<size_t> best;
    for (size_t a = 0; a != axes.size(); ++a)
      if (int64_t stride = axes[a].in[i])
        if (!best || stride <= axes[*best].in[i])
          best = a;
    if (best)
      fast.insert(*best);
  }
  return fast;
}

static void choosePieces(std::vector<ElementAxis> &axes, int64_t room) {
  auto take = [&](ElementAxis &axis, int64_t most) {
    axis.piece = std::max<int64_t>(1, std::min({axis.size, most, room}));
    room /= axis.piece;
    return axis.piece == axis.size;
  };
  // A cache line that a tile touches should be used up by it.
  std::set<size_t> fast = fastAxes(axes);
  auto share = int64_t(std::pow(double(room), 1 / double(fast.size())) + 0.001);
  for (size_t a : fast)
    take(axes[a], fast.size() == 1 ? room : share);
  for (size_t a = axes.size(); a-- != 0;)
    if (!fast.count(a) && !take(axes[a], room))
      return;
}

std::vector<ElementAxis> boo::compiler::makeElementGrid(const Graph &group,
                                                        int64_t tileElements) {
  std::vector<ElementAxis> axes;
  for (ElementAxis &axis : outputAxes(group)) {
    if (!axes.empty() && isOneAxis(axes.back(), axis)) {
      axis.lo = axes.back().lo * axis.size;
      axis.hi = axes.back().hi * axis.size;
      axis.size *= axes.back().size;
      axes.pop_back();
    }
    axes.push_back(std::move(axis));
  }
  choosePieces(axes, std::max<int64_t>(tileElements, 1));
  return axes;
}
