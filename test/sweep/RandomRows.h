//===- RandomRows.h - Norms, softmaxes, reductions from a seed --*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::testing {

/// A verified group: a norm without statistics, a softmax or a reduction of
/// any layout, row length and dtype, and up to two pointwise nodes after it; or
/// an argreduce; the gradient of a norm (any of its results) or of a softmax;
/// or a batch norm over any of the dimensions, or its gradient. The same seed
/// gives the same group on any machine.
Graph randomRows(uint64_t seed);

/// 37 contiguous rows: a norm; a softmax, or its logarithm for the length 40; a
/// maximum, or a sum for the length 7 and a norm for 40; the index of the
/// greatest element, or of the smallest for the length 7; the gradients of norm
/// (all three) and softmax.
Graph plainRows(Op op, DType dtype, int64_t length);

/// A batch norm with all of its results, or its gradient, of 37 channels.
Graph plainBatchNorm(Op op, DType dtype, bool channelsLast);

} // namespace boo::testing
