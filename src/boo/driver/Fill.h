//===- Fill.h - Values of the operands --------------------------*- C++ -*-===//
//
// An element's value depends on seed, operand and logical index alone: the same
// on any machine, for any layout and thread count.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

#include <cstdint>

namespace boo {

enum class FillKind {
  Random,   ///< uniform in [-1, 1); whole numbers in [-8, 8] for integer types
  Integers, ///< whole numbers in [-magnitude, magnitude]
  Splat,    ///< `splat` everywhere
  Block,    ///< zero but for a box of ones, at most a quarter and 128 elements
};

struct FillSpec {
  FillKind kind = FillKind::Random;
  uint64_t seed = 0;
  uint64_t operand = 0; ///< index among the arguments
  int64_t magnitude = 1;
  double splat = 0;
};

/// Writes all elements of a static tensor through its strides; what lies
/// between them stays as it is.
void fillTensor(const TensorType &type, void *data, const FillSpec &spec);

/// 64 well mixed bits for a counter (splitmix64's finaliser).
uint64_t mixBits(uint64_t counter);

} // namespace boo
