//===- FloatConvertTest.cpp -----------------------------------------------===//

#include "boo/base/FloatConvert.h"

#include <cmath>
#include <gtest/gtest.h>

#include <limits>
#include <ostream>

using namespace boo;

namespace {

struct Format {
  const char *name;
  uint16_t (*narrow)(double);
  double (*widen)(uint16_t);
  int mantissaBits, bias;
  uint16_t infinity;
};

// What ctest calls a case.
[[maybe_unused]] void PrintTo(const Format &format, std::ostream *out) {
  *out << format.name;
}

const Format Formats[] = {
    {"f16", toFloat16Bits, fromFloat16Bits, 10, 15, 0x7c00},
    {"bf16", toBfloat16Bits, fromBfloat16Bits, 7, 127, 0x7f80}};

class FloatConvertTest : public testing::TestWithParam<Format> {};

/// The value by its definition.
double valueOf(uint16_t bits, const Format &format) {
  int field = bits & 0x7fff, exponent = field >> format.mantissaBits;
  int mantissa = field & ((1 << format.mantissaBits) - 1);
  double magnitude =
      exponent == 0
          ? std::ldexp(mantissa, 1 - format.bias - format.mantissaBits)
          : std::ldexp(mantissa + (1 << format.mantissaBits),
                       exponent - format.bias - format.mantissaBits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

TEST_P(FloatConvertTest, EveryEncodingBothWays) {
  const Format &format = GetParam();
  uint16_t quiet = uint16_t(1 << (format.mantissaBits - 1));
  for (int i = 0; i != 0x10000; ++i) {
    uint16_t bits = uint16_t(i), field = bits & 0x7fff;
    double value = format.widen(bits);
    ASSERT_EQ(std::signbit(value), bits >= 0x8000) << i;
    if (field > format.infinity) {
      ASSERT_TRUE(std::isnan(value)) << i;
      ASSERT_EQ(format.narrow(value), bits | quiet) << i;
      continue;
    }
    if (field == format.infinity)
      ASSERT_TRUE(std::isinf(value)) << i;
    else
      ASSERT_EQ(value, valueOf(bits, format)) << i;
    ASSERT_EQ(format.narrow(value), bits) << i;
  }
}

TEST_P(FloatConvertTest, RoundsBetweenNeighboursToNearestEven) {
  const Format &format = GetParam();
  constexpr double Inf = std::numeric_limits<double>::infinity();
  for (uint16_t low = 0; low != format.infinity; ++low) {
    uint16_t high = uint16_t(low + 1);
    double a = valueOf(low, format), b = valueOf(high, format);
    double middle = (a + b) / 2;
    uint16_t even = low & 1 ? high : low;
    ASSERT_EQ(format.narrow(middle), even) << low;
    ASSERT_EQ(format.narrow(std::nextafter(middle, 0)), low) << low;
    ASSERT_EQ(format.narrow(std::nextafter(middle, Inf)), high) << low;
    ASSERT_EQ(format.narrow(-middle), even | 0x8000) << low;
    ASSERT_EQ(format.narrow(-std::nextafter(middle, Inf)), high | 0x8000);
  }
}

TEST_P(FloatConvertTest, Extremes) {
  const Format &format = GetParam();
  using Limits = std::numeric_limits<double>;
  EXPECT_EQ(format.narrow(Limits::max()), format.infinity);
  EXPECT_EQ(format.narrow(-Limits::infinity()), format.infinity | 0x8000);
  EXPECT_EQ(format.narrow(Limits::denorm_min()), 0);
  EXPECT_EQ(format.narrow(-Limits::min()), 0x8000);
  EXPECT_EQ(format.narrow(-0.0), 0x8000);
}

INSTANTIATE_TEST_SUITE_P(Formats, FloatConvertTest, testing::ValuesIn(Formats),
                         [](const auto &info) { return info.param.name; });

} // namespace
