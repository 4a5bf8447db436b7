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

struct Region {
  std::span<const Step> steps;
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

static void work(void *data) {
  auto &region = *static_cast<Region *>(data);
  int64_t worker = omp_get_thread_num(), workers = omp_get_num_threads();
  void *scratch =
      region.scratch ? region.scratch + worker * region.scratchStride : nullptr;
  for (size_t i = 0; i < region.steps.size(); ++i) {
    // All workers must agree on where to stop, or a barrier waits for ever. One
    // that is ahead may already have failed in this very step: that must not
    // stop the others before it.
    if (region.failedStep.load(std::memory_order_acquire) < int64_t(i))
      return;
    const Step &step = region.steps[i];
    TileRange range = tileRange(step.grid, worker, workers);
    if (range.begin < range.end) {
      boo_tile tile{range.begin, range.end, worker, scratch};
      if (int32_t code = step.fn(step.args, &tile)) {
        int64_t none = INT64_MAX;
        if (region.failedStep.compare_exchange_strong(none, int64_t(i)))
          region.code.store(code, std::memory_order_relaxed);
      }
    }
    if (i + 1 == region.steps.size())
      return;
    GOMP_barrier();
    if (worker == 0)
      region.watch.lap();
  }
}

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
  Region region{steps, static_cast<char *>(scratch), scratchStride,
                Stopwatch(us)};
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
