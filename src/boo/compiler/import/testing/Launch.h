//===- Launch.h - Compiles a group and runs it between guards ---*- C++ -*-===//
//
// Every operand lies against an inaccessible page, with its last byte or with
// its first, so a step outside of a tensor is a crash.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/abi/KernelAbi.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/compiler/Compiler.h"
#include "boo/ops/Reference.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace boo::testing {

enum class Guard { Before, After };

/// Memory for a tensor, with an inaccessible page on one side of it.
class Buffer {
public:
  Buffer(int64_t bytes, Guard guard) : Bytes(size_t(bytes)) {
    size_t page = size_t(sysconf(_SC_PAGESIZE));
    size_t inside = (std::max<size_t>(Bytes, 1) + page - 1) / page * page;
    MapBytes = inside + page;
    Map = static_cast<char *>(mmap(nullptr, MapBytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(Map, MAP_FAILED);
    bool after = guard == Guard::After;
    Data = after ? Map + inside - Bytes : Map + page;
    EXPECT_EQ(mprotect(after ? Map + inside : Map, page, PROT_NONE), 0);
    std::memset(Data, 0x7F, Bytes);
  }
  Buffer(Buffer &&other) noexcept
      : Map(std::exchange(other.Map, nullptr)), Data(other.Data),
        MapBytes(other.MapBytes), Bytes(other.Bytes) {}
  ~Buffer() {
    if (Map)
      munmap(Map, MapBytes);
  }
  char *data() const { return Data; }
  size_t size() const { return Bytes; }

private:
  char *Map, *Data;
  size_t MapBytes, Bytes;
};

/// What this machine can run.
inline std::vector<Isa> isas() {
  std::vector<Isa> result{Isa::Generic};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c"))
    result.push_back(Isa::Avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    result.push_back(Isa::Avx512);
  return result;
}

/// One group, its operands and its outputs in memory.
class Launch {
public:
  Launch(const Graph &graph, Guard guard) : G(graph) {
    for (ValueId id : graph.arguments())
      Ins.emplace_back(graph.value(id).type.spanBytes(), guard);
    for (const Output &output : graph.outputs())
      if (output.into == kNoValue)
        Outs.emplace_back(graph.value(output.value).type.spanBytes(), guard);
    size_t next = 0;
    for (const Buffer &buffer : Ins)
      InPointers.push_back(buffer.data());
    for (const Output &output : graph.outputs())
      OutPointers.push_back(output.into == kNoValue
                                ? Outs[next++].data()
                                : InPointers[argument(output.into)]);
  }

  const std::vector<void *> &ins() const { return InPointers; }
  const std::vector<void *> &outs() const { return OutPointers; }

  /// Calls `value` for every element that an argument's strides reach.
  void fill(const std::function<double()> &value) {
    for (size_t i = 0; i != Ins.size(); ++i) {
      const TensorType &type = G.value(G.arguments()[i]).type;
      for (int64_t at : elementPositions(type))
        storeElement(InPointers[i], type.dtype, at, value());
    }
  }

  void compileAndRun(Isa isa) {
    std::string path = ::testing::TempDir() + "/import-test-" +
                       std::to_string(getpid()) + ".so";
    Status status = compile(isa, path);
    ASSERT_TRUE(status.isOk()) << status.toString();
    auto library = DynamicLibrary::open(path);
    unlink(path.c_str());
    ASSERT_TRUE(library.isOk()) << library.status().toString();
    auto manifest = parseManifest(
        static_cast<const char *>(library->find(BOO_MANIFEST_SYMBOL)));
    ASSERT_TRUE(manifest.isOk()) << manifest.status().toString();
    Buffer workspace((manifest->workspaceBytes + 63) / 64 * 64, Guard::After);
    EXPECT_EQ(manifest->scratchBytes, 0);
    int64_t dims = 0;
    boo_args args = {InPointers.data(), OutPointers.data(), &dims, nullptr,
                     workspace.data()};
    for (const Dispatch &dispatch : manifest->run) {
      auto function = reinterpret_cast<boo_dispatch_fn>(
          library->find(dispatch.symbol.c_str()));
      ASSERT_NE(function, nullptr) << dispatch.symbol;
      // Two workers, the second one first: no order is promised.
      int64_t middle = dispatch.grid / 2;
      boo_tile second = {middle, dispatch.grid, 1, nullptr};
      boo_tile first = {0, middle, 0, nullptr};
      EXPECT_EQ(function(&args, &second), 0);
      EXPECT_EQ(function(&args, &first), 0);
    }
  }

  /// The text of a transform library for the compiles that follow.
  void setTransforms(std::string text) { Transforms = std::move(text); }

  /// The artifact to `path`, the emitted module to `mlir`; "" for neither.
  Status compile(Isa isa, const std::string &path,
                 const std::string &mlir = "") const {
    std::string graphText = printGraph(G);
    std::string targetText = printTarget(Target{.isa = isa});
    boo_compile_request request = {};
    request.struct_size = sizeof request;
    request.graph_text = graphText.c_str();
    request.target_text = targetText.c_str();
    request.math = "strict";
    request.tuning_entry = request.dump_dir = "";
    request.mlir_path = mlir.c_str();
    request.transforms = Transforms.c_str();
    request.key = request.name = request.builds = "test";
    request.output_path = path.c_str();
    return compiler::compileGroup(request);
  }

private:
  size_t argument(ValueId id) const {
    const std::vector<ValueId> &all = G.arguments();
    return size_t(std::find(all.begin(), all.end(), id) - all.begin());
  }

  const Graph &G;
  std::string Transforms;
  std::vector<Buffer> Ins, Outs;
  std::vector<void *> InPointers, OutPointers;
};

} // namespace boo::testing
