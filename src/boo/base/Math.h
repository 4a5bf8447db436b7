//===- Math.h - Integer arithmetic ------------------------------*- C++ -*-===//
#pragma once

#include <cstdint>

namespace boo {

/// a / b, rounded up, for a >= 0 and b > 0.
constexpr int64_t ceilDiv(int64_t a, int64_t b) { return a / b + (a % b != 0); }

} // namespace boo
