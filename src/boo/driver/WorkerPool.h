//===- WorkerPool.h - Jobs in processes that may die ------------*- C++ -*-===//
//
// Workers are made by fork() alone, from a process whose only thread is the
// caller's: it runs no kernel and so starts no team of threads. A worker thus
// has what the program has (backends that a Python package registered, parsed
// commands, the environment), needs no protocol to be told of it, and is of the
// same build even if the program's file is replaced meanwhile. One that
// executes the program anew would have none of that, and could not be had where
// BOO is a library in another program.
//
// A worker does one job after the other, so that what the first one opened (the
// compiler plugin) serves them all; one that dies is replaced.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstddef>
#include <functional>
#include <span>

namespace boo {

/// How a job ended.
struct JobEnd {
  bool returned = false; ///< its worker lives
  bool timedOut = false; ///< it was killed, having had its time
  int waitStatus = 0;    ///< of a worker that died, as waitpid() tells it

  /// "killed by SIGSEGV (bad memory access)", of one that did not return.
  std::string describe() const;
};

struct WorkerOptions {
  int workers = 1; ///< jobs under way at once

  /// In a worker: does the job, and sends messages about it to the program.
  /// False when this process should do no other, because its memory may be
  /// damaged. Running out of memory (bad_alloc) ends the worker, too.
  using Send = std::function<void(std::string_view)>;
  std::function<bool(size_t job, const Send &send)> work;

  /// In the program: seconds that a job may take, 0 = any.
  std::function<double(size_t job)> timeout;
  std::function<void(size_t job)> onStart;
  std::function<void(size_t job, std::string_view message)> onMessage;
  std::function<void(size_t job, const JobEnd &end)> onEnd;
};

/// Begins the jobs in this order and returns when all have ended, in any order.
/// Once interrupted(), no more begin; those under way are told, and killed when
/// they go on for two seconds more. onEnd is not called for jobs that then died
/// or never began. The error tells that no worker could be made.
Status runInWorkers(std::span<const size_t> jobs, const WorkerOptions &options);

} // namespace boo
