//===- WeightGradNest.h - A filter's gradient as a loop nest ----*- C++ -*-===//
//
// What strategy and emitter of filter gradients share. For each tap a product
// of two matrices is wanted: the channels of one operand stand in the rows of a
// register tile, those of the other in its lanes, and the sum runs over the
// output's pixels and the batch.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/strategy/Schedule.h"
#include "boo/ops/conv/ConvProblem.h"

#include <string>

namespace boo::compiler {

struct WeightGradNest {
  /// Input or output gradient.
  struct Side {
    ValueId value = kNoValue;
    bool isInput = false;
    int64_t channels = 1; ///< of one group; depthwise: all of them
    ConvProblem::Strides strides;
    std::array<int64_t, 3> size{1, 1, 1};
    /// Strides of the filter's gradient along these channels.
    int64_t filterStride = 0;
  };

  /// Spatial dimensions and batch that a 1x1 filter walks through without a gap
  /// are one, the width.
  ConvProblem problem;
  bool depthwise = false; ///< one channel a group, in and out
  Side input, outGrad;

  /// The operand whose channels are rows (depthwise: the one row), and lanes.
  const Side &rows(bool lanesOverInput) const {
    return lanesOverInput ? outGrad : input;
  }
  const Side &lanes(bool lanesOverInput) const {
    return lanesOverInput ? input : outGrad;
  }
  int64_t rowCount(bool lanesOverInput) const {
    return depthwise ? 1 : rows(lanesOverInput).channels;
  }
  int64_t groupLoops() const { return depthwise ? 1 : problem.groups; }
  int64_t taps() const {
    return problem.filter[0] * problem.filter[1] * problem.filter[2];
  }
  /// Whether all taps of spatial dimension `dim` meet the input everywhere.
  bool isInside(size_t dim) const;
  /// Elements of batch and space that a side has.
  int64_t pixels(const Side &side) const {
    return problem.batch * side.size[0] * side.size[1] * side.size[2];
  }

  /// Why lanes cannot be read where they lie, by vectors of `vectorLanes`, and
  /// rows; "" when they can.
  std::string lanesNeedPack(const Side &side, int64_t vectorLanes) const;
  std::string rowsNeedPack(const Side &side) const;

  /// The pieces that batch, depth, height and width of the sum are cut into to
  /// make about `parts` parts: the extent of a piece in each.
  std::array<int64_t, 4> pieces(int64_t parts) const;
  int64_t countParts(const std::array<int64_t, 4> &pieces) const;
  /// Batch, depth, height and width of the sum.
  std::array<int64_t, 4> extents() const {
    return {problem.batch, problem.out[0], problem.out[1], problem.out[2]};
  }
};

/// The nest of a group that is a ConvGradWeight node.
WeightGradNest makeWeightGradNest(const Graph &group);

} // namespace boo::compiler
