//===- RowNest.h - Norms, softmaxes, reductions as rows ---------*- C++ -*-===//
//
// The gradients of norms and softmaxes are among them. What emitter and
// strategy see of such a group: rows, and the elements of a row, each as loops
// that all operands cross in strides of their own. No MLIR here.
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

/// Of a static group whose anchor is a norm of any kind, a softmax, the
/// gradient of one, or a reduction.
RowNest makeRowNest(const Graph &group);

/// Whether a row is looked at again once its statistics are known: a few rows
/// may go through their passes together then.
bool passesAgain(Op op);

/// Whether elements of a row may rest in scratch between its passes: gradients
/// read their operands again, and reductions have one pass.
bool restsInScratch(Op op);

/// Whether the anchor gives sums over rows for each column: a norm's gradient
/// with those of weight or bias.
bool sumsColumns(const Graph &group);
/// Whether a batch norm, or its gradient, works on rows that lie side by side
/// as on columns: statistics of parts first, then what they give each element.
bool worksOnColumns(const Graph &group, const Schedule &schedule);
/// The nest of what goes column by column: `inner` are the columns, `rows` what
/// is summed for each.
RowNest makeColumnNest(const Graph &group);

/// What a batch norm's running statistics are made of: old and new mean (or
/// variance, which counts n / (n - 1) times) times these.
struct RunningFactors {
  double stays, mean, variance;
};
RunningFactors runningFactors(const Node &batchNorm, int64_t length);

/// The most vectors of columns that are summed at once, and the most parts that
/// a sum is cut into: they lie side by side in the workspace.
inline constexpr int64_t mostColumnVectors = 8, mostColumnParts = 4096;

} // namespace boo::compiler
