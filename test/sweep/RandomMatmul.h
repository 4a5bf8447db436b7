//===- RandomMatmul.h - Groups of matrix products from a seed ---*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::testing {

/// A verified group: a matrix product of any layout, batch, broadcast and
/// dtype, often with few rows, columns or terms, and up to three pointwise
/// nodes after it. Small: at most some 10^7 products. The same seed gives the
/// same group on any machine.
Graph randomMatmul(uint64_t seed);

} // namespace boo::testing
