//===- RandomConv.h - Convolution groups from a seed ------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::testing {

/// A verified group: a convolution of any rank, layout, grouping and dtype with
/// up to three pointwise nodes after it, or one of its gradients, that of an
/// input with up to two where it takes them. Small: at most some 10^7 products.
/// The same seed gives the same group on any machine.
Graph randomConv(uint64_t seed);

/// A depthwise convolution and a 1x1 one behind it, each with a tail: one
/// group.
Graph randomSeparable(uint64_t seed);

/// A verified group that Winograd serves: 3x3 with stride 1, in 3-D any depth
/// of filter, stride and dilation there, or the gradient of the input of one
/// with stride 1 everywhere; odd sizes, groups, paddings that
/// differ from side to side; and a tuning entry that asks for it.
Graph randomWinograd(uint64_t seed);
std::string randomWinogradSchedule(uint64_t seed);

} // namespace boo::testing
