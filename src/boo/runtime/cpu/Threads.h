//===- Threads.h - One parallel region for a whole plan ---------*- C++ -*-===//
//
// Workers are those of libgomp, called directly, so that BOO and everything
// else in the process that uses OpenMP (torch) share one pool.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/abi/KernelAbi.h"

#include <span>

namespace boo {

/// One dispatch of a plan with its buffers.
struct Step {
  boo_dispatch_fn fn = nullptr;
  int64_t grid = 0;
  const boo_args *args = nullptr;
};

/// The step that failed, and what it returned; code 0 = all went well.
struct StepError {
  int64_t step = -1;
  int32_t code = 0;
};

/// Runs the steps one after the other, each spread over up to `threads`
/// workers, with a barrier between steps. A worker calls the kernel for parts
/// of a contiguous range of its own, then for what others have left of theirs:
/// neighbours, other programs and uneven tiles make some slower. Worker w gets
/// scratch + w * scratchStride. After an error later steps do not run. With one
/// thread, and inForkedChild(), everything runs on the caller. `us`, if not
/// NULL, has room for each step's time: until all workers are done with it.
StepError runSteps(std::span<const Step> steps, int threads, void *scratch,
                   int64_t scratchStride, double *us = nullptr);

/// The range of worker `worker` of `workers` in a grid: they differ by at most
/// one tile.
struct TileRange {
  int64_t begin, end;
};
inline TileRange tileRange(int64_t grid, int64_t worker, int64_t workers) {
  int64_t share = grid / workers, rest = grid % workers;
  int64_t begin = worker * share + (worker < rest ? worker : rest);
  return {begin, begin + share + (worker < rest ? 1 : 0)};
}

/// OMP_NUM_THREADS, else the number of CPUs this process may run on.
int defaultThreads();

/// The most threads that a run may have. libgomp ends the process when the
/// system gives it no more.
int maxThreads();

/// True in a child of fork() whose parent had other threads: OpenMP may count
/// on workers there that do not exist here, so plans run serially.
bool inForkedChild();

/// Path of the OpenMP runtime in use, for `boo devices`.
const char *openMpRuntime();

} // namespace boo
