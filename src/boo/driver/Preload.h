//===- Preload.h - Compiles a list of commands into the cache ---*- C++ -*-===//
#pragma once

#include "boo/driver/ProgramLine.h"

#include <functional>
#include <map>

namespace boo {

struct PreloadOptions {
  int64_t processes = 1;
  bool modulesOnly = false; ///< write <name>/<key>.mlir, compile nothing
  std::string cacheDir;     ///< never ""
};

enum class PreloadOutcome {
  Waiting, ///< not yet done, or never, when Ctrl-C came first
  Cached,  ///< all its kernels were in the cache
  Same,    ///< its kernels are those of an earlier command
  Done,    ///< compiled, or its modules written
  Failed,
};

struct PreloadItem {
  PlannedCommand planned;
  std::vector<NeededKernel> kernels;
  PreloadOutcome outcome = PreloadOutcome::Waiting;
  size_t sameAs = 0; ///< index of the first with its kernels
  double ms = 0;     ///< that a worker took
  Status status;
};

/// A list of commands on its way into the cache. What is cached is found by its
/// key, without a compiler and before any worker starts; each of the others is
/// compiled once, by one of several worker processes.
class Preload {
public:
  explicit Preload(PreloadOptions options) : Options(std::move(options)) {}

  /// Adds a command and looks for its kernels.
  void add(PlannedCommand planned);
  size_t numWaiting() const;
  /// Compiles what waits; `done` is told each item. An error means that no
  /// worker could be started.
  Status run(const std::function<void(const PreloadItem &)> &done);

  const std::vector<PreloadItem> &items() const { return Items; }
  size_t count(PreloadOutcome outcome) const;

private:
  bool isThere(const PreloadItem &item) const;
  /// In the worker: does the item, and tells how that went.
  std::string work(const PreloadItem &item) const;
  Status compile(const PreloadItem &item) const;
  Status writeModules(const PreloadItem &item) const;

  PreloadOptions Options;
  std::vector<PreloadItem> Items;
  std::map<std::string, size_t> FirstWith; ///< by the keys of an item's kernels
};

} // namespace boo
