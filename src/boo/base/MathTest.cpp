//===- MathTest.cpp - Integer arithmetic ----------------------------------===//

#include "boo/base/Math.h"

#include <cmath>
#include <gtest/gtest.h>

TEST(Math, ceilDivRoundsUpOnBothSidesOfZero) {
  for (int64_t b = 1; b != 8; ++b)
    for (int64_t a = -30; a != 31; ++a)
      EXPECT_EQ(boo::ceilDiv(a, b), int64_t(std::ceil(double(a) / double(b))))
          << a << " / " << b;
  EXPECT_EQ(boo::ceilDiv(INT64_MIN, 3), INT64_MIN / 3);
  EXPECT_EQ(boo::ceilDiv(INT64_MAX, 1), INT64_MAX);
}
