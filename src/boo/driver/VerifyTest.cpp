//===- VerifyTest.cpp - Wrong kernels must not pass -----------------------===//

#include "boo/driver/Verify.h"
#include "boo/driver/commands/Command.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace boo;
using testing::HasSubstr;

namespace {
/// The reference with a fault.
class Faulty : public Runner {
public:
  using Fault = std::function<void(void *out, int threads)>;
  Faulty(const Graph &graph, Fault fault, std::string algorithm = "direct")
      : TheFault(std::move(fault)) {
    auto inner = makeRunner("reference", graph, {});
    Inner = std::move(*inner);
    Info.algorithm = std::move(algorithm);
  }
  const RunnerInfo &info() const override { return Info; }
  int64_t memoryBytes(int) const override { return 0; }
  Status prepare(std::span<const void *const>, int) override {
    return Status::ok();
  }
  Status run(std::span<const void *const> in, std::span<void *const> out,
             int threads) override {
    BOO_RETURN_IF_ERROR(Inner->run(in, out, threads));
    TheFault(out[0], threads);
    return Status::ok();
  }

private:
  std::unique_ptr<Runner> Inner;
  Fault TheFault;
  RunnerInfo Info;
};
} // namespace

static Verdict verdictOf(const std::string &command, Faulty::Fault fault,
                         VerifyOptions options = {}) {
  auto graph = graphFromCommand(command, nullptr);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  Faulty runner(*graph, std::move(fault));
  auto operands = Operands::create(*graph);
  EXPECT_TRUE(operands.isOk());
  auto verdict = verifyRunner(*graph, runner, *operands, options);
  EXPECT_TRUE(verdict.isOk()) << verdict.status().toString();
  return verdict.isOk() ? *verdict : Verdict{};
}

static constexpr const char *Plain = "conv -n 1 -c 4 -H 6 -W 6 -k 3";

TEST(Verify, rightResultsPass) {
  for (const char *command :
       {Plain, "convbfp16 -n 1 -c 40 -H 6 -W 6 -k 3 -b 1 --tail relu",
        "convfp16 -n 1 -c 4 -H 6 -W 6 -k 3 --tail silu",
        "convfp64 -_ 1 -n 1 -c 4 -H 6 -k 3 --residual 1"}) {
    Verdict verdict = verdictOf(command, [](void *, int) {});
    EXPECT_TRUE(verdict.ok) << command << ": " << verdict.failure;
    EXPECT_LE(verdict.figures.maxAbsErr, verdict.figures.maxBound);
    EXPECT_EQ(verdict.report.size(), 5u);
  }
}

TEST(Verify, largeErrorFailsTheRandomCheck) {
  Verdict verdict = verdictOf(
      Plain, [](void *out, int) { static_cast<float *>(out)[17] += 0.5f; });
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.failure, HasSubstr("check 'random' (seed 0)"));
  EXPECT_THAT(verdict.failure, HasSubstr("at [0, 1, 0, 1]"));
  EXPECT_THAT(verdict.failure, HasSubstr("the first of 1 bad among 48"));
}

TEST(Verify, aCheckWithoutAnyBoundIsNoSuccess) {
  VerifyOptions options;
  options.splat = 60000;
  Verdict verdict = verdictOf(
      "convfp16 -n 1 -c 4 -H 6 -W 6 -k 3", [](void *, int) {}, options);
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.failure, HasSubstr("proves nothing"));
}

TEST(Verify, elementLeftOutFails) {
  Verdict verdict = verdictOf(Plain, [](void *out, int) {
    static_cast<float *>(out)[5] = NAN; // as the buffer was before
  });
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.failure, HasSubstr("got nan"));
}

TEST(Verify, reliedUponAlignmentFails) {
  for (const char *command :
       {Plain, "convfp64 -n 1 -c 4 -H 6 -W 6 -k 3", "convfp16 -n 1 -k 3"}) {
    int calls = 0;
    Verdict verdict = verdictOf(command, [&](void *out, int) {
      ++calls;
      if (uintptr_t(out) % 16)
        static_cast<char *>(out)[1] ^= 0x7f;
    });
    EXPECT_FALSE(verdict.ok);
    EXPECT_THAT(verdict.failure, HasSubstr("check 'unaligned' (seed 0)"));
    EXPECT_EQ(calls, 2);
  }
}

TEST(Verify, smallErrorFailsTheExactCheck) {
  // Within the bound of random values of K = 4096 terms, but integers tell.
  Verdict verdict = verdictOf(
      "conv -n 1 -c 4096 -H 2 -W 2 -k 2 -y 1 -x 1",
      [](void *out, int) { static_cast<float *>(out)[3] *= 1 + 1e-6f; });
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.failure, HasSubstr("check 'integers'"));
}

TEST(Verify, threadsMustAgree) {
  VerifyOptions options;
  options.threads = 2;
  Verdict verdict = verdictOf(
      Plain,
      [](void *out, int threads) {
        float &value = static_cast<float *>(out)[4];
        if (threads == 1 && value != std::round(value))
          value = std::nextafter(value, 0.0f);
      },
      options);
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.failure, HasSubstr("2 and 1 workers give different"));
}

TEST(Verify, moreSeedsForMoreSamples) {
  VerifyOptions options;
  options.minSamples = 100;
  options.structured = false;
  Verdict verdict = verdictOf(Plain, [](void *, int) {}, options);
  EXPECT_EQ(verdict.figures.count, 144);
  EXPECT_EQ(verdict.report.size(), 5u); // three seeds, unaligned, threads
}

TEST(Verify, strayWriteIsAnError) {
  auto graph = graphFromCommand(Plain, nullptr);
  Faulty runner(*graph,
                [](void *out, int) { static_cast<float *>(out)[48] = 0; });
  auto operands = Operands::create(*graph);
  auto verdict = verifyRunner(*graph, runner, *operands, {});
  ASSERT_FALSE(verdict.isOk());
  EXPECT_THAT(verdict.status().message(), HasSubstr("beside output 0"));
}

TEST(Verify, whenIntegersAreExact) {
  auto magnitude = [](const char *command, const char *algorithm = "direct",
                      const char *math = "default") {
    return exactMagnitude(*graphFromCommand(command, nullptr), algorithm, math);
  };
  EXPECT_EQ(magnitude(Plain), 8);
  EXPECT_EQ(magnitude("conv -n 1 --tail relu"), 8);
  EXPECT_EQ(magnitude("conv -n 1 --tail tanh"), 0);
  EXPECT_EQ(magnitude("convbfp16 -n 1 -b 1"), 8);
  EXPECT_EQ(magnitude("convbfp16 -n 1 -b 1", "direct + pointwise"), 0);
  EXPECT_EQ(magnitude(Plain, "winograd-f4"), 0);
  EXPECT_EQ(magnitude("conv -n 1 -c 1000000 -k 1 -y 1 -x 1"), 2);
  EXPECT_EQ(magnitude("convfp16 -n 1 -c 64", "direct", "fast"), 1);
  // A border counts as an element, and must be a whole number.
  EXPECT_EQ(magnitude("convbfp16 -n 1 -p 1 -r -3", "pad + direct"), 8);
  EXPECT_EQ(magnitude("conv -n 1 -p 1 -r 0.5", "pad + direct"), 0);
  EXPECT_EQ(magnitude("conv -n 1 -p 1 -r 9", "pad + direct"), 0);
  EXPECT_EQ(magnitude("conv -n 1 -c 1000000 -k 1 -y 1 -x 1 -p 1 -r 8"), 1);
  // Anchors side by side, sums among them, but not one behind another.
  EXPECT_EQ(magnitude("convbfp16 -n 1 -F 10", "direct + direct + rows"), 8);
  EXPECT_EQ(magnitude("conv -n 2000 -F 7 -H 40 -W 40", "rows"), 2);
  EXPECT_EQ(magnitude("conv -n 1 -U bf16 -R bf16", "module + direct"), 0);
}

TEST(Compare, specialValues) {
  TensorType type = TensorType::contiguous(DType::F16, {4});
  char data[8];
  double got[4] = {NAN, INFINITY, 65504, 1.0};
  for (int i = 0; i != 4; ++i)
    storeElement(data, DType::F16, i, got[i]);
  ReferenceOutput expected;
  expected.values = {NAN, 70000, 65504, 1.0001};
  expected.bounds = {0, 0, 0, 0};
  Comparison all = compareOutput(type, data, expected, Judge::Exact);
  EXPECT_TRUE(all.ok) << describeFailure(all);
  expected.values[0] = 0;
  all = compareOutput(type, data, expected, Judge::Bounds);
  EXPECT_FALSE(all.ok);
  EXPECT_EQ(all.failures, 1);
}

TEST(Compare, anythingIsRightUnderAnInfiniteBound) {
  TensorType type = TensorType::contiguous(DType::F32, {5});
  float got[5] = {NAN, INFINITY, -7, 1, 2};
  ReferenceOutput expected;
  expected.values = {1, -INFINITY, NAN, INFINITY, 2.5};
  expected.bounds = {INFINITY, INFINITY, INFINITY, INFINITY, 1};
  Comparison all = compareOutput(type, got, expected, Judge::Bounds);
  EXPECT_TRUE(all.ok) << describeFailure(all);
  EXPECT_EQ(all.count, 5);
  EXPECT_EQ(all.unbounded, 4);
  EXPECT_EQ(all.maxAbsErr, 0.5);
  EXPECT_EQ(all.sumErr, -0.5);
  // A finite bound on a NaN or an infinity is a demand.
  for (size_t i : {0, 1, 2, 3}) {
    ReferenceOutput strict = expected;
    strict.bounds[i] = 1;
    all = compareOutput(type, got, strict, Judge::Bounds);
    EXPECT_EQ(all.failures, 1) << i;
  }
}
