//===- RandomAttention.h - Attentions from a seed ---------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::testing {

/// A verified group: an attention of any layout, grouping, mask and dtype, with
/// four or three dimensions. The same seed gives the same group on any machine.
Graph randomAttention(uint64_t seed);

/// Two heads of 37 queries and 50 keys, with a mask.
Graph plainAttention(DType dtype, bool causal);

} // namespace boo::testing
