//===- ElementGrid.cpp - The elements of a pointwise group ----------------===//

#include "boo/compiler/import/ElementGrid.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

std::vector<int64_t> ElementGrid::gridSizes() const {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i != split; ++i)
    sizes.push_back(axes[i].size);
  sizes.push_back((axes[split].size + piece - 1) / piece);
  return sizes;
}

/// Stride of `type` along dimension `dim` of the output: shapes are aligned at
/// their ends, and what has size 1 repeats.
static int64_t broadcastStride(const TensorType &type, size_t dim,
                               size_t outRank) {
  size_t missing = outRank - type.rank();
  if (dim < missing || type.sizes[dim - missing].size() == 1)
    return 0;
  return type.strides[dim - missing];
}

static std::vector<ElementAxis> outputAxes(const Graph &group) {
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
  if (axes.empty()) // one element
    axes.push_back({1, 1, std::vector<int64_t>(group.arguments().size(), 0)});
  std::sort(
      axes.begin(), axes.end(),
      [](const ElementAxis &a, const ElementAxis &b) { return a.out > b.out; });
  return axes;
}

/// Whether a step of `outer` is a whole pass of `inner`, for all operands.
static bool isOneAxis(const ElementAxis &outer, const ElementAxis &inner) {
  bool same = outer.out == inner.out * inner.size;
  for (size_t i = 0; i != inner.in.size(); ++i)
    same &= outer.in[i] == inner.in[i] * inner.size;
  return same;
}

ElementGrid boo::compiler::makeElementGrid(const Graph &group,
                                           int64_t tileElements) {
  ElementGrid grid;
  for (ElementAxis &axis : outputAxes(group)) {
    if (!grid.axes.empty() && isOneAxis(grid.axes.back(), axis)) {
      axis.size *= grid.axes.back().size;
      grid.axes.pop_back();
    }
    grid.axes.push_back(std::move(axis));
  }
  int64_t room = std::max<int64_t>(tileElements, 1);
  grid.split = grid.axes.size() - 1;
  while (grid.split > 0 && grid.axes[grid.split].size <= room / 2) {
    room /= grid.axes[grid.split].size;
    --grid.split;
  }
  grid.piece = std::min(room, grid.axes[grid.split].size);
  return grid;
}
