//===- ConvSweepTest.cpp - Random anchors, end to end ---------------------===//
//
// Each seed makes one group. It is compiled for every target that runs here,
// run on operands that end (or start) at an inaccessible page, with one thread
// and with three, and compared with the float64 reference; then once more tile
// by tile, with workspace and scratch between such pages as well. A third of
// the cases overrides the strategy's Schedule at random. BOO_SOAK_SECONDS
// sets how long the sweeps go on in all, BOO_SWEEP_SEED where it starts: a
// failure prints the seed that repeats it.
//
// Over 500 lines because one fixture judges the groups of all anchors.
//
//===----------------------------------------------------------------------===//

#include "GuardedBuffer.h"
#include "GuardedLaunch.h"
#include "RandomAttention.h"
#include "RandomConv.h"
#include "RandomMatmul.h"
#include "RandomPad.h"
#include "RandomPool.h"
#include "RandomRows.h"
#include "RandomSchedule.h"
#include "RandomSource.h"
#include "boo/graph/ShapeInference.h"
#include "boo/ops/Reference.h"
#include "boo/runtime/Launcher.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <unistd.h>

using namespace boo;
using namespace boo::testing;

namespace {

enum class Fill { Random, Integers, Special };

/// What a seed is run on: operands, and what must come out.
struct Case {
  Graph graph;
  std::vector<GuardedBuffer> arguments;
  std::vector<const void *> pointers;
  std::map<std::string, std::vector<ReferenceOutput>>
      expected;                         ///< by algorithm
  std::optional<uint64_t> scheduleSeed; ///< for a Schedule at random
  std::string math = "strict";
  std::string tuningEntry; ///< where there is no scheduleSeed
};

/// A folder of this process for the artifact that is looked at.
const std::string &artifactFolder() {
  struct Folder {
    std::string path =
        ::testing::TempDir() + "/conv-sweep-" + std::to_string(getpid());
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static const Folder folder;
  return folder.path;
}

double fillValue(std::mt19937_64 &random, Fill fill, DType dtype) {
  switch (fill) {
  case Fill::Integers:
    return double(pick(random, -3, 3));
  case Fill::Random:
    return double(pick(random, -(1 << 20), 1 << 20)) / (1 << 20);
  case Fill::Special:
    // Mostly subnormal numbers, whole multiples of the smallest; now and then
    // an infinity or a NaN.
    int64_t kind = pick(random, 0, 400);
    if (kind < 2)
      return kind == 0 ? INFINITY : NAN;
    double smallest = dtype == DType::F16    ? 0x1p-24
                      : dtype == DType::BF16 ? 0x1p-133
                      : dtype == DType::F32  ? 0x1p-149
                                             : 0x1p-1074;
    return double(pick(random, -9, 9)) * smallest;
  }
  return 0;
}

void fillOperands(Case &c, uint64_t seed, Fill fill,
                  GuardedBuffer::Guard guard) {
  std::mt19937_64 random(seed ^ 0x9E3779B97F4A7C15u);
  for (ValueId id : c.graph.arguments()) {
    const TensorType &type = c.graph.value(id).type;
    c.arguments.emplace_back(size_t(type.spanBytes()), guard);
    void *data = c.arguments.back().data();
    int64_t elements = type.spanBytes() / dtypeBytes(type.dtype);
    for (int64_t i = 0; i != elements; ++i)
      storeElement(data, type.dtype, i, fillValue(random, fill, type.dtype));
    c.pointers.push_back(data);
  }
}

bool isRowOp(Op op) {
  return op == Op::Norm || op == Op::NormGrad || op == Op::Softmax ||
         op == Op::SoftmaxGrad || op == Op::Reduce || op == Op::BatchNorm ||
         op == Op::BatchNormGrad;
}

/// Sums of small integers are exact as long as no tail function rounds.
bool isExact(const Graph &graph) {
  for (const Node &node : graph.nodes()) {
    if (isRowOp(node.op) || node.op == Op::Attention ||
        node.op == Op::AttentionGrad)
      return false;
    if ((node.op == Op::Pool || node.op == Op::PoolGrad) &&
        std::get<std::string>(node.attributes.at("fn")) != "max")
      return false;
    if (node.op == Op::Pad &&
        !std::isfinite(std::get<double>(node.attributes.at("value"))))
      return false;
    if (node.op == Op::Pointwise) {
      const std::string &fn = std::get<std::string>(node.attributes.at("fn"));
      if (fn != "add" && fn != "mul" && fn != "relu" && fn != "clamp")
        return false;
    }
  }
  return true;
}

std::vector<Target> findTargets() {
  std::vector<Target> result;
  for (const char *name : {"generic", "avx2", "avx512", "amx"})
    if (auto target = targetFor(name); target.isOk())
      result.push_back(*target);
    else
      std::printf("[   info   ] no %s: %s\n", name,
                  target.status().message().c_str());
  return result;
}

/// Those that run here; the others are told once.
const std::vector<Target> &targets() {
  static const std::vector<Target> found = findTargets();
  return found;
}

double seconds(const char *variable, double otherwise) {
  const char *text = std::getenv(variable);
  return text ? std::atof(text) : otherwise;
}

class ConvSweep : public ::testing::Test {
protected:
  /// Runs a group on every target. `seed` chooses operands and guards.
  void checkEverywhere(Graph graph, uint64_t seed,
                       const std::string &tuningEntry = "",
                       const std::string &math = "") {
    Case c;
    c.tuningEntry = tuningEntry;
    c.graph = std::move(graph);
    ASSERT_TRUE(c.graph.verify().isOk()) << c.graph.verify().message();
    SCOPED_TRACE(printGraph(c.graph));
    auto guard =
        seed % 2 ? GuardedBuffer::Guard::After : GuardedBuffer::Guard::Before;
    bool exact = seed % 3 == 0 && isExact(c.graph);
    if (tuningEntry.empty() && seed % 3 == 1)
      c.scheduleSeed = seed;
    // Operands without denormals: what may ignore those may be used.
    if (seed / 6 % 2 == 1)
      c.math = "default";
    if (!math.empty())
      c.math = math;
    fillOperands(c, seed, exact ? Fill::Integers : Fill::Random, guard);
    checkCase(c, exact, guard);
  }

  /// Calls with one seed after the other, for this test's share of the time.
  void sweep(const std::function<void(uint64_t)> &check) {
    constexpr double sweeps = 8;
    auto start = std::chrono::steady_clock::now();
    double budget = seconds("BOO_SOAK_SECONDS", 90) / sweeps;
    bool single =
        std::getenv("BOO_SWEEP_SEED") && !std::getenv("BOO_SOAK_SECONDS");
    uint64_t seed = uint64_t(seconds("BOO_SWEEP_SEED", 1));
    for (int64_t done = 1;; ++seed, ++done) {
      SCOPED_TRACE("repeat with BOO_SWEEP_SEED=" + std::to_string(seed));
      check(seed);
      double passed = std::chrono::duration<double>(
                          std::chrono::steady_clock::now() - start)
                          .count();
      if (HasFailure() || single || passed > budget) {
        std::printf("[   info   ] %lld groups on %zu targets, %lld kernels of "
                    "a random Schedule\n",
                    static_cast<long long>(done), targets().size(),
                    static_cast<long long>(Scheduled));
        return;
      }
    }
  }

  /// Compares with the reference, bit by bit if the case is `exact`.
  void checkCase(Case &c, bool exact, GuardedBuffer::Guard guard) {
    for (const Target &target : targets()) {
      SCOPED_TRACE("--target " + std::string(isaName(target.isa)));
      check(c, target, exact, guard);
      if (HasFailure())
        return;
    }
  }

private:
  /// Runs a case on one target.
  void check(Case &c, const Target &target, bool exact,
             GuardedBuffer::Guard guard) {
    CompileOptions options;
    options.target = target;
    options.math = c.math;
    options.tuningEntry = c.tuningEntry;
    options.cacheDir = artifactFolder();
    options.recompile = true;
    for (ValueId id : c.graph.arguments())
      options.constantsPacked |= c.graph.value(id).role == Role::Constant;
    auto kernel = loadScheduled(c, options);
    SCOPED_TRACE("--math " + c.math + ", tuning entry '" + options.tuningEntry +
                 "'");
    ASSERT_TRUE(kernel.isOk()) << kernel.status().toString();
    Status prepared = (*kernel)->prepare(c.pointers, 2);
    ASSERT_TRUE(prepared.isOk()) << prepared.toString();
    std::vector<GuardedBuffer> one = run(**kernel, c, guard, 1);
    std::vector<GuardedBuffer> many = run(**kernel, c, guard, 3);
    if (HasFatalFailure())
      return;
    ASSERT_TRUE(equal(one, many)) << "one thread and three disagree";
    const Manifest &manifest = (*kernel)->manifest(0);
    if (!c.expected.contains(manifest.algorithm)) {
      auto expected =
          evaluateReference(c.graph, c.pointers, manifest.algorithm, 2);
      ASSERT_TRUE(expected.isOk()) << expected.status().message();
      c.expected[manifest.algorithm] = std::move(*expected);
    }
    // What passes from one group or convolution to the next is rounded.
    exact &= manifest.algorithm.find("winograd") == std::string::npos &&
             manifest.algorithm != "separable" && (*kernel)->numGroups() == 1;
    for (size_t i = 0; i != one.size(); ++i) {
      SCOPED_TRACE("output " + std::to_string(i));
      compare(c.expected[manifest.algorithm][i], outputType(c, i), one[i],
              exact, manifest.schedule);
    }
    if ((*kernel)->numGroups() != 1)
      return;
    std::vector<GuardedBuffer> apart = outputs(c, guard);
    ASSERT_EQ(runGuarded(c.graph, (*kernel)->report(0).artifact, c.pointers,
                         pointers(apart), guard),
              "");
    ASSERT_TRUE(equal(one, apart))
        << "tiles one by one, in workspace and scratch full of NaN, disagree";
    std::filesystem::remove((*kernel)->report(0).artifact);
  }

  /// Loads with the Schedule that the case asks for: the first of some random
  /// ones that the compiler accepts.
  StatusOr<std::unique_ptr<Executable>> loadScheduled(const Case &c,
                                                      CompileOptions &options) {
    if (c.scheduleSeed) {
      std::mt19937_64 random(*c.scheduleSeed * 4 +
                             uint64_t(options.target.isa));
      for (int attempt = 0; attempt != 8; ++attempt) {
        options.tuningEntry = randomSchedule(random, options.target);
        auto kernel = load(c.graph, options);
        if (kernel.isOk() ||
            kernel.status().message().find("schedule: ") == std::string::npos) {
          ++Scheduled;
          return kernel;
        }
      }
      options.tuningEntry = "";
    }
    return load(c.graph, options);
  }

  static const TensorType &outputType(const Case &c, size_t index) {
    return c.graph.value(c.graph.outputs()[index].value).type;
  }
  static std::vector<GuardedBuffer> outputs(const Case &c,
                                            GuardedBuffer::Guard guard) {
    std::vector<GuardedBuffer> buffers;
    for (size_t i = 0; i != c.graph.outputs().size(); ++i) {
      buffers.emplace_back(size_t(outputType(c, i).spanBytes()), guard);
      std::memset(buffers.back().data(), 0x7F, buffers.back().size());
    }
    return buffers;
  }
  static std::vector<void *>
  pointers(const std::vector<GuardedBuffer> &buffers) {
    std::vector<void *> result;
    for (const GuardedBuffer &buffer : buffers)
      result.push_back(buffer.data());
    return result;
  }
  static bool equal(const std::vector<GuardedBuffer> &a,
                    const std::vector<GuardedBuffer> &b) {
    for (size_t i = 0; i != a.size(); ++i)
      if (std::memcmp(a[i].data(), b[i].data(), a[i].size()) != 0)
        return false;
    return true;
  }

  std::vector<GuardedBuffer> run(const Executable &kernel, const Case &c,
                                 GuardedBuffer::Guard guard, int threads) {
    std::vector<GuardedBuffer> out = outputs(c, guard);
    Status status = kernel.run(c.pointers, pointers(out), threads);
    EXPECT_TRUE(status.isOk()) << status.toString();
    for (const GuardedBuffer &buffer : out)
      EXPECT_TRUE(buffer.slackIsIntact()) << "wrote outside of the output";
    return out;
  }

  void compare(const ReferenceOutput &expected, const TensorType &type,
               const GuardedBuffer &out, bool exact,
               const std::string &schedule) {
    std::vector<int64_t> at = elementPositions(type);
    ASSERT_EQ(at.size(), expected.values.size());
    for (size_t i = 0; i != at.size(); ++i) {
      double got = loadElement(out.data(), type.dtype, at[i]);
      double want = expected.values[i];
      double bound = expected.bounds[i];
      if (exact) {
        char rounded[8];
        storeElement(rounded, type.dtype, 0, want);
        want = loadElement(rounded, type.dtype, 0);
        bound = 0;
      }
      if (std::isinf(bound) || std::abs(got - want) <= bound || got == want ||
          (std::isnan(got) && std::isnan(want)))
        continue;
      FAIL() << "element " << i << " of " << at.size() << ": got " << got
             << ", expected " << want << " within " << bound << "\n"
             << schedule;
    }
  }

protected:
  int64_t Scheduled = 0; ///< kernels of a random Schedule
};

TEST_F(ConvSweep, RandomGroups) {
  sweep([&](uint64_t seed) { checkEverywhere(randomConv(seed), seed); });
}
TEST_F(ConvSweep, RandomSeparables) {
  sweep([&](uint64_t seed) { checkEverywhere(randomSeparable(seed), seed); });
}
TEST_F(ConvSweep, RandomMatmuls) {
  sweep([&](uint64_t seed) { checkEverywhere(randomMatmul(seed), seed); });
}
TEST_F(ConvSweep, RandomRows) {
  sweep([&](uint64_t seed) { checkEverywhere(randomRows(seed), seed); });
}
TEST_F(ConvSweep, RandomPools) {
  sweep([&](uint64_t seed) { checkEverywhere(randomPool(seed), seed); });
}

TEST_F(ConvSweep, RandomPads) {
  sweep([&](uint64_t seed) { checkEverywhere(randomPad(seed), seed); });
}

// Where taps lie apart, an edge pixel's first one is not next to the border.
TEST_F(ConvSweep, EdgesOfDilatedDepthwiseRows) {
  constexpr int64_t width = 13, channels = 9;
  for (int64_t dilation : {2, 3, 4})
    for (int64_t stride : {1, 2})
      for (auto [low, high] : {std::pair(0, 1), std::pair(1, 2)}) {
        Graph graph;
        ValueId x = graph.addArgument(
            TensorType::permuted(DType::F32, {1, channels, width}, {0, 2, 1}));
        ValueId w = graph.addArgument(
            TensorType::contiguous(DType::F32, {channels, 1, 3}));
        using List = std::vector<int64_t>;
        AttributeMap attributes{
            {"stride", List{stride}}, {"dilation", List{dilation}},
            {"pad_lo", List{low}},    {"pad_hi", List{high}},
            {"groups", channels},     {"acc", DType::F32}};
        int64_t out = (width + low + high - 2 * dilation - 1) / stride + 1;
        graph.addOutput(
            graph.addNode(Op::Conv, {x, w}, attributes,
                          {TensorType::permuted(DType::F32, {1, channels, out},
                                                {0, 2, 1})})[0]);
        checkEverywhere(canonicalize(graph), 3);
      }
}

TEST_F(ConvSweep, RandomAttentions) {
  sweep([&](uint64_t seed) { checkEverywhere(randomAttention(seed), seed); });
}

// NaNs reach all that sees them and nothing else; denormals are kept.
TEST_F(ConvSweep, SpecialValuesInAttentions) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (bool causal : {false, true})
      for (uint64_t seed : {11, 12, 13}) {
        Case c;
        c.graph = plainAttention(dtype, causal);
        fillOperands(c, seed, Fill::Special, GuardedBuffer::Guard::After);
        // Some rows see few keys, or none.
        const TensorType &mask = c.graph.value(c.graph.arguments()[3]).type;
        for (int64_t i = 0; i != mask.numElements(); ++i)
          if (i / 50 % 3 == 0 || i % 7 < 3)
            storeElement(c.arguments[3].data(), dtype, i, -INFINITY);
        checkCase(c, false, GuardedBuffer::Guard::After);
      }
}

// Statistics of rows with an infinity or a NaN, and what lies between them.
TEST_F(ConvSweep, SpecialValuesInRows) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (int64_t length : {7, 40, 5000})
      for (Op op : {Op::Norm, Op::NormGrad, Op::Softmax, Op::SoftmaxGrad,
                    Op::Reduce, Op::ArgReduce}) {
        Case c;
        c.graph = plainRows(op, dtype, length);
        fillOperands(c, 11, Fill::Special, GuardedBuffer::Guard::After);
        checkCase(c, false, GuardedBuffer::Guard::After);
      }
}

// A NaN in one window is none in the next; of two the last counts.
TEST_F(ConvSweep, SpecialValuesInPools) {
  using List = std::vector<int64_t>;
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (const char *fn : {"max", "avg"})
      for (bool channelsLast : {false, true}) {
        Case c;
        std::vector<size_t> order{0, 1, 2, 3};
        if (channelsLast)
          order = {0, 2, 3, 1};
        bool indices = fn == std::string("max");
        AttributeMap attributes{
            {"acc", dtype == DType::F64 ? DType::F64 : DType::F32},
            {"ceil", false},
            {"dilation", List{1, 1}},
            {"fn", std::string(fn)},
            {"pad_hi", List{1, 1}},
            {"pad_lo", List{1, 1}},
            {"stride", List{2, 1}},
            {"window", List{3, 3}}};
        List in{2, 19, 9, 17}, out{2, 19, 5, 17};
        ValueId x = c.graph.addArgument(TensorType::permuted(dtype, in, order));
        TensorType type = TensorType::permuted(dtype, out, order);
        attributes["indices"] = indices;
        if (!indices) {
          c.graph.addOutput(
              c.graph.addNode(Op::Pool, {x}, attributes, {type})[0]);
        } else {
          ValueId at = c.graph.addNode(
              Op::Pool, {x}, attributes,
              {type, TensorType::permuted(DType::I64, out, order)})[1];
          ValueId dy = c.graph.addArgument(type);
          attributes.erase("indices");
          attributes["size"] = List{9, 17};
          c.graph.addOutput(
              c.graph.addNode(Op::PoolGrad, {dy, at}, attributes,
                              {TensorType::permuted(dtype, in, order)})[0]);
        }
        fillOperands(c, 7, Fill::Special, GuardedBuffer::Guard::After);
        checkCase(c, false, GuardedBuffer::Guard::After);
      }
}

TEST_F(ConvSweep, SpecialValuesInBatchNorms) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (Op op : {Op::BatchNorm, Op::BatchNormGrad})
      for (bool channelsLast : {false, true}) {
        Case c;
        c.graph = plainBatchNorm(op, dtype, channelsLast);
        fillOperands(c, 11, Fill::Special, GuardedBuffer::Guard::After);
        checkCase(c, false, GuardedBuffer::Guard::After);
      }
}

// The filter is ones, so a sum of subnormal numbers is exact: a flush to zero
// shows, and so does a NaN or an infinity in the wrong place.
TEST_F(ConvSweep, SubnormalsInfinitiesAndNaNs) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (int64_t pad : {0, 1}) {
      Case c;
      using List = std::vector<int64_t>;
      ValueId x = c.graph.addArgument(
          TensorType::permuted(dtype, {2, 5, 9, 17}, {0, 2, 3, 1}));
      ValueId w =
          c.graph.addArgument(TensorType::contiguous(dtype, {19, 5, 3, 3}));
      int64_t shrink = 2 - 2 * pad;
      AttributeMap attributes{
          {"stride", List{1, 1}},
          {"dilation", List{1, 1}},
          {"pad_lo", List{pad, pad}},
          {"pad_hi", List{pad, pad}},
          {"groups", int64_t(1)},
          {"acc", dtype == DType::F64 ? DType::F64 : DType::F32}};
      c.graph.addOutput(c.graph.addNode(
          Op::Conv, {x, w}, attributes,
          {TensorType::permuted(dtype, {2, 19, 9 - shrink, 17 - shrink},
                                {0, 2, 3, 1})})[0]);
      fillOperands(c, 7, Fill::Special, GuardedBuffer::Guard::After);
      for (int64_t i = 0; i != 19 * 5 * 9; ++i)
        storeElement(c.arguments[1].data(), dtype, i, 1.0);
      checkCase(c, true, GuardedBuffer::Guard::After);
    }
}

// Winograd wherever it is possible, whatever it costs, in Schedules that no
// model would choose.
TEST_F(ConvSweep, RandomWinograd) {
  sweep([&](uint64_t seed) {
    std::string entry = randomWinogradSchedule(seed);
    SCOPED_TRACE(entry);
    checkEverywhere(randomWinograd(seed), seed, entry, "fast");
  });
}

// Where nothing is certain nothing is compared: what is left are sums of tiny
// numbers, and NaNs that must not spread beyond their tile.
TEST_F(ConvSweep, WinogradOfSubnormalsInfinitiesAndNaNs) {
  for (const char *algorithm : {"winograd-4x4", "winograd-2x2"}) {
    Case c;
    for (uint64_t seed = 1; c.graph.nodes().empty(); ++seed) {
      Graph graph = randomWinograd(seed);
      if (graph.nodes().size() == 1)
        c.graph = std::move(graph);
    }
    c.math = "fast";
    c.tuningEntry = "algorithm=" + std::string(algorithm);
    fillOperands(c, 7, Fill::Special, GuardedBuffer::Guard::After);
    checkCase(c, false, GuardedBuffer::Guard::After);
  }
}

// The same of the gradients: special values in the output's gradient reach the
// input's through a filter of ones, and those in the input the filter's through
// an output gradient of ones, where no padding may meet them.
TEST_F(ConvSweep, SpecialValuesInGradients) {
  using List = std::vector<int64_t>;
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (Op op : {Op::ConvGradInput, Op::ConvGradWeight})
      for (int64_t stride : {1, 2}) {
        Case c;
        int64_t rows = (9 - 1) / stride + 1, columns = (17 - 1) / stride + 1;
        bool wantsInput = op == Op::ConvGradInput;
        List out{2, 19, rows, columns}, in{2, 5, 9, 17}, filter{19, 5, 3, 3};
        ValueId dy =
            c.graph.addArgument(TensorType::permuted(dtype, out, {0, 2, 3, 1}));
        ValueId other = c.graph.addArgument(
            TensorType::contiguous(dtype, wantsInput ? filter : in));
        AttributeMap attributes{
            {"stride", List{stride, stride}},
            {"dilation", List{1, 1}},
            {"pad_lo", List{1, 1}},
            {"pad_hi", List{1, 1}},
            {"groups", int64_t(1)},
            {"size", wantsInput ? List{9, 17} : List{3, 3}},
            {"acc", dtype == DType::F64 ? DType::F64 : DType::F32}};
        c.graph.addOutput(c.graph.addNode(
            op, {dy, other}, attributes,
            {TensorType::contiguous(dtype, wantsInput ? in : filter)})[0]);
        fillOperands(c, 7, Fill::Special, GuardedBuffer::Guard::After);
        size_t ones = wantsInput ? 1 : 0;
        const TensorType &type = c.graph.value(c.graph.arguments()[ones]).type;
        for (int64_t i = 0; i != type.numElements(); ++i)
          storeElement(c.arguments[ones].data(), dtype, i, 1.0);
        checkCase(c, true, GuardedBuffer::Guard::After);
      }
}

// A reduction that fills no whole vector, pair or matrix tile ends where the
// next row begins, and a NaN there must stay there.
TEST_F(ConvSweep, NaNsBesideTheReduction) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    for (int64_t k : {5, 31, 33, 37, 70}) {
      SCOPED_TRACE("k = " + std::to_string(k));
      Case product, conv;
      ValueId a =
          product.graph.addArgument(TensorType::contiguous(dtype, {3, k}));
      // Its columns lie side by side along k as well.
      ValueId b = product.graph.addArgument(
          TensorType::permuted(dtype, {k, 19}, {1, 0}));
      product.graph.addOutput(
          product.graph.addNode(Op::Matmul, {a, b}, {{"acc", DType::F32}},
                                {TensorType::contiguous(dtype, {3, 19})})[0]);
      using List = std::vector<int64_t>;
      std::vector<size_t> last{0, 2, 3, 1};
      ValueId x = conv.graph.addArgument(
          TensorType::permuted(dtype, {1, k, 5, 5}, last));
      ValueId w = conv.graph.addArgument(
          TensorType::permuted(dtype, {19, k, 2, 2}, last));
      AttributeMap attributes{{"stride", List{1, 1}}, {"dilation", List{1, 1}},
                              {"pad_lo", List{0, 0}}, {"pad_hi", List{0, 0}},
                              {"groups", int64_t(1)}, {"acc", DType::F32}};
      conv.graph.addOutput(conv.graph.addNode(
          Op::Conv, {x, w}, attributes,
          {TensorType::permuted(dtype, {1, 19, 4, 4}, last)})[0]);
      for (Case *c : {&product, &conv}) {
        c->math = "default";
        fillOperands(*c, 7, Fill::Random, GuardedBuffer::Guard::After);
        // The second row of A, the second pixel of the last row; the last
        // column of B, the last filter.
        int64_t row = c == &product ? 1 : 21;
        int64_t filter = c == &product ? 18 * k : 18 * 4 * k;
        for (int64_t i = 0; i != k; ++i) {
          storeElement(c->arguments[0].data(), dtype, row * k + i, NAN);
          storeElement(c->arguments[1].data(), dtype, filter + i, NAN);
        }
        checkCase(*c, false, GuardedBuffer::Guard::After);
      }
    }
}

// LLVM 22 stores 32 bits for a single masked lane of 16 in a short vector.
TEST_F(ConvSweep, SingleLaneOfSixteenBits) {
  for (DType dtype : {DType::BF16, DType::F16})
    for (int64_t channels : {1, 5, 9, 17, 33}) {
      Graph graph;
      ValueId x =
          graph.addArgument(TensorType::permuted(dtype, {1, 4, 8}, {0, 2, 1}));
      ValueId w =
          graph.addArgument(TensorType::contiguous(dtype, {channels, 4, 1}));
      using List = std::vector<int64_t>;
      AttributeMap attributes{{"stride", List{1}},    {"dilation", List{1}},
                              {"pad_lo", List{0}},    {"pad_hi", List{0}},
                              {"groups", int64_t(1)}, {"acc", DType::F32}};
      graph.addOutput(graph.addNode(
          Op::Conv, {x, w}, attributes,
          {TensorType::permuted(dtype, {1, channels, 8}, {0, 2, 1})})[0]);
      checkEverywhere(canonicalize(graph), 3);
      checkEverywhere(canonicalize(graph), 4);
    }
}

// Columns may stand apart in memory just as they do in scratch: what is between
// them is not the tensor's, and behind the last one nothing is.
TEST_F(ConvSweep, ColumnsApartLikeThoseOfScratch) {
  Graph graph;
  TensorType apart = TensorType::contiguous(DType::F32, {1, 1024, 14});
  apart.strides = {0, 1, 1024 + 64 / 4};
  ValueId x = graph.addArgument(apart);
  ValueId w =
      graph.addArgument(TensorType::contiguous(DType::F32, {16, 1024, 3}));
  using List = std::vector<int64_t>;
  AttributeMap attributes{{"stride", List{1}},    {"dilation", List{1}},
                          {"pad_lo", List{1}},    {"pad_hi", List{1}},
                          {"groups", int64_t(1)}, {"acc", DType::F32}};
  graph.addOutput(
      graph.addNode(Op::Conv, {x, w}, attributes,
                    {TensorType::contiguous(DType::F32, {1, 16, 14})})[0]);
  checkEverywhere(canonicalize(graph), 3);
}

// Filter gradients whose taps of a row are channels of a copy: windows at the
// ends of the input, pieces that taps meet in part, lanes over either side.
TEST_F(ConvSweep, FilterGradientsOfFewChannels) {
  using List = std::vector<int64_t>;
  struct Shape {
    int64_t batch, in, out, groups;
    List space, filter, stride, pad;
  };
  const Shape shapes[] = {
      {2, 3, 20, 1, {37, 41}, {7, 7}, {2, 2}, {3, 3}},
      {1, 3, 64, 1, {9, 300}, {5, 3}, {2, 3}, {6, 5}},
      {3, 8, 12, 2, {19, 23}, {3, 3}, {1, 1}, {1, 1}},
      {2, 40, 24, 8, {12, 9}, {2, 4}, {2, 1}, {0, 3}},
      {1, 32, 40, 1, {15, 17}, {3, 3}, {1, 1}, {0, 2}},
      {1, 1, 33, 1, {700}, {31}, {1}, {15}},
      {2, 6, 10, 2, {5, 7, 11}, {3, 2, 3}, {2, 1, 2}, {1, 1, 2}},
      {4, 3, 8, 1, {8, 8}, {8, 8}, {8, 8}, {0, 0}},
  };
  for (DType dtype : {DType::F32, DType::BF16, DType::F64})
    for (const Shape &shape : shapes) {
      size_t rank = shape.space.size();
      List in{shape.batch, shape.in}, out{shape.batch, shape.out};
      List filter{shape.out, shape.in / shape.groups}, ones(rank, 1);
      std::vector<size_t> last{0};
      for (size_t d = 0; d != rank; ++d) {
        in.push_back(shape.space[d]);
        filter.push_back(shape.filter[d]);
        out.push_back(convOutputSize(shape.space[d], shape.filter[d],
                                     shape.stride[d], 1, shape.pad[d],
                                     shape.pad[d]));
        last.push_back(d + 2);
      }
      last.push_back(1);
      Graph graph;
      ValueId dy = graph.addArgument(TensorType::permuted(dtype, out, last));
      ValueId x = graph.addArgument(TensorType::permuted(dtype, in, last));
      AttributeMap attributes{
          {"stride", shape.stride},
          {"dilation", ones},
          {"pad_lo", shape.pad},
          {"pad_hi", shape.pad},
          {"groups", shape.groups},
          {"size", shape.filter},
          {"acc", dtype == DType::F64 ? DType::F64 : DType::F32}};
      graph.addOutput(
          graph.addNode(Op::ConvGradWeight, {dy, x}, attributes,
                        {TensorType::permuted(dtype, filter, last)})[0]);
      for (uint64_t seed : {3, 4, 8})
        checkEverywhere(canonicalize(graph), seed);
    }
}

// A constant bias lets constants be packed ahead; the filter is none of them,
// and has no value yet when they are.
TEST_F(ConvSweep, FilterOfAnotherGroupBesideAConstant) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {1, 5, 9});
  ValueId x = graph.addArgument(type);
  TensorType filter = TensorType::contiguous(DType::F32, {5, 5, 1});
  ValueId w =
      graph.addPointwise(PointwiseFn::Neg, {graph.addArgument(filter)}, filter);
  ValueId b = graph.addArgument(TensorType::contiguous(DType::F32, {1, 5, 1}),
                                Role::Constant);
  using List = std::vector<int64_t>;
  AttributeMap attributes{{"stride", List{1}},    {"dilation", List{1}},
                          {"pad_lo", List{0}},    {"pad_hi", List{0}},
                          {"groups", int64_t(1)}, {"acc", DType::F32}};
  ValueId y = graph.addNode(Op::Conv, {x, w}, attributes, {type})[0];
  graph.addOutput(graph.addPointwise(PointwiseFn::Add, {y, b}, type));
  checkEverywhere(canonicalize(graph), 3);
}

// Tails at the limit of a group and beyond it: what passes between groups is
// rounded, here as in the reference.
TEST_F(ConvSweep, LongTails) {
  for (DType dtype : {DType::F32, DType::BF16}) {
    Graph graph;
    std::vector<int64_t> sizes{2, 19, 3, 30};
    TensorType type = TensorType::permuted(dtype, sizes, {0, 2, 3, 1});
    ValueId x = graph.addArgument(type);
    ValueId w =
        graph.addArgument(TensorType::contiguous(dtype, {19, 19, 1, 3}));
    using List = std::vector<int64_t>;
    AttributeMap attributes{{"stride", List{1, 1}}, {"dilation", List{1, 1}},
                            {"pad_lo", List{0, 1}}, {"pad_hi", List{0, 1}},
                            {"groups", int64_t(1)}, {"acc", DType::F32}};
    ValueId y = graph.addNode(Op::Conv, {x, w}, attributes, {type})[0];
    std::vector<size_t> order{0, 1, 2, 3};
    for (int i = 0; i != 20; ++i) {
      std::next_permutation(order.begin(), order.end());
      ValueId r = graph.addArgument(TensorType::permuted(dtype, sizes, order));
      y = graph.addPointwise(PointwiseFn::Add, {y, r}, type);
    }
    for (int i = 0; i != 70; ++i)
      y = graph.addPointwise(PointwiseFn::Tanh, {y}, type);
    graph.addOutput(y);
    checkEverywhere(canonicalize(graph), 5);
  }
}

} // namespace
