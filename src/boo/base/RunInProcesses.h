//===- RunInProcesses.h - Pieces of work in child processes -----*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <functional>
#include <span>

namespace boo {

/// What is done where. `work` runs in a child, all else in the caller.
struct ProcessJobs {
  /// Does a job and returns its answer, any bytes. What it changes in memory
  /// stays in the child, which goes on with further jobs.
  std::function<std::string(size_t job)> work;
  /// Gets each job's answer, or why its child ended without one.
  std::function<void(size_t job, StatusOr<std::string> answer)> done;
  /// Called several times a second, and after each answer. May be empty.
  std::function<void()> tick;
};

/// Runs `jobs` in up to `processes` children of this process, handed out one by
/// one in their order. A child that crashes or is killed costs the job it was
/// on, and is replaced. After a Ctrl-C (base/Interrupt.h) no further jobs are
/// handed out; those under way are finished, as children ignore it. The caller
/// may hold no lock that `work` needs. An error means that not one child could
/// be started.
Status runInProcesses(std::span<const size_t> jobs, int64_t processes,
                      const ProcessJobs &what);

} // namespace boo
