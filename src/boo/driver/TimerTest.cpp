//===- TimerTest.cpp ------------------------------------------------------===//

#include "boo/driver/Timer.h"
#include "boo/driver/Peak.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <cmath>
#include <gtest/gtest.h>
#include <thread>

using namespace boo;

TEST(Statistics, figures) {
  Statistics s = statistics({4, 1, 3, 2});
  EXPECT_EQ(s.count, 4);
  EXPECT_EQ(s.min, 1);
  EXPECT_EQ(s.max, 4);
  EXPECT_DOUBLE_EQ(s.mean, 2.5);
  EXPECT_DOUBLE_EQ(s.median, 2.5);
  EXPECT_DOUBLE_EQ(s.stddev, std::sqrt(5.0 / 3));
  EXPECT_DOUBLE_EQ(s.p10, 1.3);
  EXPECT_DOUBLE_EQ(s.p90, 3.7);
  EXPECT_EQ(statistics({7}).stddev, 0);
  EXPECT_EQ(median({5, 1, 9}), 5);
}

TEST(Timer, runsAsOftenAsAsked) {
  int runs = 0, befores = 0, peaks = 0;
  std::vector<TimedRun> times;
  TimerOptions options;
  options.iters = 70;
  options.warmup = 3;
  Status status = timeRuns(
      [&] {
        ++runs;
        return Status::ok();
      },
      [&] { ++befores; },
      [&] {
        ++peaks;
        return 2.0;
      },
      options, &times);
  EXPECT_TRUE(status.isOk());
  EXPECT_EQ(runs, 73);
  EXPECT_EQ(befores, 70);
  EXPECT_EQ(peaks, 60);
  ASSERT_EQ(times.size(), 70u);
  EXPECT_EQ(times[59].peak, 2);
  EXPECT_EQ(times[60].peak, 0);
}

TEST(Timer, stopsByItself) {
  std::vector<TimedRun> times;
  auto run = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Status::ok();
  };
  EXPECT_TRUE(timeRuns(run, {}, {}, {}, &times).isOk());
  EXPECT_GE(times.size(), 5u);
  EXPECT_LE(times.size(), 600u);
  for (const TimedRun &each : times)
    EXPECT_GE(each.us, 1000);
}

TEST(Timer, handsErrorsOn) {
  std::vector<TimedRun> times;
  auto run = [] { return internalError("no"); };
  EXPECT_EQ(timeRuns(run, {}, {}, {}, &times).message(), "no");
  EXPECT_FALSE(timeOnce(run).isOk());
}

TEST(Timer, evicts) {
  std::vector<char> data(1000);
  evictFromCaches(data.data() + 1, 900);
  evictFromCaches(nullptr, 0);
}

TEST(Peak, everyKernelOfThisMachine) {
  Work work;
  work.flops = 1e9;
  work.bytes = 1;
  for (const char *instruction :
       {"fma-f32", "fma-f64", "fma-f16", "dot-bf16", "amx-bf16"})
    for (Isa isa : {Isa::Generic, Isa::Avx2, Isa::Avx512, Isa::Amx}) {
      Target target = hostTarget();
      if (isa > target.isa)
        continue;
      if (std::string_view(instruction) == "fma-f16" && !target.avx512Fp16)
        continue;
      if (std::string_view(instruction) == "dot-bf16" && !target.fastBf16Dot)
        continue;
      auto meter = PeakMeter::create(instruction, isa, 1, work);
      if (!meter)
        continue; // no such instruction below this ISA
      EXPECT_GT(meter->measure(), 0);
      EXPECT_EQ(meter->kind(), instruction);
      EXPECT_DOUBLE_EQ(meter->rate(1e6), 1);
    }
  EXPECT_EQ(PeakMeter::create("", Isa::Avx2, 1, work), nullptr);
  EXPECT_EQ(PeakMeter::create("nonsense", Isa::Avx2, 1, work), nullptr);
}

TEST(Peak, bytesCountWhereTheyTakeLongest) {
  Work work;
  work.flops = 1000;
  work.bytes = 8e6;
  auto meter = PeakMeter::create("fma-f32", hostTarget().isa, 2, work);
  ASSERT_NE(meter, nullptr);
  EXPECT_EQ(meter->kind(), "copy");
  EXPECT_GT(meter->measure(), 0);
  EXPECT_GT(meter->gflops(), 0);
  EXPECT_DOUBLE_EQ(meter->rate(1e6), 0.008);
}

TEST(Timer, peaksOfABusyMachineTellNothing) {
  auto rate = [](double us) { return 100 / us; };
  // A run of 2 us at a rate of 50; while two peaks were taken, a worker waited.
  std::vector<TimedRun> runs = {{2, 100}, {2, 0.1}, {2, 0.2}, {2, 80}, {2, 0}};
  EXPECT_NEAR(peakFraction(runs, rate), (0.5 + 0.625) / 2, 1e-12);
  EXPECT_TRUE(std::isnan(peakFraction({{2, 0}}, rate)));
  EXPECT_TRUE(std::isnan(peakFraction({}, rate)));
}
