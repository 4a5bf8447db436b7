//===- RowNest.h - Norms, softmaxes, reductions as rows ---------*- C++ -*-===//
//
// What emitter and strategy see of such a group: rows, and the elements of a
// row, each as loops that all operands cross in strides of their own. No MLIR
// here.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Target.h"
#include "boo/compiler/strategy/Schedule.h"
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
  /// Of a row; at least one. In the order of the dimensions where an element's
  /// number counts.
  std::vector<RowAxis> inner;
  DType compute = DType::F32; ///< f32 or f64

  int64_t rowCount() const;
  int64_t length() const; ///< elements of a row
  /// Steps of a row's first axis in each part that it is cut into, the last
  /// one apart, and how many parts that makes: `k_parts`, or fewer.
  int64_t partLength(const Schedule &schedule) const;
  int64_t parts(const Schedule &schedule) const;
  /// Elements of a vector of `vectorBits`.
  int64_t lanes(int64_t vectorBits) const;
};

/// One value a row, and one pass.
inline bool isReduction(Op op) {
  return op == Op::Reduce || op == Op::ArgReduce;
}

/// Of a static group whose anchor is a norm, a softmax or a reduction.
RowNest makeRowNest(const Graph &group);

} // namespace boo::compiler
