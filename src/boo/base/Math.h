//===- Math.h - Integer arithmetic ------------------------------*- C++ -*-===//
#pragma once

#include <cstdint>

namespace boo {

/// a / b, rounded up (towards positive infinity), for b > 0.
constexpr int64_t ceilDiv(int64_t a, int64_t b) { return a / b + (a % b > 0); }

} // namespace boo
