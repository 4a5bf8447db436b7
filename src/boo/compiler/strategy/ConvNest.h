//===- ConvNest.h - An anchor group as an implicit product ------*- C++ -*-===//
//
// What strategy and emitter of contractions share: a group's problem as a loop
// nest over pixels, channels and taps, with dimensions merged where memory
// allows, and its tail operands' strides.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"
#include "boo/ops/conv/ConvProblem.h"

#include <algorithm>
#include <string>
#include <vector>

namespace boo::compiler {

/// An operand of the pointwise tail, addressed by output coordinates.
struct TailOperand {
  ValueId value = kNoValue; ///< argument of the group's Graph
  DType dtype = DType::F32;
  ConvProblem::Strides strides; ///< 0 where it broadcasts
};

/// What a nest's reasons and dispatches call its parts.
struct NestWords {
  const char *pixels = "pixels", *channels = "channels", *input = "input",
             *filter = "filter";
  const char *pack = "pack_filter", *main = "conv"; ///< dispatches
};

/// A sum of products in the form of ConvProblem, with operands that may lie
/// anywhere: every operand has its own base, group strides and (for a flipped
/// filter) negative spatial strides; an output may be every other pixel of a
/// larger tensor; a negative padLo starts inside the input. One nest becomes
/// one pair of dispatches.
struct ConvNest {
  ConvProblem problem;
  DType outType = DType::F32; ///< of the group's output, after the tail
  std::vector<TailOperand> tail;
  ValueId input = kNoValue, filter = kNoValue;
  ValueId sum = kNoValue;    ///< the anchor's result: what the tail starts from
  size_t tailNode = 1;       ///< first node of the tail
  ValueId result = kNoValue; ///< what the tail ends with: the output, mostly
  bool matmul = false;       ///< a matrix product, not a convolution
  bool exchanged = false;    ///< input and filter are a matmul's B and A
  bool depthwise = false;    ///< one channel a group, in and out: its channel
                             ///< strides are those of the groups
  /// The groups as an index of one or more dimensions, outermost first; their
  /// product is problem.groups. Each entry of Strides::group belongs to one.
  std::vector<int64_t> groupSizes{1};
  NestWords words;

  DType computeType() const { return problem.accType; }
  /// Output and reduction channels of one register tile's loop.
  int64_t nExtent() const {
    return depthwise ? problem.outChannels : problem.outPerGroup();
  }
  int64_t kChannels() const { return depthwise ? 1 : problem.inPerGroup(); }
  int64_t groupLoops() const { return depthwise ? 1 : problem.groups; }
  int64_t taps() const {
    return problem.filter[0] * problem.filter[1] * problem.filter[2];
  }
  /// Input rows that an output row reads and the one before it does not, where
  /// rows are kept that several taps of the filter meet.
  int64_t freshRows() const {
    return problem.dilation[1] == 1
               ? std::min(problem.stride[1], problem.filter[1])
               : problem.filter[1];
  }
  /// Times that each channel's filter is used in a group.
  int64_t pixels() const {
    return problem.batch * problem.out[0] * problem.out[1] * problem.out[2];
  }
  /// What is summed, and why lanes do or do not run over the groups: the first
  /// of a Decision's reasons.
  std::vector<std::string> describe() const;
  /// Whether all taps of spatial dimension `dim` meet the input everywhere.
  bool isInside(size_t dim) const;

  /// Why register tiles cannot read the input where it lies; "" when they can.
  /// `pairs`: products of bf16 pairs, else of the type that is computed in.
  std::string needsScratch(bool pairs) const;
  /// The same of the filter, for tiles with lanes over channels or, for `dot`,
  /// over the reduction.
  std::string needsPacking(bool dot) const;
};

/// The nest of a group, by its anchor. Spatial dimensions (and the batch) that
/// a 1x1 filter with stride 1 walks through contiguously in input, output and
/// every tail operand become one, the width.
ConvNest makeConvNest(const Graph &group);

/// The nest of the convolution that is node `index` of a group, with the tail
/// behind it up to `result`, which is written as `type`; before finishNest().
ConvNest nestOfConv(const Graph &group, size_t index, ValueId result,
                    const TensorType &type);

/// Operands of the nodes of a tail from `firstNode` to the one that makes
/// `result`, addressed by the latter, a group of which has `perGroup` channels.
std::vector<TailOperand> tailOperands(const Graph &group, size_t firstNode,
                                      ValueId result, int64_t perGroup);

/// What is addressed by the output's pixels: it, and the tail's operands.
std::vector<ConvProblem::Strides *> outputStrides(ConvNest &nest);

/// The last step of making a nest: chooses depthwise, merges dimensions.
void finishNest(ConvNest &nest);
/// Lanes run over the groups when each has one channel, in and out.
void chooseDepthwise(ConvNest &nest);

/// The nests of a group that is a ConvGradInput node, the one with most work
/// first: a convolution of the output's gradient with the flipped filter, and
/// the group's tail, for each phase of the stride, that is for each class of
/// input pixels that meet the same taps. Phases that look alike are groups of
/// one nest. `gaps` tells whether there are pixels that no tap meets, which no
/// nest writes.
std::vector<ConvNest> makeGradInputNests(const Graph &group, bool *gaps);

} // namespace boo::compiler
