//===- FloatConvert.cpp - double to and from 16-bit floats ----------------===//

#include "boo/base/FloatConvert.h"

#include <bit>
#include <cmath>

using namespace boo;

namespace {

/// An IEEE format of 16 bits.
struct Format {
  int mantissaBits, bias;
  constexpr uint64_t infinity() const {
    return uint64_t(2 * bias + 1) << mantissaBits;
  }
};

constexpr Format Float16 = {10, 15};
constexpr Format Bfloat16 = {7, 127};
constexpr int DoubleBits = 52, DoubleBias = 1023;

} // namespace

static uint16_t narrow(double value, Format format) {
  uint64_t bits = std::bit_cast<uint64_t>(value);
  uint64_t sign = bits >> 63 << 15;
  uint64_t mantissa = bits & ((uint64_t(1) << DoubleBits) - 1);
  int biased = int(bits >> DoubleBits & 0x7ff);
  int cut = DoubleBits - format.mantissaBits;
  if (biased == 0x7ff) {
    uint64_t payload = mantissa >> cut;
    if (mantissa)
      payload |= uint64_t(1) << (format.mantissaBits - 1);
    return uint16_t(sign | format.infinity() | payload);
  }
  int exponent = biased - DoubleBias;
  if (exponent > format.bias)
    return uint16_t(sign | format.infinity());
  mantissa |= uint64_t(1) << DoubleBits;
  int least = 1 - format.bias;
  uint64_t base = 0;
  if (exponent < least)
    cut += least - exponent;
  else
    // The hidden bit adds the missing 1 to the exponent field.
    base = uint64_t(exponent - least) << format.mantissaBits;
  // Less than half of the smallest subnormal; a double's own subnormals, whose
  // hidden bit was set above in error, are far below.
  if (cut > DoubleBits + 1)
    return uint16_t(sign);
  uint64_t half = uint64_t(1) << (cut - 1);
  uint64_t kept = mantissa >> cut;
  uint64_t rest = mantissa & (2 * half - 1);
  if (rest > half || (rest == half && (kept & 1)))
    ++kept; // may carry into the exponent, up to infinity, as it should
  return uint16_t(sign | (base + kept));
}

static double widen(uint16_t bits, Format format) {
  uint64_t sign = uint64_t(bits >> 15) << 63;
  uint64_t field = bits & 0x7fff;
  uint64_t mantissa = field & ((uint64_t(1) << format.mantissaBits) - 1);
  int biased = int(field >> format.mantissaBits);
  int shift = DoubleBits - format.mantissaBits;
  if (field >= format.infinity())
    return std::bit_cast<double>(sign | uint64_t(0x7ff) << DoubleBits |
                                 mantissa << shift);
  if (biased == 0) {
    double value =
        std::ldexp(double(mantissa), 1 - format.bias - format.mantissaBits);
    return sign ? -value : value;
  }
  uint64_t exponent = uint64_t(biased - format.bias + DoubleBias);
  return std::bit_cast<double>(sign | exponent << DoubleBits |
                               mantissa << shift);
}

uint16_t boo::toFloat16Bits(double value) { return narrow(value, Float16); }
uint16_t boo::toBfloat16Bits(double value) { return narrow(value, Bfloat16); }
double boo::fromFloat16Bits(uint16_t bits) { return widen(bits, Float16); }
double boo::fromBfloat16Bits(uint16_t bits) { return widen(bits, Bfloat16); }
