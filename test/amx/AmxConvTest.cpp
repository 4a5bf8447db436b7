//===- AmxConvTest.cpp - Convolutions and products by matrix unit ---------===//
//
// Random bf16 groups compiled for the target amx and run by hand, on the CPU's
// own AMX or on the emulator: the launcher would refuse a target that the CPU
// does not have.
//
//===----------------------------------------------------------------------===//

#include "AmxEmulator.h"
#include "GuardedBuffer.h"
#include "RandomConv.h"
#include "RandomMatmul.h"
#include "RandomSource.h"
#include "boo/abi/CompilerAbi.h"
#include "boo/abi/KernelAbi.h"
#include "boo/abi/Manifest.h"
#include "boo/ops/Reference.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>

using namespace boo;
using namespace boo::testing;

namespace {

using Guard = GuardedBuffer::Guard;

class AmxConv : public ::testing::Test {
protected:
  void SetUp() override {
    if (!targetFor("avx512").isOk())
      GTEST_SKIP() << "kernels for amx use AVX-512, which this CPU has not";
    if (!cpuInfo().usable("amx-bf16"))
      installAmxEmulator();
    const char *path = std::getenv("BOO_COMPILER_PLUGIN");
    ASSERT_TRUE(path) << "BOO_COMPILER_PLUGIN names the plugin";
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ASSERT_TRUE(plugin) << dlerror();
    Compile = reinterpret_cast<decltype(Compile)>(
        dlsym(plugin, "boo_compiler_compile"));
    ASSERT_TRUE(Compile);
  }

  /// Loads the artifact of a group; null after a failure.
  void *compile(const Graph &graph, Manifest &manifest) {
    Target target;
    target.isa = Isa::Amx;
    std::string text = printGraph(graph), targetText = printTarget(target);
    std::string output = ::testing::TempDir() + "amx-" +
                         std::to_string(getpid()) + "-" +
                         std::to_string(Serial++) + ".so";
    boo_compile_request request{};
    request.struct_size = sizeof(request);
    request.graph_text = text.c_str();
    request.target_text = targetText.c_str();
    request.math = "default";
    request.tuning_entry = request.transforms = request.key = "";
    request.builds = "";
    request.dump_dir = request.mlir_path = "";
    request.name = "amx";
    request.output_path = output.c_str();
    boo_compile_result result;
    EXPECT_EQ(Compile(&request, &result), 0) << result.message;
    void *kernel = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
    unlink(output.c_str());
    if (!kernel) {
      ADD_FAILURE() << dlerror();
      return nullptr;
    }
    auto parsed = parseManifest(
        static_cast<const char *>(dlsym(kernel, BOO_MANIFEST_SYMBOL)));
    EXPECT_TRUE(parsed.isOk());
    manifest = *parsed;
    return kernel;
  }

  void run(void *kernel, const Manifest &manifest,
           const std::vector<const void *> &in, void *out) {
    GuardedBuffer workspace(size_t(manifest.workspaceBytes + 63) / 64 * 64,
                            Guard::After);
    GuardedBuffer scratch(size_t(manifest.scratchBytes + 63) / 64 * 64,
                          Guard::After);
    // Nothing may depend on what scratch memory held before.
    std::fill_n(static_cast<uint8_t *>(scratch.data()), scratch.size(), 0xFF);
    void *outs[] = {out};
    int64_t dims = 0;
    boo_args args{in.data(), outs, &dims, nullptr, workspace.data()};
    for (const Dispatch &dispatch : manifest.run) {
      auto function = reinterpret_cast<boo_dispatch_fn>(
          dlsym(kernel, dispatch.symbol.c_str()));
      ASSERT_TRUE(function);
      // Two calls, as two workers would make them.
      boo_tile first{0, dispatch.grid / 2, 0, scratch.data()};
      boo_tile second{dispatch.grid / 2, dispatch.grid, 0, scratch.data()};
      ASSERT_EQ(function(&args, &first), 0);
      ASSERT_EQ(function(&args, &second), 0);
    }
  }

  void check(const Graph &graph, uint64_t seed) {
    SCOPED_TRACE(printGraph(graph));
    Manifest manifest;
    void *kernel = compile(graph, manifest);
    if (!kernel)
      return;
    if (manifest.instruction == "amx-bf16")
      ++OnMatrixUnit;
    Guard guard = seed % 2 ? Guard::After : Guard::Before;
    std::mt19937_64 random(seed);
    std::vector<GuardedBuffer> buffers;
    std::vector<const void *> in;
    for (ValueId id : graph.arguments()) {
      const TensorType &type = graph.value(id).type;
      buffers.emplace_back(size_t(type.spanBytes()), guard);
      for (int64_t i = 0; i != type.spanBytes() / 2; ++i)
        storeElement(buffers.back().data(), type.dtype, i,
                     double(pick(random, -512, 512)) / 256);
      in.push_back(buffers.back().data());
    }
    const TensorType &type = graph.value(graph.outputs().front().value).type;
    GuardedBuffer out(size_t(type.spanBytes()), guard);
    run(kernel, manifest, in, out.data());
    EXPECT_TRUE(out.slackIsIntact());
    auto expected = evaluateReference(graph, in, "direct", 2);
    ASSERT_TRUE(expected.isOk()) << expected.status().message();
    compare(type, out.data(), expected->front(), manifest.schedule);
    dlclose(kernel);
  }

  int64_t OnMatrixUnit = 0;

private:
  void compare(const TensorType &type, const void *out,
               const ReferenceOutput &expected, const std::string &schedule) {
    std::vector<int64_t> at = elementPositions(type);
    for (size_t i = 0; i != at.size(); ++i) {
      double got = loadElement(out, type.dtype, at[i]);
      double want = expected.values[i], bound = expected.bounds[i];
      ASSERT_TRUE(std::isinf(bound) || std::abs(got - want) <= bound)
          << "element " << i << ": got " << got << ", expected " << want
          << " within " << bound << "\n"
          << schedule;
    }
  }

  decltype(&boo_compiler_compile) Compile = nullptr;
  int Serial = 0;
};

TEST_F(AmxConv, RandomGroups) {
  int done = 0;
  for (uint64_t seed = 1; done != 25; ++seed) {
    Graph graph = randomConv(seed);
    const Node &conv = graph.nodes().front();
    const TensorType &filter = graph.value(conv.operands[1]).type;
    const TensorType &out = graph.value(conv.results[0]).type;
    // The emulator takes a microsecond and more for each instruction.
    bool small = out.numElements() * filter.numElements() <
                 40'000'000 * out.sizes[1].size();
    if (filter.dtype != DType::BF16 || filter.sizes[1].size() < 8 || !small)
      continue;
    ++done;
    SCOPED_TRACE("seed " + std::to_string(seed));
    check(graph, seed);
    if (HasFailure())
      return;
  }
  EXPECT_GT(OnMatrixUnit, 10);
  if (!cpuInfo().usable("amx-bf16")) {
    EXPECT_GT(amxCounts().products, 0);
    EXPECT_EQ(amxCounts().configs, amxCounts().releases)
        << "every configuration is released";
  }
}

TEST_F(AmxConv, RandomSeparables) {
  int done = 0;
  for (uint64_t seed = 1; done != 15; ++seed) {
    Graph graph = randomSeparable(seed);
    const TensorType &out = graph.value(graph.outputs().front().value).type;
    int64_t channels = graph.value(graph.arguments()[0]).type.sizes[1].size();
    if (out.dtype != DType::BF16 || channels < 16 ||
        out.numElements() * channels > 4'000'000)
      continue;
    ++done;
    SCOPED_TRACE("seed " + std::to_string(seed));
    check(graph, seed);
    if (HasFailure())
      return;
  }
  EXPECT_GT(OnMatrixUnit, 8);
}

TEST_F(AmxConv, RandomMatmuls) {
  int done = 0;
  for (uint64_t seed = 1; done != 25; ++seed) {
    Graph graph = randomMatmul(seed);
    const Node &matmul = graph.nodes().front();
    const TensorType &a = graph.value(matmul.operands[0]).type;
    const TensorType &out = graph.value(matmul.results[0]).type;
    int64_t k = a.sizes.back().size();
    if (a.dtype != DType::BF16 || k < 8 || out.numElements() * k > 4'000'000)
      continue;
    ++done;
    SCOPED_TRACE("seed " + std::to_string(seed));
    check(graph, seed);
    if (HasFailure())
      return;
  }
  EXPECT_GT(OnMatrixUnit, 8);
}

// Columns of two groups of 16 channels are as long as one group's in scratch,
// zeros included: the second group's may not be copied with what follows.
TEST_F(AmxConv, TwoGroupsOfHalfATile) {
  Graph graph;
  ValueId x = graph.addArgument(
      TensorType::permuted(DType::BF16, {1, 32, 14}, {0, 2, 1}));
  ValueId w =
      graph.addArgument(TensorType::contiguous(DType::BF16, {32, 16, 3}));
  using List = std::vector<int64_t>;
  AttributeMap attributes{{"stride", List{1}},    {"dilation", List{1}},
                          {"pad_lo", List{1}},    {"pad_hi", List{1}},
                          {"groups", int64_t(2)}, {"acc", DType::F32}};
  graph.addOutput(graph.addNode(
      Op::Conv, {x, w}, attributes,
      {TensorType::permuted(DType::BF16, {1, 32, 14}, {0, 2, 1})})[0]);
  check(canonicalize(graph), 1);
  EXPECT_EQ(OnMatrixUnit, 1);
}

} // namespace
