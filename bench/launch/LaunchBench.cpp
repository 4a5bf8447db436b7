//===- LaunchBench.cpp - What a warm call costs ---------------------------===//
//
// Prints minimum and median of a warm run() in ns, on one thread and on two:
// of a tiny convolution (1x8x4x4, 1x1 filters) where there is a compiler for
// it, and of two dispatches that do nothing, so of the launcher alone.
//
//   launch_bench [CALLS]
//
//===----------------------------------------------------------------------===//

#include "boo/runtime/CompilerPlugin.h"
#include "boo/runtime/Launcher.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <vector>

using namespace boo;

namespace {
struct Sample {
  double min, median;
};
} // namespace

/// Batches of 16 calls, so that the clock's own cost does not count.
template <typename Call> static Sample measure(int calls, Call call) {
  constexpr int batch = 16;
  std::vector<double> times;
  for (int i = 0; i < calls; i += batch) {
    auto start = std::chrono::steady_clock::now();
    for (int j = 0; j < batch; ++j)
      call();
    std::chrono::duration<double, std::nano> elapsed =
        std::chrono::steady_clock::now() - start;
    times.push_back(elapsed.count() / batch);
  }
  std::sort(times.begin(), times.end());
  return {times.front(), times[times.size() / 2]};
}

static int fail(const Status &status) {
  std::fprintf(stderr, "launch_bench: %s\n", status.toString().c_str());
  return 1;
}

static int bench(const char *what, const Graph &graph, int calls) {
  CompileOptions options;
  options.target = hostTarget();
  options.useCache = false;
  auto executable = load(graph, options);
  if (!executable.isOk())
    return fail(executable.status());
  constexpr size_t floats = 4096; // more than any tensor here
  std::vector<float> x(floats, 1.0f), w(floats, 1.0f), y(floats);
  std::vector<const void *> in = {x.data(), w.data()};
  in.resize(graph.arguments().size());
  void *out[] = {y.data()};
  for (int threads : {1, 2}) {
    Status status = (*executable)->run(in, out, threads);
    if (!status.isOk())
      return fail(status);
    Sample run = measure(
        calls, [&] { (void)(*executable)->run(in, out, threads).isOk(); });
    std::printf("%s, threads %d: min %.0f ns, median %.0f ns a call\n", what,
                threads, run.min, run.median);
  }
  return 0;
}

/// One `abs`, for which the fake compiler hands out empty dispatches.
static Graph emptyGraph() {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {4096});
  ValueId x = graph.addArgument(type);
  graph.addOutput(graph.addPointwise(PointwiseFn::Abs, {x}, type));
  return graph;
}

static StatusOr<Graph> tinyConv() {
  return parseGraph(
      "boo.graph 1\n"
      "%0 = input f32[1,8,4,4]{128,1,32,8}\n"
      "%1 = input f32[8,8,1,1]{8,1,0,0}\n"
      "%2 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, "
      "pad_hi = [0, 0], pad_lo = [0, 0], stride = [1, 1]} "
      ": f32[1,8,4,4]{128,1,32,8}\n"
      "return %2\n");
}

int main(int argc, char **argv) {
  int calls = argc > 1 ? std::max(64, std::atoi(argv[1])) : 100000;
  if (argc > 2) // the second process, see below
    return bench("launch alone", emptyGraph(), calls);
  std::printf("machine: %s\n", cpuInfo().brand.c_str());
  if (auto plugin = findCompilerPlugin(); !plugin.isOk()) {
    std::printf("tiny conv: skipped, %s\n", plugin.status().message().c_str());
  } else {
    auto graph = tinyConv();
    if (!graph.isOk())
      return fail(graph.status());
    if (int result = bench("tiny conv", *graph, calls))
      return result;
  }
#ifdef BOO_FAKE_COMPILER
  // A process opens one compiler only.
  std::fflush(stdout);
  ::setenv("BOO_COMPILER_PLUGIN", BOO_FAKE_COMPILER, /*overwrite=*/1);
  std::string count = std::to_string(calls);
  ::execl("/proc/self/exe", argv[0], count.c_str(), "empty", nullptr);
  std::perror("launch_bench");
  return 1;
#else
  return 0;
#endif
}
