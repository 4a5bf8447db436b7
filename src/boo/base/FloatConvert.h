//===- FloatConvert.h - double to and from 16-bit floats --------*- C++ -*-===//
//
// Straight from double, by round to nearest even: going through f32 would round
// twice. Independent of the CPU's modes, so subnormals are kept.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

namespace boo {

/// Values too large become infinity; a NaN stays one, quiet, with the leading
/// bits of its payload.
uint16_t toFloat16Bits(double value);
uint16_t toBfloat16Bits(double value);

/// Exact.
double fromFloat16Bits(uint16_t bits);
double fromBfloat16Bits(uint16_t bits);

} // namespace boo
