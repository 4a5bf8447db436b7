//===- Rows.cpp - The dimensions that a row is made of --------------------===//

#include "boo/ops/Rows.h"
#include "boo/graph/Attributes.h"

#include <algorithm>

using namespace boo;

ReducedDims boo::reducedDims(const Graph &graph, const Node &node) {
  size_t rank = graph.value(node.operands[0]).type.rank();
  std::vector<bool> inside(rank, false);
  if (node.op == Op::Softmax)
    inside[size_t(attribute<int64_t>(node, "axis"))] = true;
  else if (auto *listed =
               std::get_if<std::vector<int64_t>>(&node.attributes.at("dims")))
    for (int64_t dim : *listed)
      inside[size_t(dim)] = true;
  else
    std::fill(inside.end() - attribute<int64_t>(node, "dims"), inside.end(),
              true);
  return ReducedDims(std::move(inside));
}

namespace {
/// Where the elements along some dimensions lie: in the view, and in a dense
/// tensor of its sizes.
struct Places {
  std::vector<int64_t> view{0}, dense{0};

  void add(int64_t size, int64_t viewStride, int64_t denseStride) {
    auto extend = [size](std::vector<int64_t> &places, int64_t stride) {
      std::vector<int64_t> next;
      next.reserve(places.size() * size_t(size));
      for (int64_t base : places)
        for (int64_t i = 0; i != size; ++i)
          next.push_back(base + i * stride);
      places = std::move(next);
    };
    extend(view, viewStride);
    extend(dense, denseStride);
  }
};
} // namespace

void boo::forEachRow(const TensorView &x, const ReducedDims &dims,
                     Workers workers,
                     const std::function<void(int64_t, const Row &)> &body) {
  std::vector<int64_t> dense(x.rank());
  int64_t below = 1;
  for (size_t d = x.rank(); d-- != 0; below *= x.size(d))
    dense[d] = below;
  Places rows, inner;
  for (size_t d = 0; d != x.rank(); ++d)
    (dims.contains(d) ? inner : rows).add(x.size(d), x.stride(d), dense[d]);
  size_t length = inner.view.size();
  int64_t piece = std::max<int64_t>(1, (1 << 14) / int64_t(length));
  parallelFor(int64_t(rows.view.size()), piece, workers,
              [&](int64_t begin, int64_t end) {
                Row row;
                row.x.resize(length);
                row.errors.resize(length);
                row.at.resize(length);
                for (int64_t r = begin; r != end; ++r) {
                  row.maxError = row.meanError = 0;
                  for (size_t i = 0; i != length; ++i) {
                    int64_t at = rows.view[size_t(r)] + inner.view[i];
                    row.x[i] = x.value(at);
                    row.errors[i] = x.error(at);
                    row.maxError = std::max(row.maxError, row.errors[i]);
                    row.meanError += row.errors[i] / double(length);
                    row.at[i] = rows.dense[size_t(r)] + inner.dense[i];
                  }
                  body(r, row);
                }
              });
}
