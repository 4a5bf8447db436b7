//===- RowNest.h - Norms, softmaxes, reductions as rows ---------*- C++ -*-===//
//
// What emitter and strategy see of such a group: rows, and the elements of a
// row, each as loops that all operands cross in strides of their own. No MLIR
// here.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Target.h"
#include "boo/graph/Graph.h"

namespace boo::compiler {

/// A loop, and how far a step of it moves in each operand (0: it repeats).
struct RowAxis {
  int64_t size;
  std::vector<int64_t> strides;
};

struct RowNest {
  /// The group's arguments, then its outputs.
  std::vector<TensorType> operands;
  size_t input = 0; ///< the anchor's, among them
  /// Outermost first, by falling stride of the input; dimensions of size 1 are
  /// left out, those that all operands cross in one stride are one axis.
  std::vector<RowAxis> rows;
  std::vector<RowAxis> inner; ///< of a row; at least one
  DType compute = DType::F32; ///< f32 or f64

  int64_t rowCount() const;
  int64_t length() const; ///< elements of a row
  /// Elements of a vector of `vectorBits`.
  int64_t lanes(int64_t vectorBits) const;
};

/// Of a static group whose anchor is a norm, a softmax or a reduction.
RowNest makeRowNest(const Graph &group);

} // namespace boo::compiler
