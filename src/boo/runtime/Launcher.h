//===- Launcher.h - From a Graph to a running kernel ------------*- C++ -*-===//
//
// The middle of the road: partition, key, cache, and on a miss the compiler
// plugin; then buffers, workspace and threads. Everything a front end needs to
// run a Graph, and nothing of LLVM.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/abi/Manifest.h"
#include "boo/base/Target.h"
#include "boo/graph/Graph.h"

#include <memory>
#include <span>
#include <vector>

namespace boo {

enum class CacheOutcome { Hit, Miss, Off };

struct CompileOptions {
  Target target; ///< runtime/cpu/CpuInfo.h: hostTarget()
  std::string math = "default";
  std::string name; ///< func_name, the first group's; "" derives one for it
  bool constantsPacked = false;
  bool useCache = true;   ///< false: compile into a temporary folder
  bool recompile = false; ///< compile even if an entry exists
  std::string cacheDir;   ///< "" = BOO_CACHE_DIR or its default
  std::string dumpDir;    ///< BOO_DUMP_DIR
  /// For every group; "" asks environmentTuning().
  std::string tuningEntry;
  bool useTuning = true; ///< false: that is not asked, nor its library
};

/// How a group's artifact came to be loaded. Times in milliseconds.
struct LoadReport {
  CacheOutcome cache = CacheOutcome::Miss;
  double compileMs = 0; ///< miss to published artifact, plugin load included
  double loadMs = 0;    ///< verify and dlopen
  std::string artifact; ///< path of the file
};

/// A Graph ready to run: its groups' artifacts are loaded. Safe to run from
/// several threads at once.
class Executable {
public:
  virtual ~Executable();

  virtual const Graph &graph() const = 0;
  virtual size_t numGroups() const = 0;
  virtual const Manifest &manifest(size_t group) const = 0;
  virtual const LoadReport &report(size_t group) const = 0;
  /// Workspace, packed constants, arena and the scratch of `threads` workers.
  virtual int64_t memoryBytes(int threads) const = 0;

  /// Packs the constants found in `in` (a buffer for every argument). Needed
  /// once before run() when the Graph has constants and constantsPacked is set.
  virtual Status prepare(std::span<const void *const> in, int threads) = 0;

  /// Runs on the caller's buffers, one for each argument and output in order;
  /// symbols in `dims`. Blocks until done. Results do not depend on `threads`.
  /// `us`, if not NULL, has room for the microseconds of every dispatch of
  /// every group's manifest; those behind one that fails are not written.
  virtual Status run(std::span<const void *const> in,
                     std::span<void *const> out, int threads,
                     std::span<const int64_t> dims = {},
                     double *us = nullptr) const = 0;
};

/// Options as the environment sets them: BOO_CACHE_ON, BOO_MATH, BOO_DUMP_DIR,
/// for the best target of this machine. Fails when a variable has an unusable
/// value.
StatusOr<CompileOptions> defaultCompileOptions();

/// Loads every group's artifact from the cache, compiling what is missing.
StatusOr<std::unique_ptr<Executable>> load(const Graph &graph,
                                           const CompileOptions &options);

/// One of the kernels that a Graph needs.
struct NeededKernel {
  std::string key, name;
  std::string graph; ///< canonical text of the group
};
/// What load() would look for, each once. Nothing is loaded or compiled.
StatusOr<std::vector<NeededKernel>>
neededKernels(const Graph &graph, const CompileOptions &options);

/// Whether load() would find this kernel in the cache.
bool isCached(const NeededKernel &kernel, const CompileOptions &options);

/// A kernel's module as its emitter writes it, before any pass: emitted by the
/// compiler plugin, for any target.
struct EmittedModule {
  NeededKernel kernel;
  std::string mlir;
};
/// With `toTheEnd` all passes run behind it, so that options.dumpDir gets every
/// stage; the artifact is thrown away.
StatusOr<std::vector<EmittedModule>> emitModules(const Graph &graph,
                                                 const CompileOptions &options,
                                                 bool toTheEnd = false);

/// What a search for the Schedule of a group may try.
struct ScheduleSteps {
  std::string from;               ///< that of options.tuningEntry, in full
  std::vector<std::string> steps; ///< a decision away, the likely ones first
};
/// `group` is the text of a NeededKernel. A tuningEntry of "" is the compiler's
/// own choice, whatever BOO_TUNING_SPEC_PATH says.
StatusOr<ScheduleSteps> scheduleSteps(const std::string &group,
                                      const CompileOptions &options);

} // namespace boo
