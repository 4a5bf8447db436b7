//===- PlanExecutableTest.cpp - Plans of several groups -------------------===//

#include "boo/runtime/CompilerPlugin.h"
#include "boo/runtime/ElfFile.h"
#include "boo/runtime/Launcher.h"
#include "boo/runtime/cpu/CpuInfo.h"
#include "boo/runtime/testing/Fixture.h"

#include <gmock/gmock.h>
#include <numeric>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// The environment is read once, at its first use in main() or later.
[[maybe_unused]] static const int environment =
    ::setenv("BOO_COMPILER_PLUGIN", BOO_FAKE_COMPILER, 1);

namespace {
class PlanExecutableTest : public ::testing::Test {
protected:
  PlanExecutableTest() {
    Options.target = *targetFor("generic");
    Options.cacheDir = Dir / "cache";
    std::iota(X.begin(), X.end(), -1000.0f);
    for (float x : X)
      Relu.push_back(std::max(x, 0.0f));
  }
  ValueId relu(Graph &graph, ValueId x) {
    return graph.addPointwise(PointwiseFn::Relu, {x}, Type);
  }

  TemporaryDirectory Dir;
  CompileOptions Options;
  TensorType Type = TensorType::contiguous(DType::F32, {FIXTURE_ELEMENTS});
  std::vector<float> X = std::vector<float>(FIXTURE_ELEMENTS), Relu;
};
} // namespace

TEST_F(PlanExecutableTest, EqualGroupsShareAnArtifactAndPassValues) {
  // %1 has two users and lives in the arena; %3 is read and returned.
  Graph graph;
  ValueId x = graph.addArgument(Type), a = relu(graph, x);
  ValueId b = relu(graph, a), c = relu(graph, a), d = relu(graph, c);
  graph.addOutput(b);
  graph.addOutput(c);
  graph.addOutput(d);
  auto executable = load(graph, Options);
  ASSERT_TRUE(executable.isOk()) << executable.status().toString();
  ASSERT_EQ((*executable)->numGroups(), 4u);
  EXPECT_EQ((*executable)->manifest(0).key, (*executable)->manifest(3).key);
  EXPECT_GE((*executable)->memoryBytes(2), 16384 + 4 * FIXTURE_ELEMENTS);
  for (int threads : {1, 2, 3}) {
    std::vector<std::vector<float>> y(3, std::vector<float>(X.size(), -1));
    const void *in[] = {X.data()};
    void *out[] = {y[0].data(), y[1].data(), y[2].data()};
    ASSERT_TRUE((*executable)->run(in, out, threads).isOk());
    for (const auto &result : y)
      EXPECT_EQ(result, Relu) << threads;
  }
}

TEST_F(PlanExecutableTest, WritesIntoAnInOutArgument) {
  Graph graph;
  ValueId x = graph.addArgument(Type, Role::InOut);
  graph.addOutput(relu(graph, x), x);
  auto executable = load(graph, Options);
  ASSERT_TRUE(executable.isOk()) << executable.status().toString();
  const void *in[] = {X.data()};
  void *out[] = {nullptr}; // the argument's memory is the output's
  ASSERT_TRUE((*executable)->run(in, out, 2).isOk());
  EXPECT_EQ(X, Relu);
}

TEST_F(PlanExecutableTest, ManyKeysCompileInParallel) {
  // Lengths make the groups differ; the fake artifact is not run.
  Graph graph;
  for (int64_t i = 1; i <= 20; ++i) {
    TensorType type = TensorType::contiguous(DType::F32, {i});
    ValueId x = graph.addArgument(type);
    graph.addOutput(graph.addPointwise(PointwiseFn::Relu, {x}, type));
  }
  auto executable = load(graph, Options);
  ASSERT_TRUE(executable.isOk()) << executable.status().toString();
  EXPECT_EQ((*executable)->numGroups(), 20u);
  for (size_t i = 0; i < 20; ++i)
    EXPECT_EQ((*executable)->report(i).cache, CacheOutcome::Miss);
  EXPECT_EQ(listDirectory(Options.cacheDir).size(), 21u); // and the locks
}

TEST(CompilerPlugin, BuildsNameThePlugin) {
  EXPECT_EQ(*findCompilerPlugin(), BOO_FAKE_COMPILER);
  EXPECT_THAT(compilerBuildsOf(BOO_FAKE_COMPILER),
              MatchesRegex("boo-compiler=[0-9a-f]{16,40}"));
  EXPECT_EQ(compilerBuilds(), compilerBuildsOf(BOO_FAKE_COMPILER));
  TemporaryDirectory dir;
  putFile(dir / "plain.so", "no ELF file");
  EXPECT_THAT(compilerBuildsOf(dir / "plain.so"),
              MatchesRegex("boo-compiler=size11-mtime[0-9.]+"));
}

TEST(ElfFile, ReadsThisProgram) {
  auto info = readElfInfo("/proc/self/exe");
  ASSERT_TRUE(info.isOk()) << info.status().message();
  EXPECT_THAT(info->needed, ::testing::Contains(HasSubstr("libgomp.so")));
  EXPECT_FALSE(readElfInfo("/proc/self/cmdline").isOk());
  EXPECT_EQ(readElfInfo("/absent").status().code(), StatusCode::NotFound);
}
