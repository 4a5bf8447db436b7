//===- RandomPad.h - Borders from a seed ------------------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::testing {

/// A verified Graph: a tensor of one to five dimensions in any layout and
/// dtype, padded and cut. The same seed gives the same Graph on any machine.
Graph randomPad(uint64_t seed);

} // namespace boo::testing
