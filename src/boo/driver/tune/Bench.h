//===- Bench.h - Compiles, times and verifies Schedules ---------*- C++ -*-===//
//
// The mechanism behind a search: all of it runs in a worker process, as a
// Schedule that nobody has tried may crash, hang or write where it must not.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/tune/Trial.h"
#include "boo/runtime/Launcher.h"

#include <functional>
#include <memory>

namespace boo {

/// A kernel that is tuned, and how.
struct TuneTask {
  std::string name;
  std::string graphText; ///< canonical, of one group
  CompileOptions compile;
  int threads = 1;
  uint64_t seed = 0;      ///< of the inputs
  bool structured = true; ///< verified with integers and a block, too
  double timeout = 20;    ///< seconds that a Schedule may take
  /// Seconds that the references of its verification may take.
  double referenceSeconds = 60;
};

class TuneBench {
public:
  virtual ~TuneBench();
  virtual StatusOr<ScheduleSteps> steps(const std::string &from) = 0;
  /// Faster means clearly so, by 3 % in repeated turns of two copies, and
  /// verified. An error means that there is nothing to compare with.
  virtual StatusOr<Trial> compare(const std::string &against,
                                  const std::string &schedule) = 0;
};

using BenchFactory =
    std::function<std::unique_ptr<TuneBench>(const TuneTask &)>;
/// By the compiler and on this machine. `task` outlives it.
std::unique_ptr<TuneBench> makeKernelBench(const TuneTask &task);

/// Ends this process by SIGALRM in `seconds`; 0 takes that back.
void limitTime(double seconds);

/// Whether turns, each the time of one Schedule over the other's, prove that it
/// is faster.
bool isClearlyFaster(const std::vector<double> &ratios);

} // namespace boo
