//===- AmxEmulatorTest.cpp - The emulator against plain loops -------------===//

#include "AmxEmulator.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <gtest/gtest.h>

#include <cstring>
#include <immintrin.h>

using namespace boo;
using namespace boo::testing;

namespace {

struct alignas(64) Config {
  uint8_t palette = 1, startRow = 0, reserved[14] = {};
  uint16_t columnBytes[16] = {};
  uint8_t rows[16] = {};
};

/// C[m][n] = sum of A[m][k] * B[k][n], for 5 x 7 x 6, by AMX instructions.
__attribute__((target("amx-tile,amx-bf16"))) void
multiply(const uint16_t *a, const uint16_t *b, float *c) {
  Config config;
  config.rows[0] = 5, config.columnBytes[0] = 7 * 4;
  config.rows[1] = 5, config.columnBytes[1] = 6 * 2;
  config.rows[2] = 3, config.columnBytes[2] = 7 * 4;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_loadd(1, a, 6 * 2);
  _tile_loadd(2, b, 7 * 4);
  _tile_dpbf16ps(0, 1, 2);
  _tile_dpbf16ps(0, 1, 2);
  _tile_stored(0, c, 8 * 4);
  _tile_release();
}

uint16_t bf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t(bits >> 16);
}

TEST(AmxEmulator, MultipliesLikeLoops) {
  if (!cpuInfo().usable("amx-bf16"))
    installAmxEmulator();
  uint16_t a[5][6], b[3][7][2];
  float c[5][8];
  for (int m = 0; m != 5; ++m)
    for (int k = 0; k != 6; ++k)
      a[m][k] = bf16(float(m * 3 - k));
  for (int k = 0; k != 6; ++k)
    for (int n = 0; n != 7; ++n)
      b[k / 2][n][k % 2] = bf16(float(k + 2 * n - 5));
  for (auto &row : c)
    for (float &value : row)
      value = -1;
  multiply(a[0], b[0][0], c[0]);
  for (int m = 0; m != 5; ++m) {
    for (int n = 0; n != 7; ++n) {
      float sum = 0;
      for (int k = 0; k != 6; ++k)
        sum += 2 * float(m * 3 - k) * float(k + 2 * n - 5);
      EXPECT_EQ(c[m][n], sum) << m << ", " << n;
    }
    EXPECT_EQ(c[m][7], -1) << "the column behind the tile is not written";
  }
}

} // namespace
