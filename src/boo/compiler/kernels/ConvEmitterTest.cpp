//===- ConvEmitterTest.cpp - Several nests in one kernel ------------------===//
//
// The gradient of a strided convolution with respect to its input, written as
// one nest for each phase of the output: flipped filters, inputs that begin
// behind their first pixel, outputs that are every other pixel of a tensor.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/abi/KernelAbi.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/compiler/emit/Emit.h"
#include "boo/compiler/pipelines/Pipelines.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

using namespace mlir;
using namespace boo;
using namespace boo::compiler;

namespace {

// Two groups of 3 and 5 channels; dx[i] = sum over r of
// dy[(i + 2 - r) / 2] * w[r], where the division leaves no rest.
constexpr int64_t Groups = 2, K = 3, C = 5, W = 9, Filter = 3, Out = 6;

/// What the two phases share: channels contiguous in w only.
ConvNest phase(const Graph &group) {
  ConvNest nest;
  nest.input = group.arguments()[0];
  nest.filter = group.arguments()[1];
  nest.sum = nest.result = group.nodes().front().results[0];
  nest.groupSizes = {Groups};
  ConvProblem &p = nest.problem;
  p.groups = Groups;
  p.inChannels = Groups * K;
  p.outChannels = Groups * C;
  p.in[2] = Out;
  p.inStrides.channel = Out;
  p.inStrides.spatial[2] = 1;
  p.inStrides.group = {K * Out};
  p.filterStrides.outer = Filter;
  p.filterStrides.channel = C * Filter;
  p.filterStrides.group = {K * C * Filter};
  p.outStrides.channel = W;
  p.outStrides.spatial[2] = 2;
  p.outStrides.group = {C * W};
  return nest;
}

Graph dummyGroup() {
  Graph group;
  ValueId dy = group.addArgument(
      boo::TensorType::contiguous(DType::F32, {1, Groups * K, Out}));
  ValueId w = group.addArgument(
      boo::TensorType::contiguous(DType::F32, {Groups * K, C, Filter}));
  group.addOutput(group.addNode(
      boo::Op::Conv, {dy, w}, {},
      {boo::TensorType::contiguous(DType::F32, {1, Groups * C, W})})[0]);
  return group;
}

TEST(ConvEmitter, PhasesOfADataGradient) {
  Graph group = dummyGroup();
  // Even pixels meet w[2] and w[0], odd ones w[1] from the second pixel on.
  ConvNest even = phase(group), odd = phase(group);
  even.problem.out[2] = 5;
  even.problem.filter[2] = 2;
  even.problem.filterStrides.base = 2;
  even.problem.filterStrides.spatial[2] = -2;
  odd.problem.out[2] = 4;
  odd.problem.padLo[2] = -1;
  odd.problem.filterStrides.base = 1;
  odd.problem.outStrides.base = 1;
  EXPECT_EQ(even.needsScratch(false), "");
  EXPECT_EQ(odd.needsScratch(false), "");

  for (bool scratch : {false, true}) {
    DialectRegistry registry;
    registerDialects(registry);
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    context.loadAllAvailableDialects();
    KernelModule kernel;
    kernel.module = ModuleOp::create(UnknownLoc::get(&context));
    KernelBuilder builder(*kernel.module);
    Schedule schedule;
    schedule.vectorBits = 128;
    schedule.fma = false;
    schedule.mTile = 3;
    schedule.scratchInput = scratch;
    for (const ConvNest &nest : {even, odd}) {
      ConvEmitter emitter(builder, group, nest, schedule, {});
      ASSERT_TRUE(emitter.checkSizes().isOk());
      emitter.emit(kernel);
    }
    ASSERT_EQ(kernel.run.size(), 4u);
    EXPECT_EQ(kernel.run[2].symbol, "boo_dispatch_2");
    // Two blocks of four lanes a group, each with two taps and three channels:
    // 384 bytes. The second nest has one tap.
    EXPECT_EQ(kernel.workspaceBytes, 384 + 192);

    LoweringOptions options;
    options.vectorBits = 128;
    options.fma = false;
    PassManager passes(&context);
    buildLoweringPipeline(passes, options);
    ASSERT_TRUE(succeeded(passes.run(*kernel.module)));
    auto object = emitObject(*kernel.module, Manifest(), Target{}, nullptr);
    ASSERT_TRUE(object.isOk()) << object.status().message();
    std::string path = ::testing::TempDir() + "boo-nests-XXXXXX";
    int file = mkstemp(path.data());
    ASSERT_GE(file, 0) << path;
    close(file);
    Status linked = linkShared(*object, path);
    auto library = DynamicLibrary::open(path);
    unlink(path.c_str());
    ASSERT_TRUE(linked.isOk()) << linked.message();
    ASSERT_TRUE(library.isOk()) << library.status().message();

    std::vector<float> dy(Groups * K * Out), w(Groups * K * C * Filter);
    for (size_t i = 0; i != dy.size(); ++i)
      dy[i] = float(i % 7) - 3;
    for (size_t i = 0; i != w.size(); ++i)
      w[i] = float(i % 5) - 2;
    std::vector<float> dx(Groups * C * W, -100), want(dx.size(), 0);
    for (int64_t k = 0; k != Groups * K; ++k)
      for (int64_t c = 0; c != C; ++c)
        for (int64_t i = 0; i != W; ++i)
          for (int64_t r = 0; r != Filter; ++r)
            if ((i + 2 - r) % 2 == 0)
              want[size_t((k / K * C + c) * W + i)] +=
                  dy[size_t(k * Out + (i + 2 - r) / 2)] *
                  w[size_t((k * C + c) * Filter + r)];

    const void *inputs[] = {dy.data(), w.data()};
    void *outputs[] = {dx.data()};
    alignas(64) char workspace[1024], worker[4096];
    ASSERT_LE(kernel.scratchBytes, int64_t(sizeof(worker)));
    boo_args args = {inputs, outputs, nullptr, nullptr, workspace};
    for (const Dispatch &dispatch : kernel.run) {
      auto *function = reinterpret_cast<boo_dispatch_fn>(
          library->find(dispatch.symbol.c_str()));
      ASSERT_NE(function, nullptr) << dispatch.symbol;
      boo_tile tile = {0, dispatch.grid, 0, worker};
      EXPECT_EQ(function(&args, &tile), 0);
    }
    EXPECT_EQ(dx, want) << "scratch " << scratch;
  }
}

} // namespace
