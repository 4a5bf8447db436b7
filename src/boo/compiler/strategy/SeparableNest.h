//===- SeparableNest.h - Depthwise, then 1x1, as two nests ------*- C++ -*-===//
#pragma once

#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Schedule.h"

namespace boo::compiler {

/// Whether the group holds a second convolution: a 1x1 one behind a depthwise
/// one and its tail.
bool isSeparable(const Graph &group);

/// The two nests of such a group. The depthwise one's rows of output are the
/// 1x1 one's rows of input: [pixel][channel] in scratch, never in memory.
struct SeparableNests {
  ConvNest depthwise; ///< its dimensions are not merged
  /// A row of this one is `rows` rows of the depthwise one.
  ConvNest pointwise;
  int64_t rows = 1;
};

/// `rows` must be 1 or a number that joinedRows() gives.
SeparableNests makeSeparableNests(const Graph &group, int64_t rows);

/// How many of the depthwise convolution's rows may be one row of the 1x1
/// one, ascending from 1: what divides the rows of an image, if the output and
/// the tail's operands lie so that rows follow each other without a gap.
std::vector<int64_t> joinedRows(const Graph &group);

/// What the Schedule of such a group says of the depthwise convolution.
Schedule depthwiseSchedule(const Schedule &schedule);
/// The reverse: writes `own` into the fields of `schedule` that say it.
void setDepthwiseSchedule(Schedule &schedule, const Schedule &own);

} // namespace boo::compiler
