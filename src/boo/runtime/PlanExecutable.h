//===- PlanExecutable.h - Runs a plan on the CPU ----------------*- C++ -*-===//
//
// All that a call needs is worked out ahead. A warm call borrows a context
// (memory and tables of its own), fills in the caller's addresses, and runs the
// whole plan in one parallel region: no allocation, no text, no lock.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/partition/Partition.h"
#include "boo/runtime/Allocator.h"
#include "boo/runtime/Cache.h"
#include "boo/runtime/cpu/Threads.h"

#include <atomic>
#include <mutex>

namespace boo {

class PlanExecutable final : public Executable {
public:
  /// `artifacts` has one entry for each group of the plan.
  PlanExecutable(Graph graph, Plan plan, std::vector<CachedArtifact> artifacts);
  ~PlanExecutable() override;

  const Graph &graph() const override { return G; }
  size_t numGroups() const override { return Groups.size(); }
  const Manifest &manifest(size_t group) const override;
  const LoadReport &report(size_t group) const override;
  int64_t memoryBytes(int threads) const override;
  Status prepare(std::span<const void *const> in, int threads) override;
  Status run(std::span<const void *const> in, std::span<void *const> out,
             int threads, std::span<const int64_t> dims,
             double *us) const override;

private:
  /// Where a value of the plan lies in memory.
  struct Place {
    enum Kind { Argument, Output, Arena } kind;
    int64_t at; ///< index, or offset in the arena
  };
  struct GroupState {
    CachedArtifact cached;
    std::vector<Place> arguments, outputs;
    HostBuffer constants;
  };
  struct Context;

  Place placeOf(ValueId value) const;
  Status checkArguments(std::span<const void *const> in, int threads) const;
  StatusOr<std::unique_ptr<Context>> makeContext(int threads) const;
  StatusOr<std::unique_ptr<Context>> borrow(int threads) const;
  void giveBack(std::unique_ptr<Context> context) const;
  void bind(Context &context, std::span<const void *const> in,
            std::span<void *const> out, const int64_t *dims) const;
  Status kernelError(bool preparing, const StepError &error) const;

  Graph G;
  Plan P;
  std::vector<GroupState> Groups;
  int64_t WorkspaceBytes = 0, ScratchStride = 0, ConstantsBytes = 0;
  size_t NumSymbols = 0;
  bool Prepared = true;

  /// The context of the last call, taken and given back by one exchange, and
  /// those of calls that ran beside it.
  mutable std::atomic<Context *> Spare{nullptr};
  mutable std::mutex PoolMutex;
  mutable std::vector<std::unique_ptr<Context>> Pool;
};

} // namespace boo
