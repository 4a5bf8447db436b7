//===- RandomPool.h - Poolings from a seed ----------------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::testing {

/// A verified Graph: a pooling of one to three dimensions in any layout and
/// dtype; the gradient of one, of a maximum with indices that mean nothing; or
/// a maximum and its gradient. The same seed gives the same Graph on any
/// machine.
Graph randomPool(uint64_t seed);

} // namespace boo::testing
