//===- WeightGradNest.h - A filter's gradient as a loop nest ----*- C++ -*-===//
//
// What strategy and emitter of filter gradients share. For each tap a product
// of two matrices is wanted: the channels of one operand stand in the rows of a
// register tile, those of the other in its lanes, and the sum runs over the
// output's pixels and the batch. With one channel a group lanes run over the
// groups, and the rows of a tile are the taps of a row, or there is one. Few
// channels of the input fill neither: those of all taps of a row, which lie
// side by side in a copy of it, are taken for channels then.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/strategy/Schedule.h"
#include "boo/ops/conv/ConvProblem.h"

#include <optional>
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
    /// Stride of the filter's gradient along these channels; along the taps
    /// that are a depthwise tile's rows.
    int64_t filterStride = 0;
  };

  /// Spatial dimensions and batch that a 1x1 filter walks through without a gap
  /// are one, the width.
  ConvProblem problem;
  bool depthwise = false; ///< one channel a group, in and out
  /// Channels of the input are those of all taps of a row: from one pixel of
  /// the output to the next they overlap, in a copy with the padding's zeros.
  bool mergesTaps = false;
  Side input, outGrad;

  /// The operand whose channels are rows (depthwise: the one row), and lanes.
  const Side &rows(bool lanesOverInput) const {
    return lanesOverInput ? outGrad : input;
  }
  const Side &lanes(bool lanesOverInput) const {
    return lanesOverInput ? input : outGrad;
  }
  int64_t rowCount(const Schedule &schedule) const {
    return depthwise ? rowTaps(schedule)
                     : rows(schedule.lanesOverInput).channels;
  }
  /// Taps that are rows of a tile: those of a row, or one.
  int64_t rowTaps(const Schedule &schedule) const {
    return depthwise && schedule.mTile > 1 ? problem.filter[2] : 1;
  }
  int64_t groupLoops() const { return depthwise ? 1 : problem.groups; }
  /// Taps in each dimension that tiles of their own compute.
  std::array<int64_t, 3> tapLoops(const Schedule &schedule) const {
    const std::array<int64_t, 3> &f = problem.filter;
    return {f[0], f[1], mergesTaps ? 1 : f[2] / rowTaps(schedule)};
  }
  int64_t taps(const Schedule &schedule) const {
    std::array<int64_t, 3> loops = tapLoops(schedule);
    return loops[0] * loops[1] * loops[2];
  }
  /// Whether all taps of spatial dimension `dim` meet the input everywhere.
  bool isInside(size_t dim) const;
  /// Elements of batch and space that a side has.
  int64_t pixels(const Side &side) const {
    return problem.batch * side.size[0] * side.size[1] * side.size[2];
  }

  /// Why lanes cannot be read where they lie, by vectors of `vectorLanes`, and
  /// rows; "" when they can. `pairs`: products of bf16 pairs of pixels.
  std::string lanesNeedPack(const Side &side, int64_t vectorLanes,
                            bool pairs) const;
  std::string rowsNeedPack(const Side &side, bool pairs) const;

  /// The pieces that batch, depth, height and width of the sum are cut into to
  /// make about `parts` parts: the extent of a piece in each. Rows stay whole
  /// where tiles hold a row's taps.
  std::array<int64_t, 4> pieces(const Schedule &schedule, int64_t parts) const;
  int64_t countPieces(const Schedule &schedule,
                      const std::array<int64_t, 4> &pieces) const;
  /// How a Schedule cuts the sum: into pieces of at most `extent` pixels, of
  /// which a grid tile adds up `perPart`, one behind the other.
  struct Cut {
    std::array<int64_t, 4> extent;
    int64_t pieces, perPart;
    int64_t parts() const { return (pieces + perPart - 1) / perPart; }
    int64_t pixels() const {
      return extent[0] * extent[1] * extent[2] * extent[3];
    }
  };
  Cut cut(const Schedule &schedule) const;
  /// Pixels of a row that every piece has, under every tap; 0 if they differ.
  int64_t pixelsOfRow(const Schedule &schedule) const;
  /// Merged taps: the places of batch, depth, height and width of the input
  /// that a piece of such extents meets.
  std::array<int64_t, 4> window(const std::array<int64_t, 4> &extent) const;
  double windowElements(const std::array<int64_t, 4> &extent) const;
  /// Why tiles cannot copy what they read to scratch; "" when they can.
  std::string refusesScratch(const Schedule &schedule) const;
  /// Batch, depth, height and width of the sum, in pairs where it is of these.
  std::array<int64_t, 4> extents(const Schedule &schedule) const;
};

/// The nest of a group that is a ConvGradWeight node.
WeightGradNest makeWeightGradNest(const Graph &group);

/// The same nest with the taps of a row as channels, if those lie side by side
/// in the filter's gradient too and are so few that they gain by it.
std::optional<WeightGradNest> withMergedTaps(const WeightGradNest &nest);

/// The nest that a Schedule is for: taps merge wherever tiles copy.
WeightGradNest makeWeightGradNest(const Graph &group, const Schedule &schedule);

} // namespace boo::compiler
