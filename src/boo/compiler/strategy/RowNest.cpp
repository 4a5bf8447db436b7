//===- RowNest.cpp - Norms, softmaxes, reductions as rows -----------------===//

#include "boo/compiler/strategy/RowNest.h"
#include "boo/base/Math.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Rows.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

static int64_t product(const std::vector<RowAxis> &axes) {
  int64_t count = 1;
  for (const RowAxis &axis : axes)
    count *= axis.size;
  return count;
}
int64_t RowNest::rowCount() const { return product(rows); }
int64_t RowNest::length() const { return product(inner); }
int64_t RowNest::partLength(const Schedule &schedule) const {
  // Where the lanes lie along the row a part is whole rounds of vectors.
  int64_t whole = schedule.dot && inner.size() == 1
                      ? schedule.kUnroll * lanes(schedule.vectorBits)
                      : 1;
  int64_t rounds = ceilDiv(inner.front().size, whole);
  return ceilDiv(rounds, std::min(schedule.kParts, rounds)) * whole;
}
int64_t RowNest::parts(const Schedule &schedule) const {
  return ceilDiv(inner.front().size, partLength(schedule));
}
int64_t RowNest::lanes(int64_t vectorBits) const {
  return std::max<int64_t>(1, vectorBits / (8 * dtypeBytes(compute)));
}

/// Stride of `type` along dimension `dim` of the anchor's input, when it is
/// aligned at the end of a tensor of `rank` dimensions whose first ones are
/// those of the input.
static int64_t strideAlong(const TensorType &type, size_t dim, size_t rank) {
  size_t missing = rank - type.rank();
  if (dim < missing || dim >= rank || type.sizes[dim - missing] == Dim(1))
    return 0;
  return type.strides[dim - missing];
}

/// By falling stride of the input; what it repeats along comes first.
static void sortByStride(std::vector<RowAxis> &axes, size_t input) {
  auto key = [&](const RowAxis &axis) {
    return axis.strides[input] ? axis.strides[input] : INT64_MAX;
  };
  std::stable_sort(
      axes.begin(), axes.end(),
      [&](const RowAxis &a, const RowAxis &b) { return key(a) > key(b); });
}

static std::vector<RowAxis> merged(const std::vector<RowAxis> &axes) {
  std::vector<RowAxis> merged;
  for (RowAxis axis : axes) {
    bool one = !merged.empty();
    for (size_t i = 0; one && i != axis.strides.size(); ++i)
      one = merged.back().strides[i] == axis.strides[i] * axis.size;
    if (one) {
      axis.size *= merged.back().size;
      merged.pop_back();
    }
    merged.push_back(std::move(axis));
  }
  return merged;
}

RowNest boo::compiler::makeRowNest(const Graph &group) {
  const Node &anchor = group.nodes().front();
  const TensorType &x = group.value(anchor.operands[0]).type;
  ReducedDims reduced = reducedDims(group, anchor);
  size_t resultRank = group.value(anchor.results[0]).type.rank();

  RowNest nest;
  nest.compute = x.dtype == DType::F64 ? DType::F64 : DType::F32;
  std::vector<size_t> ranks;
  for (ValueId id : group.arguments()) {
    // The anchor's own operands are aligned with its input.
    bool own = std::find(anchor.operands.begin(), anchor.operands.end(), id) !=
               anchor.operands.end();
    if (id == anchor.operands[0])
      nest.input = nest.operands.size();
    nest.operands.push_back(group.value(id).type);
    ranks.push_back(own ? x.rank() : resultRank);
  }
  for (const Output &output : group.outputs()) {
    nest.operands.push_back(group.value(output.value).type);
    // A reduction's result may lack the dimensions that it was reduced over.
    bool reduces = anchor.op == Op::Reduce || anchor.op == Op::ArgReduce;
    ranks.push_back(reduces ? resultRank : x.rank());
  }
  for (size_t dim = 0; dim != x.rank(); ++dim) {
    if (x.sizes[dim].size() == 1)
      continue;
    RowAxis axis{x.sizes[dim].size(), {}};
    for (size_t i = 0; i != nest.operands.size(); ++i)
      axis.strides.push_back(strideAlong(nest.operands[i], dim, ranks[i]));
    (reduced.contains(dim) ? nest.inner : nest.rows).push_back(std::move(axis));
  }
  sortByStride(nest.rows, nest.input);
  if (anchor.op != Op::ArgReduce)
    sortByStride(nest.inner, nest.input);
  nest.rows = merged(nest.rows);
  nest.inner = merged(nest.inner);
  if (nest.inner.empty())
    nest.inner.push_back({1, std::vector<int64_t>(nest.operands.size(), 0)});
  return nest;
}

bool boo::compiler::passesAgain(Op op) {
  return op != Op::Reduce && op != Op::ArgReduce;
}

bool boo::compiler::restsInScratch(Op op) {
  return op == Op::Norm || op == Op::BatchNorm || op == Op::Softmax;
}

static bool isBatchNorm(Op op) {
  return op == Op::BatchNorm || op == Op::BatchNormGrad;
}

bool boo::compiler::sumsColumns(const Graph &group) {
  const Node &anchor = group.nodes().front();
  return anchor.op == Op::NormGrad && (attribute<bool>(anchor, "dweight") ||
                                       attribute<bool>(anchor, "dbias"));
}

bool boo::compiler::worksOnColumns(const Graph &group,
                                   const Schedule &schedule) {
  if (!isBatchNorm(group.nodes().front().op) || schedule.dot)
    return false;
  RowNest nest = makeRowNest(group);
  return nest.rows.back().strides[nest.input] == 1;
}

RowNest boo::compiler::makeColumnNest(const Graph &group) {
  RowNest nest = makeRowNest(group);
  if (isBatchNorm(group.nodes().front().op))
    std::swap(nest.rows, nest.inner);
  return nest;
}

RunningFactors boo::compiler::runningFactors(const Node &batchNorm,
                                             int64_t length) {
  double momentum = attribute<double>(batchNorm, "momentum");
  double unbiased = length > 1 ? double(length) / double(length - 1) : 1;
  return {1 - momentum, momentum, momentum * unbiased};
}
