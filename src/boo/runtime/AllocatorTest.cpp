//===- AllocatorTest.cpp --------------------------------------------------===//

#include "boo/runtime/Allocator.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <vector>

using namespace boo;

TEST(Allocator, KeepsAndHandsOutAgain) {
  Allocator allocator;
  void *first = allocator.allocate(1000);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  std::memset(first, 1, 1000);
  EXPECT_GE(allocator.stats().inUseBytes, 1000);
  allocator.release(first);
  EXPECT_EQ(allocator.stats().inUseBytes, 0);
  EXPECT_GE(allocator.stats().cachedBytes, 1000);
  void *second = allocator.allocate(900);
  EXPECT_EQ(second, first);
  EXPECT_EQ(allocator.stats().systemCalls, 1);
  allocator.release(second);
  allocator.trim();
  EXPECT_EQ(allocator.stats().cachedBytes, 0);
}

TEST(Allocator, BlocksHoldWhatWasAskedFor) {
  Allocator allocator;
  std::mt19937_64 random(1);
  std::vector<std::pair<unsigned char *, int64_t>> blocks;
  for (int i = 0; i < 400; ++i) {
    int64_t bytes = int64_t(random() >> (44 + random() % 20));
    auto *block = static_cast<unsigned char *>(allocator.allocate(bytes));
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    std::memset(block, i & 255, size_t(bytes));
    blocks.emplace_back(block, bytes);
  }
  for (int64_t bytes : {0, 1, 255, 256, 257, 320, 321, 511, 512, 513}) {
    auto *block = static_cast<unsigned char *>(allocator.allocate(bytes));
    std::memset(block, 7, size_t(bytes));
    allocator.release(block);
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (int64_t at = 0; at < blocks[i].second; at += 97)
      ASSERT_EQ(blocks[i].first[at], i & 255);
    allocator.release(blocks[i].first);
  }
  EXPECT_EQ(allocator.stats().inUseBytes, 0);
}

TEST(Allocator, LossIsAtMostAQuarter) {
  Allocator allocator;
  for (int64_t bytes = 257; bytes < (1 << 20); bytes += 997) {
    void *block = allocator.allocate(bytes);
    EXPECT_LE(allocator.stats().inUseBytes, bytes + bytes / 4) << bytes;
    EXPECT_GE(allocator.stats().inUseBytes, bytes);
    allocator.release(block);
  }
}

TEST(Allocator, RefusesTheImpossible) {
  Allocator allocator;
  EXPECT_EQ(allocator.allocate(-1), nullptr);
  EXPECT_EQ(allocator.allocate(INT64_MAX), nullptr);
  EXPECT_EQ(allocator.allocate(int64_t(1) << 46), nullptr);
  EXPECT_EQ(allocator.stats().inUseBytes, 0);
}

TEST(Allocator, ThreadsShareIt) {
  Allocator allocator;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        auto *block = static_cast<int *>(allocator.allocate(64 * (i % 50 + 1)));
        *block = t;
        std::this_thread::yield();
        EXPECT_EQ(*block, t);
        allocator.release(block);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(allocator.stats().inUseBytes, 0);
}
