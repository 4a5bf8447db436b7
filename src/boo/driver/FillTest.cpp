//===- FillTest.cpp -------------------------------------------------------===//

#include "boo/driver/Fill.h"
#include "boo/driver/Buffer.h"
#include "boo/ops/Reference.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace boo;

TEST(Fill, sameDataOnAnyMachine) {
  float values[4];
  FillSpec spec;
  spec.seed = 7;
  spec.operand = 1;
  fillTensor(TensorType::contiguous(DType::F32, {4}), values, spec);
  // Settled once and for all: repro lines depend on it.
  uint64_t stream = mixBits(mixBits(7) + 1);
  EXPECT_EQ(mixBits(0), 0xe220a8397b1dcdafu);
  for (int i = 0; i != 4; ++i)
    EXPECT_EQ(values[i],
              float(double(mixBits(stream + i) >> 40) * 0x1p-23 - 1));
}

TEST(Fill, valuesFollowTheLogicalIndex) {
  TensorType plain = TensorType::contiguous(DType::F32, {2, 3, 4});
  TensorType last = TensorType::permuted(DType::F32, {2, 3, 4}, {0, 2, 1});
  float a[24], b[24];
  fillTensor(plain, a, {});
  fillTensor(last, b, {});
  for (int i = 0; i != 2; ++i)
    for (int j = 0; j != 3; ++j)
      for (int k = 0; k != 4; ++k)
        EXPECT_EQ(a[i * 12 + j * 4 + k], b[i * 12 + k * 3 + j]);
}

TEST(Fill, rangesOfEachType) {
  for (DType dtype : {DType::F64, DType::F32, DType::F16, DType::BF16,
                      DType::I64, DType::I32, DType::I8, DType::I1}) {
    alignas(8) char data[8 * 1000];
    TensorType type = TensorType::contiguous(dtype, {1000});
    double lo = 1e9, hi = -1e9;
    auto look = [&] {
      lo = 1e9, hi = -1e9;
      for (int i = 0; i != 1000; ++i) {
        double value = loadElement(data, dtype, i);
        lo = std::min(lo, value), hi = std::max(hi, value);
      }
    };
    fillTensor(type, data, {});
    look();
    EXPECT_LT(lo, isFloat(dtype) ? -0.9 : 1);
    EXPECT_GE(lo, isFloat(dtype) ? -1 : -8);
    EXPECT_LE(hi, isFloat(dtype) ? 1 : 8);
    FillSpec integers;
    integers.kind = FillKind::Integers;
    integers.magnitude = 3;
    fillTensor(type, data, integers);
    look();
    EXPECT_EQ(hi, dtype == DType::I1 ? 1 : 3);
    for (int i = 0; i != 1000; ++i)
      EXPECT_EQ(loadElement(data, dtype, i),
                std::round(loadElement(data, dtype, i)));
  }
}

TEST(Fill, blockOfOnes) {
  for (uint64_t seed = 0; seed != 50; ++seed) {
    float data[2 * 8 * 9 * 10];
    FillSpec spec;
    spec.kind = FillKind::Block;
    spec.seed = seed;
    fillTensor(TensorType::contiguous(DType::F32, {2, 8, 9, 10}), data, spec);
    int ones = 0, others = 0;
    for (float value : data)
      (value == 1 ? ones : others) += value != 0;
    EXPECT_GE(ones, 8);
    EXPECT_LE(ones, 128);
    EXPECT_EQ(others, 0);
  }
}

TEST(Fill, gapsStay) {
  TensorType type = TensorType::contiguous(DType::F32, {2, 2});
  type.strides = {3, 1};
  float data[5] = {9, 9, 9, 9, 9};
  FillSpec spec;
  spec.kind = FillKind::Splat;
  spec.splat = 2.5;
  fillTensor(type, data, spec);
  float expected[5] = {2.5, 2.5, 9, 2.5, 2.5};
  EXPECT_EQ(std::memcmp(data, expected, sizeof data), 0);
  fillTensor(TensorType::contiguous(DType::F32, {0, 3}), nullptr, {});
  fillTensor(TensorType::contiguous(DType::F32, {}), data, spec);
}

TEST(Buffer, noticesStrayWrites) {
  for (int64_t bytes : {0, 1, 63, 4096, 100000}) {
    auto buffer = GuardedBuffer::create(bytes);
    ASSERT_TRUE(buffer.isOk());
    char *data = static_cast<char *>(buffer->data());
    EXPECT_EQ(uintptr_t(data) % 64, 0u);
    std::memset(data, 1, size_t(bytes));
    EXPECT_TRUE(buffer->intact());
    buffer->poison();
    EXPECT_TRUE(bytes == 0 || data[bytes - 1] == char(0xff));
    buffer->place(2);
    EXPECT_EQ(static_cast<char *>(buffer->data()), data + 2);
    EXPECT_TRUE(buffer->intact());
    data[1] = 1;
    EXPECT_EQ(buffer->strayByte(), -1);
    buffer->place(0);
    EXPECT_TRUE(buffer->intact());
    data[bytes] = 1;
    EXPECT_EQ(buffer->strayByte(), bytes);
    data[bytes] = char(0xa5);
    EXPECT_TRUE(buffer->intact());
    data[-1] = 1;
    EXPECT_FALSE(buffer->intact());
  }
  EXPECT_FALSE(GuardedBuffer::create(-1).isOk());
  EXPECT_FALSE(GuardedBuffer::create(INT64_MAX).isOk());
}
