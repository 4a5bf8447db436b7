//===- LauncherTest.cpp - load() and run() with a fake compiler -----------===//

#include "boo/runtime/Launcher.h"
#include "boo/runtime/PlanExecutable.h"
#include "boo/runtime/cpu/CpuInfo.h"
#include "boo/runtime/cpu/Threads.h"
#include "boo/runtime/testing/Fixture.h"

#include <cmath>
#include <gmock/gmock.h>
#include <numeric>
#include <sys/wait.h>
#include <thread>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

// The environment is read once, at its first use in main() or later.
[[maybe_unused]] static const int environment =
    ::setenv("BOO_COMPILER_PLUGIN", BOO_FAKE_COMPILER, 1);

static Graph pointwise(const char *fn, Role role = Role::Input) {
  auto function = parsePointwiseFn(fn);
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {FIXTURE_ELEMENTS});
  ValueId x = graph.addArgument(type, role);
  graph.addOutput(graph.addPointwise(*function, {x}, type));
  return graph;
}

namespace {
class LauncherTest : public ::testing::Test {
protected:
  LauncherTest() {
    Options.target = *targetFor("generic");
    Options.cacheDir = Dir / "cache";
    Options.name = "relu_4096";
    std::iota(X.begin(), X.end(), -2000.0f);
  }

  std::unique_ptr<Executable> loadOrDie(const Graph &graph) {
    auto executable = load(graph, Options);
    EXPECT_TRUE(executable.isOk()) << executable.status().toString();
    return executable.isOk() ? std::move(*executable) : nullptr;
  }

  static Status runOn(const Executable &executable, const std::vector<float> &x,
                      std::vector<float> &y, int threads) {
    const void *in[] = {x.data()};
    void *out[] = {y.data()};
    return executable.run(in, out, threads);
  }

  TemporaryDirectory Dir;
  CompileOptions Options;
  std::vector<float> X = std::vector<float>(FIXTURE_ELEMENTS);
  std::vector<float> Y = std::vector<float>(FIXTURE_ELEMENTS, -1);
};
} // namespace

TEST_F(LauncherTest, MissThenHit) {
  for (CacheOutcome expected : {CacheOutcome::Miss, CacheOutcome::Hit}) {
    auto executable = loadOrDie(pointwise("relu"));
    ASSERT_TRUE(executable);
    EXPECT_EQ(executable->report(0).cache, expected);
    EXPECT_EQ(executable->report(0).compileMs > 0,
              expected == CacheOutcome::Miss);
    EXPECT_THAT(executable->report(0).artifact,
                HasSubstr("/relu_4096/" + executable->manifest(0).key));
    ASSERT_TRUE(runOn(*executable, X, Y, 1).isOk());
    for (size_t i = 0; i < Y.size(); ++i)
      ASSERT_EQ(Y[i], std::max(X[i], 0.0f)) << i;
  }
  std::string link = Options.cacheDir + "/relu_4096/relu_4096.mlir";
  EXPECT_THAT(std::filesystem::read_symlink(link).string(),
              ::testing::EndsWith(".mlir"));
  EXPECT_TRUE(std::filesystem::exists(link));
}

TEST_F(LauncherTest, ResultsDoNotDependOnThreads) {
  auto executable = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(executable);
  ASSERT_TRUE(runOn(*executable, X, Y, 1).isOk());
  for (int threads : {2, 3, 7, 64, 100}) {
    std::vector<float> other(FIXTURE_ELEMENTS, -1);
    ASSERT_TRUE(runOn(*executable, X, other, threads).isOk());
    EXPECT_EQ(other, Y) << threads;
  }
}

TEST_F(LauncherTest, RunsFromSeveralThreadsAtOnce) {
  auto executable = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(executable);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::vector<float> x(FIXTURE_ELEMENTS), y(FIXTURE_ELEMENTS);
      for (int round = 0; round < 200; ++round) {
        std::iota(x.begin(), x.end(), float(t * 1000 - 1500 + round));
        wrong += !runOn(*executable, x, y, 1 + round % 3).isOk();
        for (size_t i = 0; i < y.size(); ++i)
          wrong += y[i] != std::max(x[i], 0.0f);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(LauncherTest, AChildForkedDuringALoadCanLoad) {
  Graph graph = pointwise("relu");
  auto kept = loadOrDie(graph);
  ASSERT_TRUE(kept);
  std::atomic<bool> stop{false};
  std::thread others([&] {
    while (!stop)
      (void)load(graph, Options).isOk();
  });
  bool hung = false;
  for (int i = 0; i < 200 && !hung; ++i) {
    pid_t child = ::fork();
    if (child == 0) {
      ::alarm(10); // a hang is a failure
      ::_exit(load(graph, Options).isOk() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    hung = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  }
  stop = true;
  others.join();
  EXPECT_FALSE(hung);
}

TEST_F(LauncherTest, ForkedChildRunsSerially) {
  auto executable = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(executable);
  ASSERT_TRUE(runOn(*executable, X, Y, 2).isOk());
  pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20); // a hang is a failure
    std::vector<float> y(FIXTURE_ELEMENTS);
    bool ok = inForkedChild() && runOn(*executable, X, y, 2).isOk() && y == Y;
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_FALSE(inForkedChild());
}

TEST_F(LauncherTest, KernelErrorsAreNamedAndEndTheRun) {
  auto executable = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(executable);
  for (int threads : {1, 2, 5})
    for (size_t at : {size_t(0), size_t(1234), X.size() - 1}) {
      std::vector<float> x = X;
      x[at] = NAN;
      Status status = runOn(*executable, x, Y, threads);
      EXPECT_EQ(status.code(), StatusCode::KernelError);
      EXPECT_THAT(status.message(),
                  HasSubstr("dispatch turn back: a value is NaN"));
    }
  EXPECT_TRUE(runOn(*executable, X, Y, 2).isOk());
}

TEST_F(LauncherTest, PacksConstantsOnce) {
  Options.constantsPacked = true;
  auto executable = loadOrDie(pointwise("relu", Role::Constant));
  ASSERT_TRUE(executable);
  EXPECT_THAT(runOn(*executable, X, Y, 1).message(),
              HasSubstr("call prepare first"));
  const void *in[] = {X.data()};
  ASSERT_TRUE(executable->prepare(in, 2).isOk());
  ASSERT_TRUE(runOn(*executable, X, Y, 2).isOk());
  for (size_t i = 0; i < Y.size(); ++i)
    ASSERT_EQ(Y[i], std::max(X[i], 0.0f) + 2 * X[i % 4]) << i;
}

TEST_F(LauncherTest, RefusesWrongCounts) {
  auto executable = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(executable);
  void *out[] = {Y.data()};
  const void *in[] = {X.data()};
  EXPECT_THAT(executable->run({}, out, 1).message(),
              HasSubstr("has 1 arguments, given are 0"));
  EXPECT_THAT(executable->run(in, {}, 1).message(),
              HasSubstr("has 1 outputs, given are 0"));
  EXPECT_FALSE(executable->run(in, out, 0).isOk());
  EXPECT_THAT(executable->run(in, out, 1 << 20).message(),
              HasSubstr("1048576 threads are asked for"));
}

TEST_F(LauncherTest, RefusesMoreMemoryThanThereIs) {
  std::string key = keyOf(1), path = Dir / "large.so";
  std::string bytes = fixtureBytes(key), field = "workspace_bytes ";
  bytes.replace(bytes.find(field) + field.size(), 16, "0009000000000000");
  putFile(path, bytes);
  ASSERT_TRUE(sealArtifact(path).isOk());
  auto artifact = loadArtifact(path, key);
  ASSERT_TRUE(artifact.isOk());
  auto plan = makePlan(pointwise("relu"));
  ASSERT_TRUE(plan.isOk());
  PlanExecutable executable(pointwise("relu"), *plan, {{*artifact, {}}});
  Status status = runOn(executable, X, Y, 1);
  EXPECT_EQ(status.code(), StatusCode::OutOfMemory);
  EXPECT_THAT(status.message(), HasSubstr("this plan needs 9000000000"));
}

TEST_F(LauncherTest, CompilerErrorsComeThroughAndLeaveNothing) {
  auto executable = load(pointwise("neg"), Options);
  ASSERT_FALSE(executable.isOk());
  EXPECT_EQ(executable.status().code(), StatusCode::CompileError);
  EXPECT_EQ(executable.status().message(),
            "relu_4096: op neg: refused by pass fake-lowering");
  EXPECT_TRUE(listDirectory(Options.cacheDir + "/relu_4096").empty());
}

TEST_F(LauncherTest, CacheOffLeavesNothing) {
  Options.useCache = false;
  auto executable = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(executable);
  EXPECT_EQ(executable->report(0).cache, CacheOutcome::Off);
  EXPECT_TRUE(runOn(*executable, X, Y, 2).isOk());
  EXPECT_FALSE(std::filesystem::exists(Options.cacheDir));
}

TEST_F(LauncherTest, RecompileReplacesWhatIsInUse) {
  auto first = loadOrDie(pointwise("relu"));
  Options.recompile = true;
  auto second = loadOrDie(pointwise("relu"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->report(0).cache, CacheOutcome::Miss);
  EXPECT_TRUE(runOn(*first, X, Y, 2).isOk());
  EXPECT_TRUE(runOn(*second, X, Y, 2).isOk());
}

TEST_F(LauncherTest, NameDoesNotDecideReuse) {
  loadOrDie(pointwise("relu"));
  Options.name = "another";
  auto executable = loadOrDie(pointwise("relu"));
  EXPECT_EQ(executable->report(0).cache, CacheOutcome::Hit);
}

TEST_F(LauncherTest, FirstGroupHasTheName) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {FIXTURE_ELEMENTS});
  ValueId x = graph.addArgument(type);
  ValueId y = graph.addPointwise(PointwiseFn::Relu, {x}, type);
  graph.addOutput(graph.addPointwise(PointwiseFn::Neg, {y}, type));
  graph.addOutput(graph.addPointwise(PointwiseFn::Exp, {y}, type));
  auto kernels = neededKernels(graph, Options);
  ASSERT_TRUE(kernels.isOk()) << kernels.status().toString();
  ASSERT_GT(kernels->size(), 1u);
  EXPECT_EQ(kernels->front().name, Options.name);
  // Files of a dump go by the name: no two groups share one.
  EXPECT_NE(kernels->back().name, Options.name);
}

TEST_F(LauncherTest, RefusesBadMathAndForeignTargets) {
  Options.math = "sloppy";
  EXPECT_THAT(load(pointwise("relu"), Options).status().message(),
              HasSubstr("math=sloppy: expected strict, default or fast"));
  Options.math = "fast";
  Options.target.isa = Isa::Amx;
  Options.target.avx512Fp16 = true;
  if (canRun(Options.target).isOk())
    GTEST_SKIP() << "this machine has AMX";
  EXPECT_THAT(load(pointwise("relu"), Options).status().message(),
              HasSubstr("this machine cannot run amx code: "));
}

TEST_F(LauncherTest, TellsWhatItNeedsAndWhetherThatIsCached) {
  Graph graph = pointwise("relu");
  auto kernels = neededKernels(graph, Options);
  ASSERT_TRUE(kernels.isOk()) << kernels.status().toString();
  ASSERT_EQ(kernels->size(), 1u);
  const NeededKernel &kernel = kernels->front();
  EXPECT_EQ(kernel.name, "relu_4096");
  EXPECT_THAT(kernel.graph, HasSubstr("\"relu\""));
  EXPECT_FALSE(isCached(kernel, Options));
  EXPECT_FALSE(std::filesystem::exists(Options.cacheDir));

  auto executable = loadOrDie(graph);
  ASSERT_TRUE(executable);
  EXPECT_EQ(kernel.key, executable->manifest(0).key);
  EXPECT_TRUE(isCached(kernel, Options));
  NeededKernel renamed = kernel;
  renamed.name = "another";
  EXPECT_TRUE(isCached(renamed, Options));
  CompileOptions strict = Options;
  strict.math = "strict";
  EXPECT_NE(neededKernels(graph, strict)->front().key, kernel.key);

  // What find() would not take is not there.
  std::string path = executable->report(0).artifact;
  std::string bytes = *readFile(path);
  bytes[bytes.size() / 2] ^= 1;
  putFile(path, bytes);
  EXPECT_FALSE(isCached(kernel, Options));
}

TEST_F(LauncherTest, EmitsModulesForAnyTargetAndKeepsNothing) {
  Options.target.isa = Isa::Amx;
  auto modules = emitModules(pointwise("relu"), Options);
  ASSERT_TRUE(modules.isOk()) << modules.status().toString();
  ASSERT_EQ(modules->size(), 1u);
  EXPECT_EQ(modules->front().mlir, "// relu_4096\nmodule {}\n");
  EXPECT_FALSE(std::filesystem::exists(Options.cacheDir));
  EXPECT_TRUE(emitModules(pointwise("relu"), Options, true).isOk());
  Status refused = emitModules(pointwise("neg"), Options).status();
  EXPECT_THAT(refused.message(), HasSubstr("refused by pass fake-lowering"));
}

TEST_F(LauncherTest, ACompilerMayKnowNoSchedulesToTry) {
  auto needed = neededKernels(pointwise("relu"), Options);
  ASSERT_TRUE(needed.isOk());
  auto steps = scheduleSteps(needed->front().graph, Options);
  EXPECT_EQ(steps.status().code(), StatusCode::Unsupported);
  EXPECT_THAT(steps.status().message(), HasSubstr("older than this program"));
}
