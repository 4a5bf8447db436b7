//===- PoolNest.h - Poolings as strategy and emitter see them ---*- C++ -*-===//
#pragma once

#include "boo/compiler/strategy/Schedule.h"
#include "boo/ops/pool/PoolProblem.h"

namespace boo::compiler {

/// A pooling, or a gradient, works through the rows of images that it writes:
/// of one channel, with lanes along the row, or of a block of channels. What
/// it makes of the rows that it reads rests in a scratch row, whose positions
/// are those of the taps: from the padding before an input's row to behind it.
struct PoolNest {
  explicit PoolNest(const Graph &group);

  PoolProblem P;
  bool gradient;
  bool hasIndices; ///< as a result, or of a gradient as an operand
  PoolProblem::Strides in, out, indices;

  /// Rows of an image that is written, and their length.
  const std::array<int64_t, 3> &written() const {
    return gradient ? P.in : P.out;
  }
  int64_t lanes(int64_t vectorBits) const;
  /// Channels of a scratch row.
  int64_t blockChannels(const Schedule &schedule) const;
  int64_t channelBlocks(const Schedule &schedule) const;
  /// Rows, or blocks of channels of rows.
  int64_t units(const Schedule &schedule) const;
  /// Positions of a scratch row that hold a value, or are read as padding.
  int64_t positions() const;
  /// Elements of a scratch row, with those that vectors reach beyond it.
  int64_t rowElements(const Schedule &schedule) const;
  int64_t scratchBytes(const Schedule &schedule) const;
  /// Columns of an input's row that some window holds.
  int64_t columns() const;
};

} // namespace boo::compiler
