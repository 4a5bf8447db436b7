//===- Threads.cpp --------------------------------------------------------===//

#include "boo/runtime/cpu/Threads.h"
#include "boo/base/Env.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <dlfcn.h>
#include <pthread.h>
#include <vector>

using namespace boo;

// libgomp's entry points. -fopenmp is banned here: clang's brings a second
// OpenMP runtime, and with -fopenmp=libgomp it emits serial code.
extern "C" {
void GOMP_parallel(void (*fn)(void *), void *data, unsigned numThreads,
                   unsigned flags);
void GOMP_barrier(void);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
}

static std::atomic<bool> forked{false};
static std::atomic<bool> hadOthers{false}; ///< the parent, when it forked

// Registered while the program loads, so before any fork that matters. Where
// the system does not tell how many threads there are, there may be others.
[[maybe_unused]] static const int forkHandler = ::pthread_atfork(
    [] { hadOthers = listDirectory("/proc/self/task").size() != 1; }, nullptr,
    [] {
      if (hadOthers)
        forked.store(true, std::memory_order_relaxed);
    });

bool boo::inForkedChild() { return forked.load(std::memory_order_relaxed); }

namespace {
/// Writes what passes between one call of lap() and the next, if asked to.
class Stopwatch {
public:
  explicit Stopwatch(double *us) : Us(us) {
    if (us)
      Last = Clock::now();
  }
  void lap() {
    if (!Us)
      return;
    Clock::time_point now = Clock::now();
    *Us++ = std::chrono::duration<double, std::micro>(now - Last).count();
    Last = now;
  }

private:
  using Clock = std::chrono::steady_clock;
  double *Us;
  Clock::time_point Last;
};

/// How many tiles of one worker's range have been taken, by itself or by
/// others; each step counts in the other one of the two. Workers write their
/// own often, so each has a cache line to itself.
struct alignas(64) Taken {
  std::atomic<int64_t> tiles[2] = {0, 0};
};

struct Region {
  std::span<const Step> steps;
  std::vector<Taken> taken; ///< of each worker; fewer may have come
  char *scratch;
  int64_t scratchStride;
  Stopwatch watch; ///< worker 0's; the last lap is the caller's
  std::atomic<int64_t> failedStep{INT64_MAX};
  std::atomic<int32_t> code{0};
};
} // namespace

static StepError runSerially(std::span<const Step> steps, void *scratch,
                             Stopwatch watch) {
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step &step = steps[i];
    boo_tile tile{0, step.grid, 0, scratch};
    if (step.grid != 0)
      if (int32_t code = step.fn(step.args, &tile))
        return {int64_t(i), code};
    watch.lap();
  }
  return {};
}

namespace {
class Worker {
public:
  explicit Worker(Region &region)
      : R(region), Id(omp_get_thread_num()), Workers(omp_get_num_threads()),
        Scratch(region.scratch ? region.scratch + Id * region.scratchStride
                               : nullptr) {}

  void run() {
    for (size_t i = 0; i < R.steps.size(); ++i) {
      // All workers must agree on where to stop, or a barrier waits for ever.
      // One that is ahead may already have failed in this very step: that must
      // not stop the others before it.
      if (R.failedStep.load(std::memory_order_acquire) < int64_t(i))
        return;
      // All are done with the step before, whose count is the next one's.
      R.taken[size_t(Id)].tiles[(i + 1) % 2].store(0,
                                                   std::memory_order_relaxed);
      if (int32_t code = runStep(i)) {
        int64_t none = INT64_MAX;
        if (R.failedStep.compare_exchange_strong(none, int64_t(i)))
          R.code.store(code, std::memory_order_relaxed);
      }
      if (i + 1 == R.steps.size())
        return;
      GOMP_barrier();
      if (Id == 0)
        R.watch.lap();
    }
  }

private:
  /// First this worker's tiles: it may have in its cache what it wrote for them
  /// in the step before. Then those of others, who may be slower; of few, so
  /// that on a machine of many not all ask all.
  int32_t runStep(size_t index) {
    int32_t code = runShare(index, Id);
    bool oneEach = R.steps[index].grid <= Workers;
    for (int64_t ahead = 1; ahead < Workers && !oneEach && code == 0;
         ahead *= 2)
      code = runShare(index, (Id + ahead) % Workers);
    return code;
  }

  /// What is left of a worker's tiles, a quarter of it at a time: each call of
  /// a kernel begins anew, and the last ones should be short.
  int32_t runShare(size_t index, int64_t owner) {
    const Step &step = R.steps[index];
    TileRange range = tileRange(step.grid, owner, Workers);
    int64_t count = range.end - range.begin;
    std::atomic<int64_t> &taken = R.taken[size_t(owner)].tiles[index % 2];
    int64_t begin = taken.load(std::memory_order_relaxed);
    while (begin < count) {
      int64_t end = begin + std::max<int64_t>(1, (count - begin) / 4);
      if (!taken.compare_exchange_weak(begin, end, std::memory_order_relaxed))
        continue;
      boo_tile tile{range.begin + begin, range.begin + end, Id, Scratch};
      if (int32_t code = step.fn(step.args, &tile))
        return code;
      begin = taken.load(std::memory_order_relaxed);
    }
    return 0;
  }

  Region &R;
  int64_t Id, Workers;
  void *Scratch;
};
} // namespace

static void work(void *data) { Worker(*static_cast<Region *>(data)).run(); }

StepError boo::runSteps(std::span<const Step> steps, int threads, void *scratch,
                        int64_t scratchStride, double *us) {
  // The team is always of the size asked for, even for fewer tiles: libgomp
  // ends the threads that a smaller team leaves over.
  bool parallel = false;
  if (threads > 1)
    for (const Step &step : steps)
      parallel |= step.grid > 1;
  if (!parallel || inForkedChild())
    return runSerially(steps, scratch, Stopwatch(us));
  Region region{steps, std::vector<Taken>(size_t(threads)),
                static_cast<char *>(scratch), scratchStride, Stopwatch(us)};
  GOMP_parallel(work, &region, unsigned(threads), 0);
  region.watch.lap();
  int64_t failed = region.failedStep.load(std::memory_order_relaxed);
  if (failed == INT64_MAX)
    return {};
  return {failed, region.code.load(std::memory_order_relaxed)};
}

int boo::defaultThreads() {
  int threads = env().ompNumThreads;
  return threads > 0 ? threads : cpuInfo().affinityCpus;
}

int boo::maxThreads() { return std::max(1024, cpuInfo().onlineCpus); }

const char *boo::openMpRuntime() {
  Dl_info info;
  if (::dladdr(reinterpret_cast<void *>(&GOMP_parallel), &info) &&
      info.dli_fname)
    return info.dli_fname;
  return "unknown";
}
