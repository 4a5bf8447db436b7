//===- MatmulNest.cpp - A matrix product as a loop nest -------------------===//

#include "boo/compiler/strategy/MatmulNest.h"
#include "boo/ops/matmul/MatmulProblem.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

namespace {

/// One batch dimension: its size, and its stride in each operand.
struct BatchDim {
  int64_t size;
  std::vector<int64_t> strides;
};

/// The product with its operands in one list: A, B, output, tail.
struct Product {
  int64_t m, n;
  std::vector<int64_t> row, column; ///< strides of each operand
  std::vector<BatchDim> batch;      ///< outermost first

  static constexpr size_t A = 0, B = 1;
  bool isPixel(const BatchDim &dim) const { return dim.strides[B] == 0; }
};

} // namespace

static void dropAndJoinDims(Product &p) {
  std::erase_if(p.batch, [](const BatchDim &dim) { return dim.size == 1; });
  for (size_t i = p.batch.size(); i-- > 1;) {
    BatchDim &outer = p.batch[i - 1], &inner = p.batch[i];
    bool joins = true;
    for (size_t j = 0; j != inner.strides.size(); ++j)
      joins &= outer.strides[j] == inner.strides[j] * inner.size;
    if (!joins)
      continue;
    outer = {outer.size * inner.size, inner.strides};
    p.batch.erase(p.batch.begin() + int64_t(i));
  }
}

/// Takes batch dimensions into the rows (of all `without` B, whose rows are k)
/// or the columns (without A) where memory goes through both without a gap.
static void foldInto(Product &p, int64_t &size, std::vector<int64_t> &strides,
                     size_t without) {
  for (size_t i = p.batch.size(); i-- > 0;) {
    const BatchDim &dim = p.batch[i];
    bool folds = dim.strides[without] == 0;
    for (size_t j = 0; j != strides.size(); ++j)
      folds &= j == without || size == 1 || dim.strides[j] == strides[j] * size;
    if (!folds)
      continue;
    for (size_t j = 0; size == 1 && j != strides.size(); ++j)
      if (j != without)
        strides[j] = dim.strides[j];
    size *= dim.size;
    p.batch.erase(p.batch.begin() + int64_t(i));
  }
}

/// Few columns leave most lanes empty; and a column-major output's memory runs
/// along the rows.
static bool exchangeIsBetter(const Product &p) {
  constexpr int64_t Few = 4;
  if (std::min(p.m, p.n) <= Few)
    return p.n < p.m;
  constexpr size_t Out = 2;
  return p.row[Out] == 1 && p.column[Out] != 1;
}

static void exchange(Product &p) {
  std::swap(p.m, p.n);
  std::swap(p.row, p.column);
  for (std::vector<int64_t> *strides : {&p.row, &p.column})
    std::swap((*strides)[Product::A], (*strides)[Product::B]);
  for (BatchDim &dim : p.batch)
    std::swap(dim.strides[Product::A], dim.strides[Product::B]);
}

/// Strides of operand `i` but for rows and columns, which mean something else
/// in each.
static ConvProblem::Strides batchStrides(const Product &p, size_t i,
                                         const std::vector<BatchDim> &pixels,
                                         const std::vector<BatchDim> &groups) {
  ConvProblem::Strides s;
  if (pixels.size() > 0)
    s.spatial[1] = pixels.end()[-1].strides[i];
  if (pixels.size() > 1)
    s.spatial[0] = pixels.end()[-2].strides[i];
  if (pixels.size() > 2)
    s.outer = pixels.end()[-3].strides[i];
  if (!groups.empty())
    s.group.clear();
  for (const BatchDim &dim : groups)
    s.group.push_back(dim.strides[i]);
  s.spatial[2] = p.row[i];
  s.channel = p.column[i];
  return s;
}

static Product readProduct(const MatmulProblem &from, const Graph &group,
                           const std::vector<ValueId> &tail) {
  size_t rank = from.batch.size() + 2;
  std::vector<MatmulProblem::Strides> all{from.a, from.b, from.out};
  for (ValueId id : tail)
    all.push_back(matmulStrides(group.value(id).type, rank));
  Product p{from.m, from.n, {}, {}, {}};
  for (const MatmulProblem::Strides &strides : all) {
    p.row.push_back(strides.row);
    p.column.push_back(strides.column);
  }
  for (size_t i = 0; i != from.batch.size(); ++i) {
    BatchDim dim{from.batch[i], {}};
    for (const MatmulProblem::Strides &strides : all)
      dim.strides.push_back(strides.batch[i]);
    p.batch.push_back(std::move(dim));
  }
  return p;
}

ConvNest boo::compiler::matmulNest(const Graph &group) {
  const Node &node = group.nodes().front();
  const TensorType &out = group.value(group.outputs().front().value).type;
  MatmulProblem from = matmulProblem(group, node, out);
  ConvNest nest;
  nest.matmul = true;
  nest.words = {"rows", "columns", "A", "B", "pack_b", "matmul"};
  nest.outType = out.dtype;
  nest.sum = node.results[0];
  nest.result = group.outputs().front().value;
  std::vector<ValueId> tail;
  for (size_t i = nest.tailNode; i < group.nodes().size(); ++i)
    for (ValueId operand : group.nodes()[i].operands)
      if (operand != kNoValue && group.value(operand).producer < 0)
        tail.push_back(operand);

  Product p = readProduct(from, group, tail);
  dropAndJoinDims(p);
  foldInto(p, p.m, p.row, Product::B);
  foldInto(p, p.n, p.column, Product::A);
  nest.exchanged = exchangeIsBetter(p);
  if (nest.exchanged) {
    exchange(p);
    nest.words = {"columns", "rows", "B", "A", "pack_a", "matmul"};
  }
  nest.input = node.operands[nest.exchanged ? 1 : 0];
  nest.filter = node.operands[nest.exchanged ? 0 : 1];

  std::vector<BatchDim> pixels, groups;
  for (const BatchDim &dim : p.batch)
    (p.isPixel(dim) ? pixels : groups).push_back(dim);
  // A nest has three dimensions of pixels beside the rows.
  while (pixels.size() > 3) {
    groups.insert(groups.begin(), pixels.front());
    pixels.erase(pixels.begin());
  }
  ConvProblem &c = nest.problem;
  c.dtype = from.dtype;
  c.accType = from.accType;
  if (!groups.empty())
    nest.groupSizes.clear();
  for (const BatchDim &dim : groups) {
    nest.groupSizes.push_back(dim.size);
    c.groups *= dim.size;
  }
  c.inChannels = from.k * c.groups;
  c.outChannels = p.n * c.groups;
  c.in[2] = c.out[2] = p.m;
  for (size_t i = 0; i != pixels.size(); ++i) {
    int64_t size = pixels.end()[-1 - int64_t(i)].size;
    if (i == 2)
      c.batch = size;
    else
      c.in[1 - i] = c.out[1 - i] = size;
  }
  c.inStrides = batchStrides(p, Product::A, pixels, groups);
  c.outStrides = batchStrides(p, 2, pixels, groups);
  c.filterStrides = batchStrides(p, Product::B, pixels, groups);
  c.filterStrides.spatial = {0, 0, 0};
  c.filterStrides.outer = p.column[Product::B];
  c.filterStrides.channel = p.row[Product::B];
  for (size_t i = 0; i != tail.size(); ++i)
    nest.tail.push_back({tail[i], group.value(tail[i]).type.dtype,
                         batchStrides(p, 3 + i, pixels, groups)});
  return nest;
}
