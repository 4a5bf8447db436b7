//===- MatmulProblem.h - A matrix product, read off its node ----*- C++ -*-===//
//
// The numbers of one matmul node, with the operands' batch dimensions aligned
// with the result's, so that reference, strategy and emitter see one form.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// out[batch…][m][n] = sum over k of a[batch…][m][k] * b[batch…][k][n].
/// Strides are in elements, 0 in the dimensions in which an operand is
/// broadcast or has size 1.
struct MatmulProblem {
  DType dtype = DType::F32; ///< of a, b and out
  DType accType = DType::F32;
  std::vector<int64_t> batch; ///< the result's sizes before m and n
  int64_t m = 1, n = 1, k = 1;

  struct Strides {
    std::vector<int64_t> batch;
    int64_t row = 0, column = 0;
  };
  Strides a, b, out;

  int64_t batchCount() const;
  /// 2 * batches * m * n * k.
  double flops() const;
};

/// Strides of `type` in the dimensions of a tensor of `rank`, aligned at the
/// last one; 0 where it has size 1 or no dimension.
MatmulProblem::Strides matmulStrides(const TensorType &type, size_t rank);

/// The problem of a Matmul node of a verified, static Graph. `outType` tells
/// the layout that is written: that of the group's output when a tail follows.
MatmulProblem matmulProblem(const Graph &graph, const Node &node,
                            const TensorType &outType);

} // namespace boo
