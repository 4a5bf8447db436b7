//===- Rows.h - The dimensions that a row is made of ------------*- C++ -*-===//
//
// Norms, softmaxes and reductions work on rows: the elements along some
// dimensions of their operand. This is the form that their references see.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// Which dimensions of the operand make up a row.
class ReducedDims {
public:
  explicit ReducedDims(std::vector<bool> inside) : Inside(std::move(inside)) {}
  bool contains(size_t dim) const { return Inside[dim]; }
  /// Those that are not among these: along them the rows are counted.
  ReducedDims others() const;

private:
  std::vector<bool> Inside; ///< of each dimension
};

/// Of a Norm, BatchNorm, Softmax, Reduce or ArgReduce node of a verified Graph,
/// or of the gradient of one.
ReducedDims reducedDims(const Graph &graph, const Node &node);

/// Elements of rows that are longer than this may be summed in chunks whose
/// statistics are joined; shorter rows never are.
inline constexpr int64_t leastRowChunk = 4096;

/// A row's elements, and how they are off.
struct Row {
  std::vector<double> x, errors;
  double maxError = 0, meanError = 0;
  std::vector<int64_t>
      at; ///< index of each in a dense tensor of the same sizes
};

/// Calls `body(number, row)` for every row of `x`, from several threads. Rows
/// are numbered in row-major order of the other dimensions.
void forEachRow(const TensorView &x, const ReducedDims &dims, Workers workers,
                const std::function<void(int64_t, const Row &)> &body);

/// The same of several operands at once. The first one's sizes count; the
/// others are aligned with its last dimensions, and repeat along those that
/// they lack or have in size 1.
void forEachRow(
    std::span<const TensorView> operands, const ReducedDims &dims,
    Workers workers,
    const std::function<void(int64_t, const std::vector<Row> &)> &body);

} // namespace boo
