//===- TuneRun.h - Tunes kernel after kernel --------------------*- C++ -*-===//
#pragma once

#include "boo/driver/ProgramLine.h"
#include "boo/driver/tune/Bench.h"
#include "boo/driver/tune/SpecFile.h"
#include "boo/driver/tune/TuneState.h"

namespace boo {

struct TuneOptions {
  double budget = 0; ///< seconds for all kernels; setBudget() may follow
  uint64_t seed = 0;
  BenchFactory bench = makeKernelBench;
};

struct TunedKernel {
  TuneTask task;
  std::string id;                    ///< what its trials are kept under
  std::string where, command, repro; ///< of the first command that needs it
  size_t alsoNeeded = 0;             ///< by so many further commands
  std::vector<Trial> trials;         ///< those of earlier runs, too
  Status status;                     ///< why it could not be tuned
  bool ended = false;     ///< its search came to an end, or its time did
  bool exhausted = false; ///< nothing is left to try
  bool fromState = false; ///< it was so before this run

  size_t tried() const; ///< Schedules
  size_t failed() const;
  /// Of the best Schedule, with the untuned one, in the last such comparison;
  /// NULL when there is none that is faster.
  const Trial *best() const;
  /// Of the untuned Schedule, NaN when it never ran.
  double untunedUs() const;
  double seconds() const; ///< of all trials
};

/// Who is told how far a run is.
struct TuneListener {
  std::function<void(size_t kernel)> onBegin, onEnd;
  std::function<void(size_t kernel, const Trial &trial)> onTrial;
};

/// Searches each kernel in a worker process. One that a Schedule crashes, hangs
/// or damages is replaced, and the search goes on behind that Schedule.
class TuneRun {
public:
  TuneRun(TuneOptions options, TuneState &state, SpecFile &spec)
      : Options(std::move(options)), State(state), Spec(spec) {}

  /// Adds the kernels of a command that earlier ones do not need.
  Status add(const PlannedCommand &planned, const TuneTask &common);
  /// An error tells that no worker could be made, or nothing be written.
  Status run(const TuneListener &listener);

  const std::vector<TunedKernel> &kernels() const { return Kernels; }
  /// Seconds that all trials took, those of earlier runs included.
  double seconds() const;
  /// Of all kernels; before run().
  void setBudget(double seconds) { Options.budget = seconds; }

private:
  double shareOf(size_t kernel) const;
  Status runKernel(size_t kernel, const TuneListener &listener);
  void onMessage(TunedKernel &kernel, std::string_view message);
  void record(TunedKernel &kernel, Trial trial);
  void keepStatus(Status status);
  void died(TunedKernel &kernel, const std::string &why);
  TuningEntry entryOf(const TunedKernel &kernel, const Trial &best) const;

  TuneOptions Options;
  TuneState &State;
  SpecFile &Spec;
  std::vector<TunedKernel> Kernels;
  Trial UnderWay;     ///< in the worker; its schedule is "" for none
  double Begun = 0;   ///< of it, milliseconds
  bool Again = false; ///< the worker wants to be replaced
  Status WriteStatus; ///< of state and entries
  const TuneListener *Listener = nullptr;
  size_t Current = 0;
};

} // namespace boo
