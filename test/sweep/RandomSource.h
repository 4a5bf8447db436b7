//===- RandomSource.h - What groups from a seed are drawn with --*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

#include <random>

namespace boo::testing {

/// Uniform in [low, high], the same everywhere (std's distributions are not).
inline int64_t pick(std::mt19937_64 &random, int64_t low, int64_t high) {
  return low + int64_t(random() % uint64_t(high - low + 1));
}

class RandomSource {
protected:
  explicit RandomSource(uint64_t seed) : Random(seed) {}

  int64_t of(int64_t low, int64_t high) { return pick(Random, low, high); }
  bool one(int64_t in) { return of(1, in) == 1; }
  /// Any float type; f32 twice as often as others.
  DType anyFloat() {
    static constexpr DType dtypes[] = {DType::F32, DType::F32, DType::BF16,
                                       DType::F16, DType::F64};
    return dtypes[of(0, 4)];
  }

  std::mt19937_64 Random;
  DType Type = DType::F32; ///< of the group's operands
};

} // namespace boo::testing
