//===- ConvNest.h - A convolution group as a loop nest ----------*- C++ -*-===//
//
// What strategy and emitter of convolutions share: the group's problem with
// dimensions merged where memory allows, and its tail operands' strides.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"
#include "boo/ops/conv/ConvProblem.h"

#include <string>
#include <vector>

namespace boo::compiler {

/// An operand of the pointwise tail, addressed by output coordinates.
struct TailOperand {
  ValueId value = kNoValue; ///< argument of the group's Graph
  DType dtype = DType::F32;
  int64_t batch = 0, channel = 0; ///< strides, 0 where it broadcasts
  std::array<int64_t, 3> spatial{0, 0, 0};
};

struct ConvNest {
  ConvProblem problem;
  DType outType = DType::F32; ///< of the group's output, after the tail
  std::vector<TailOperand> tail;
  ValueId input = kNoValue, filter = kNoValue;
  bool depthwise = false; ///< one channel a group, in and out

  DType computeType() const { return problem.accType; }
  /// Output and reduction channels of one register tile's loop.
  int64_t nExtent() const {
    return depthwise ? problem.outChannels : problem.outPerGroup();
  }
  int64_t kChannels() const { return depthwise ? 1 : problem.inPerGroup(); }
  int64_t groupLoops() const { return depthwise ? 1 : problem.groups; }

  /// Why register tiles cannot read the input where it lies; "" when they can.
  /// `pairs`: products of bf16 pairs, else of the type that is computed in.
  std::string needsScratch(bool pairs) const;
};

/// The nest of a group whose first node is a convolution. Spatial dimensions
/// (and the batch) that a 1x1 filter with stride 1 walks through contiguously
/// in input, output and every tail operand become one, the width.
ConvNest makeConvNest(const Graph &group);

} // namespace boo::compiler
