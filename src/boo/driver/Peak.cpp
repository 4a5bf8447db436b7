//===- Peak.cpp -----------------------------------------------------------===//

#include "boo/driver/Peak.h"
#include "boo/driver/Timer.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <emmintrin.h>

using namespace boo;

PeakMeter::~PeakMeter() = default;

static double secondsOf(const Step &step, int threads) {
  auto begin = std::chrono::steady_clock::now();
  runSteps({&step, 1}, threads, nullptr, 0);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

namespace {

/// What a burst's workers are handed, through boo_args::workspace.
struct ArithmeticJob {
  PeakKernel kernel;
  int64_t rounds;
};

class Arithmetic {
public:
  Arithmetic(PeakKernel kernel, int threads)
      : Job{kernel, 1000}, Threads(threads) {}

  /// GFLOP/s over all threads, over about `seconds`.
  double measure(double seconds) {
    if (!Job.kernel.burst)
      return NAN;
    boo_args args{};
    args.workspace = &Job;
    Step step{run, Threads, &args};
    if (PerRound > 0)
      Job.rounds = std::max<int64_t>(1000, int64_t(seconds / PerRound));
    double taken = secondsOf(step, Threads);
    if (PerRound == 0) // the first call only learns how long a round is
      Job.rounds = 100000, taken = secondsOf(step, Threads);
    PerRound = taken / double(Job.rounds);
    double rate = double(Threads) * Job.kernel.flopsPerRound / PerRound * 1e-9;
    Rates.push_back(rate);
    return rate;
  }
  double typical() const { return Rates.empty() ? NAN : median(Rates); }

private:
  static int32_t run(const boo_args *args, const boo_tile *tile) {
    auto &job = *static_cast<const ArithmeticJob *>(args->workspace);
    for (int64_t i = tile->begin; i < tile->end; ++i)
      job.kernel.burst(job.rounds);
    return 0;
  }

  ArithmeticJob Job;
  int Threads;
  double PerRound = 0;
  std::vector<double> Rates;
};

/// Whole lines, past the caches.
void streamCopy(char *to, const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += sizeof(__m128i))
    _mm_stream_si128(
        reinterpret_cast<__m128i *>(to + i),
        _mm_load_si128(reinterpret_cast<const __m128i *>(from + i)));
  _mm_sfence();
}

/// Copies half of the work's bytes to the other half, so that work that fits a
/// cache is measured against that cache; by memcpy or past the caches, as is
/// faster.
class Copying {
public:
  Copying(double bytes, int threads) : Threads(threads) {
    constexpr double least = 64 << 10, most = 256 << 20;
    // A block a worker; whole cache lines.
    Block = int64_t(std::clamp(bytes, least, most) / 2 / threads) / 64 * 64;
    Memory.reset(static_cast<char *>(
        std::aligned_alloc(64, size_t(2 * Block * threads))));
    std::memset(Memory.get(), 1, size_t(2 * Block * threads));
    double best = 0;
    bool streams = false;
    for (int i = 0; i != 6; ++i) {
      Streams = i % 2 != 0;
      if (double speed = measure(); speed > best)
        best = speed, streams = Streams;
    }
    Streams = streams;
  }

  double measure() {
    boo_args args{};
    args.workspace = this;
    Step step{run, Threads, &args};
    // At least 100 µs a measurement, so that starting the workers is small.
    double total = 0, bytes = 0;
    while (total < 1e-4) {
      total += secondsOf(step, Threads);
      bytes += 2.0 * double(Block) * Threads;
    }
    return bytes / total * 1e-9;
  }

private:
  static int32_t run(const boo_args *args, const boo_tile *tile) {
    auto &self = *static_cast<const Copying *>(args->workspace);
    for (int64_t i = tile->begin; i < tile->end; ++i) {
      char *source = self.Memory.get() + 2 * i * self.Block;
      if (self.Streams)
        streamCopy(source + self.Block, source, self.Block);
      else
        std::memcpy(source + self.Block, source, size_t(self.Block));
    }
    return 0;
  }

  int Threads;
  int64_t Block;
  std::unique_ptr<char, decltype(&std::free)> Memory{nullptr, std::free};
  bool Streams = false;
};

class Meter : public PeakMeter {
public:
  Meter(std::string instruction, PeakKernel kernel, int threads,
        const Work &work)
      : Instruction(std::move(instruction)), TheWork(work),
        Flops(kernel, threads) {
    double flopTime = 0, peak = 0;
    // A thread that another program delays makes several bursts slow.
    constexpr int bursts = 12;
    for (int i = 0; i != bursts; ++i)
      peak = std::fmax(peak, Flops.measure(Burst));
    if (peak > 0)
      flopTime = TheWork.flops / peak * 1e-9;
    // Unless arithmetic clearly takes longest, ask how fast bytes move.
    constexpr double beyondAnyMemory = 1e12;
    if (flopTime > TheWork.bytes / 1e9 * 2 || TheWork.bytes <= 0 ||
        TheWork.bytes > beyondAnyMemory)
      return;
    auto copy = std::make_unique<Copying>(TheWork.bytes, threads);
    double speed = 0;
    for (int i = 0; i != 3; ++i)
      speed = std::fmax(speed, copy->measure());
    if (TheWork.bytes / speed * 1e-9 > flopTime)
      Copy = std::move(copy);
  }

  double measure() override {
    return Copy ? Copy->measure() : Flops.measure(Burst);
  }
  double rate(double us) const override {
    return (Copy ? TheWork.bytes : TheWork.flops) / us * 1e-3;
  }
  std::string kind() const override { return Copy ? "copy" : Instruction; }
  double gflops() const override { return Flops.typical(); }

private:
  static constexpr double Burst = 3e-4; ///< seconds
  std::string Instruction;
  Work TheWork;
  Arithmetic Flops;
  std::unique_ptr<Copying> Copy;
};

} // namespace

std::unique_ptr<PeakMeter> PeakMeter::create(const std::string &instruction,
                                             Isa isa, int threads,
                                             const Work &work) {
  PeakKernel kernel = findPeakKernel(instruction, isa);
  if (!kernel.burst)
    return nullptr;
  return std::make_unique<Meter>(instruction, kernel, threads, work);
}
