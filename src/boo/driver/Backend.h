//===- Backend.h - What runs a Graph ----------------------------*- C++ -*-===//
#pragma once

#include "boo/driver/records/RunResult.h"
#include "boo/runtime/Launcher.h"

#include <functional>
#include <memory>
#include <span>

namespace boo {

/// How the Graph came to run, for reports. Figures of several groups are added,
/// their texts joined by " + ". Times in milliseconds, NaN = none.
struct RunnerInfo {
  std::string algorithm, schedule, instruction, artifact, cache;
  std::vector<std::string> why;
  Isa isa = Isa::Generic;
  double compileMs = 0, loadMs = 0;
  int64_t workspaceBytes = 0;
  bool bitsForAnyThreads = true; ///< results do not depend on their number
};

/// A Graph that is ready to run on buffers laid out by its types.
class Runner {
public:
  virtual ~Runner();
  virtual const RunnerInfo &info() const = 0;
  /// Memory beside the operands.
  virtual int64_t memoryBytes(int threads) const = 0;
  /// Packs constants; once, before the first run.
  virtual Status prepare(std::span<const void *const> in, int threads) = 0;
  virtual Status run(std::span<const void *const> in,
                     std::span<void *const> out, int threads) = 0;
  /// Writes the last run's results to `out`, if run() leaves that to this. A
  /// backend that makes results in memory of its own is timed without a copy.
  virtual Status deliver(std::span<void *const> out);
  /// run(), and the time of each of its dispatches; fails if it is not made of
  /// such.
  virtual StatusOr<std::vector<DispatchTime>>
  profile(std::span<const void *const> in, std::span<void *const> out,
          int threads);
};

using BackendFactory = std::function<StatusOr<std::unique_ptr<Runner>>(
    const Graph &, const CompileOptions &)>;

/// Adds to those of Backends.inc. Not thread-safe; call it before any command
/// runs.
void registerBackend(std::string name, BackendFactory factory);
/// All there are now.
std::vector<std::string> backendNames();
Status checkBackend(const std::string &name);
StatusOr<std::unique_ptr<Runner>> makeRunner(const std::string &backend,
                                             const Graph &graph,
                                             const CompileOptions &options);

} // namespace boo
