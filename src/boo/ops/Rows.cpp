//===- Rows.cpp - The dimensions that a row is made of --------------------===//

#include "boo/ops/Rows.h"
#include "boo/graph/Attributes.h"

#include <algorithm>

using namespace boo;

ReducedDims ReducedDims::others() const {
  std::vector<bool> inside = Inside;
  inside.flip();
  return ReducedDims(std::move(inside));
}

ReducedDims boo::reducedDims(const Graph &graph, const Node &node) {
  size_t rank = graph.value(node.operands[0]).type.rank();
  std::vector<bool> inside(rank, false);
  if (node.op == Op::Softmax || node.op == Op::SoftmaxGrad)
    inside[size_t(attribute<int64_t>(node, "axis"))] = true;
  else if (node.op == Op::BatchNorm || node.op == Op::BatchNormGrad)
    for (size_t i = 0; i != rank; ++i)
      inside[i] = graph.value(node.operands.back()).type.sizes[i] == Dim(1);
  else if (auto *listed =
               std::get_if<std::vector<int64_t>>(&node.attributes.at("dims")))
    for (int64_t dim : *listed)
      inside[size_t(dim)] = true;
  else
    std::fill(inside.end() - attribute<int64_t>(node, "dims"), inside.end(),
              true);
  return ReducedDims(std::move(inside));
}

/// Where the elements of `operand` along the chosen dimensions of `first` lie.
static std::vector<int64_t> places(const TensorView &first,
                                   const TensorView &operand,
                                   const ReducedDims &dims, bool inside) {
  std::vector<int64_t> result{0};
  size_t missing = first.rank() - operand.rank();
  for (size_t d = 0; d != first.rank(); ++d) {
    if (dims.contains(d) != inside)
      continue;
    bool repeats = d < missing || operand.size(d - missing) != first.size(d);
    int64_t stride = repeats ? 0 : operand.stride(d - missing);
    std::vector<int64_t> next;
    next.reserve(result.size() * size_t(first.size(d)));
    for (int64_t base : result)
      for (int64_t i = 0; i != first.size(d); ++i)
        next.push_back(base + i * stride);
    result = std::move(next);
  }
  return result;
}

/// The same in a dense tensor of its sizes.
static std::vector<int64_t> densePlaces(const TensorView &first,
                                        const ReducedDims &dims, bool inside) {
  std::vector<int64_t> sizes;
  for (size_t d = 0; d != first.rank(); ++d)
    sizes.push_back(first.size(d));
  TensorType dense = TensorType::contiguous(DType::F64, sizes);
  return places(first, TensorView(nullptr, dense), dims, inside);
}

static void readRow(const TensorView &view, int64_t base,
                    const std::vector<int64_t> &inner, Row *row) {
  size_t length = inner.size();
  row->maxError = row->meanError = 0;
  for (size_t i = 0; i != length; ++i) {
    row->x[i] = view.value(base + inner[i]);
    row->errors[i] = view.error(base + inner[i]);
    row->maxError = std::max(row->maxError, row->errors[i]);
    row->meanError += row->errors[i] / double(length);
  }
}

void boo::forEachRow(
    std::span<const TensorView> operands, const ReducedDims &dims,
    Workers workers,
    const std::function<void(int64_t, const std::vector<Row> &)> &body) {
  std::vector<std::vector<int64_t>> outer, inner;
  for (const TensorView &operand : operands) {
    outer.push_back(places(operands[0], operand, dims, false));
    inner.push_back(places(operands[0], operand, dims, true));
  }
  std::vector<int64_t> denseOuter = densePlaces(operands[0], dims, false);
  std::vector<int64_t> denseInner = densePlaces(operands[0], dims, true);
  size_t length = denseInner.size();
  int64_t piece = std::max<int64_t>(1, (1 << 14) / int64_t(length + 1));
  parallelFor(int64_t(denseOuter.size()), piece, workers,
              [&](int64_t begin, int64_t end) {
                Row empty;
                empty.x.resize(length);
                empty.errors.resize(length);
                std::vector<Row> rows(operands.size(), empty);
                rows[0].at.resize(length);
                for (int64_t r = begin; r != end; ++r) {
                  for (size_t i = 0; i != operands.size(); ++i)
                    readRow(operands[i], outer[i][size_t(r)], inner[i],
                            &rows[i]);
                  for (size_t i = 0; i != length; ++i)
                    rows[0].at[i] = denseOuter[size_t(r)] + denseInner[i];
                  body(r, rows);
                }
              });
}

void boo::forEachRow(const TensorView &x, const ReducedDims &dims,
                     Workers workers,
                     const std::function<void(int64_t, const Row &)> &body) {
  forEachRow(std::span(&x, 1), dims, workers,
             [&](int64_t number, const std::vector<Row> &rows) {
               body(number, rows[0]);
             });
}
