//===- Bench.cpp ----------------------------------------------------------===//

#include "boo/driver/tune/Bench.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/Backend.h"
#include "boo/driver/Timer.h"
#include "boo/driver/Verify.h"
#include "boo/ops/Reference.h"
#include "boo/runtime/Cache.h"
#include "boo/runtime/Memory.h"

#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

using namespace boo;

TuneBench::~TuneBench() = default;

/// What a Schedule must gain to be worth an entry: less could be the layout of
/// memory, or chance.
static constexpr double kGain = 0.03;
static constexpr int proofTurns = 9;

void boo::limitTime(double seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = time_t(seconds);
  timer.it_value.tv_usec = suseconds_t((seconds - std::floor(seconds)) * 1e6);
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

bool boo::isClearlyFaster(const std::vector<double> &ratios) {
  auto faster = std::count_if(ratios.begin(), ratios.end(),
                              [](double ratio) { return ratio < 1; });
  // All turns but one: of nine, two in a hundred do so by chance.
  return ratios.size() >= 5 && faster + 1 >= std::ssize(ratios) &&
         median(ratios) <= 1 - kGain;
}

/// When the references under way run out of time.
static std::atomic<double> Deadline = 0;
static bool outOfTime() { return interrupted() || nowMs() > Deadline; }

namespace {

struct Loaded {
  std::unique_ptr<Runner> runner;
  double us = 0; ///< a call, about
};

/// The turns of two Schedules.
struct Turns {
  std::vector<double> against, own, ratios;

  void writeTo(Trial *trial) const {
    trial->againstUs = median(against);
    trial->us = median(own);
    trial->ratio = median(ratios);
  }
};

class KernelBench : public TuneBench {
public:
  explicit KernelBench(const TuneTask &task)
      : Task(task), References(int64_t(512) << 20) {}

  StatusOr<ScheduleSteps> steps(const std::string &from) override {
    CompileOptions options = Task.compile;
    options.tuningEntry = from;
    return scheduleSteps(Task.graphText, options);
  }
  StatusOr<Trial> compare(const std::string &against,
                          const std::string &schedule) override;

private:
  Status open();
  Status fill();
  StatusOr<Loaded> load(const std::string &schedule);
  StatusOr<Loaded *> loadKnown(const std::string &schedule);
  StatusOr<double> turn(Loaded &kernel);
  Status takeTurns(Loaded &against, Loaded &own, int count, Turns *turns);
  Status time(Loaded &against, Loaded &own, Trial *trial);
  StatusOr<Verdict> verify(Loaded &kernel);
  Status verifyKnown(const std::string &schedule, Loaded &kernel);
  Status proveAgain(Trial &trial);

  const TuneTask &Task;
  Graph G;
  bool Open = false, Filled = false;
  Operands Ops;
  ReferenceCache References;
  std::map<std::string, Loaded> Known; ///< compared with, or found
  std::set<std::string> Right;         ///< Schedules that were verified
  /// Algorithms whose references are there, as far as memory allows.
  std::set<std::string> Algorithms;
};

} // namespace

Status KernelBench::open() {
  if (std::exchange(Open, true))
    return Status::ok();
  BOO_ASSIGN_OR_RETURN(G, parseGraph(Task.graphText));
  for (const Value &value : G.values())
    if (!value.type.isStatic())
      return unsupported("a kernel with symbolic sizes cannot be measured");
  int64_t bytes = Operands::bytes(G), more = verifyBytes(G), all;
  if (__builtin_add_overflow(bytes, more, &all))
    all = INT64_MAX;
  BOO_RETURN_IF_ERROR(
      checkMemory(all, "inputs, outputs and the float64 reference"));
  BOO_ASSIGN_OR_RETURN(Ops, Operands::create(G));
  return Status::ok();
}

Status KernelBench::fill() {
  if (std::exchange(Filled, true))
    return Status::ok();
  FillSpec spec;
  spec.seed = Task.seed;
  Ops.fill(G, spec, spec.kind);
  return Status::ok();
}

StatusOr<Loaded> KernelBench::load(const std::string &schedule) {
  CompileOptions options = Task.compile;
  options.tuningEntry = schedule;
  // Nobody will ask for most of these again.
  options.useCache = false;
  Loaded kernel;
  BOO_ASSIGN_OR_RETURN(kernel.runner, makeRunner("boo", G, options));
  BOO_RETURN_IF_ERROR(fill());
  BOO_RETURN_IF_ERROR(kernel.runner->prepare(Ops.in, Task.threads));
  auto run = [&] { return kernel.runner->run(Ops.in, Ops.out, Task.threads); };
  BOO_RETURN_IF_ERROR(run());
  BOO_RETURN_IF_ERROR(Ops.checkIntact());
  BOO_ASSIGN_OR_RETURN(double ms, timeOnce(run));
  kernel.us = ms * 1000;
  return kernel;
}

StatusOr<Loaded *> KernelBench::loadKnown(const std::string &schedule) {
  auto found = Known.find(schedule);
  if (found == Known.end()) {
    auto loaded = load(schedule);
    if (!loaded.isOk())
      return loaded.status();
    found = Known.emplace(schedule, std::move(*loaded)).first;
  }
  return &found->second;
}

/// Microseconds a call, over a few milliseconds.
StatusOr<double> KernelBench::turn(Loaded &kernel) {
  if (interrupted())
    return cancelledReference();
  constexpr double turnUs = 4000, longUs = 20000;
  auto run = [&] { return kernel.runner->run(Ops.in, Ops.out, Task.threads); };
  // The other one's code, filter and scratch are what the caches hold.
  if (kernel.us < longUs)
    BOO_RETURN_IF_ERROR(run());
  auto calls =
      int64_t(std::clamp(turnUs / std::max(kernel.us, 0.01), 1.0, 20000.0));
  BOO_ASSIGN_OR_RETURN(double ms, timeOnce([&] {
                         for (int64_t i = 1; i < calls; ++i)
                           BOO_RETURN_IF_ERROR(run());
                         return run();
                       }));
  double us = ms * 1000 / double(calls);
  kernel.us = std::min(kernel.us, us);
  return us;
}

Status KernelBench::takeTurns(Loaded &against, Loaded &own, int count,
                              Turns *turns) {
  for (int i = 0; i != count; ++i) {
    double a = 0, b = 0;
    // Whoever is first has no advantage.
    if (i % 2 == 0) {
      BOO_ASSIGN_OR_RETURN(a, turn(against));
    }
    BOO_ASSIGN_OR_RETURN(b, turn(own));
    if (i % 2 != 0) {
      BOO_ASSIGN_OR_RETURN(a, turn(against));
    }
    turns->against.push_back(a);
    turns->own.push_back(b);
    turns->ratios.push_back(b / a);
  }
  return Status::ok();
}

/// A look at first, as most Schedules are slower by far; what may be faster has
/// to prove it in turns that had no part in its choice.
Status KernelBench::time(Loaded &against, Loaded &own, Trial *trial) {
  trial->outcome = TrialOutcome::Slower;
  constexpr double hopeless = 1.25;
  Turns look;
  BOO_RETURN_IF_ERROR(takeTurns(against, own, 1, &look));
  if (look.ratios.front() < hopeless)
    BOO_RETURN_IF_ERROR(takeTurns(against, own, 2, &look));
  look.writeTo(trial);
  if (trial->ratio > 1 - kGain / 2)
    return Status::ok();
  Turns proof;
  BOO_RETURN_IF_ERROR(takeTurns(against, own, proofTurns, &proof));
  proof.writeTo(trial);
  if (isClearlyFaster(proof.ratios))
    trial->outcome = TrialOutcome::Faster;
  return Status::ok();
}

StatusOr<Verdict> KernelBench::verify(Loaded &kernel) {
  VerifyOptions options;
  options.seed = Task.seed;
  options.structured = Task.structured;
  options.threads = Task.threads;
  options.math = Task.compile.math;
  options.references = &References;
  options.giveUp = outOfTime;
  // A reference takes its own time, and is no fault of the Schedule's.
  if (Algorithms.insert(kernel.runner->info().algorithm).second)
    limitTime(0);
  Deadline = nowMs() + Task.referenceSeconds * 1000;
  Filled = false; // other values are left behind
  auto verdict = verifyRunner(G, *kernel.runner, Ops, options);
  if (!interrupted() && (verdict.isOk() ? verdict->cutShort
                                        : verdict.status().toString() ==
                                              cancelledReference().toString()))
    return unsupported("no reference within the time allowed, so that nothing "
                       "can be verified: raise --budget, or make the batch "
                       "smaller");
  return verdict;
}

/// What candidates are compared with must itself be right.
Status KernelBench::verifyKnown(const std::string &schedule, Loaded &kernel) {
  if (!Right.insert(schedule).second)
    return Status::ok();
  BOO_ASSIGN_OR_RETURN(Verdict verdict, verify(kernel));
  if (verdict.ok)
    return Status::ok();
  return Status(StatusCode::KernelError,
                "the kernel without tuning is wrong: " + verdict.failure);
}

/// With other copies of both: what the places of code and scratch in memory
/// gave, or the state of the machine a moment ago, is no gain of the Schedule.
Status KernelBench::proveAgain(Trial &trial) {
  BOO_ASSIGN_OR_RETURN(Loaded against, load(trial.against));
  BOO_ASSIGN_OR_RETURN(Loaded own, load(trial.schedule));
  Turns proof;
  BOO_RETURN_IF_ERROR(takeTurns(against, own, proofTurns, &proof));
  proof.writeTo(&trial);
  if (!isClearlyFaster(proof.ratios))
    trial.outcome = TrialOutcome::Slower;
  else
    Known.insert_or_assign(trial.schedule, std::move(own));
  return Status::ok();
}

StatusOr<Trial> KernelBench::compare(const std::string &against,
                                     const std::string &schedule) {
  Trial trial;
  trial.against = against;
  trial.schedule = schedule;
  auto failed = [&](const Status &status) {
    trial.outcome = TrialOutcome::Failed;
    trial.why = status.message();
    trial.damaging = status.code() == StatusCode::KernelError;
    return trial;
  };
  BOO_RETURN_IF_ERROR(open());
  BOO_ASSIGN_OR_RETURN(Loaded * base, loadKnown(against));
  BOO_RETURN_IF_ERROR(fill());
  // A few dozen calls of what may be a few times slower.
  constexpr double calls = 100;
  limitTime(Task.timeout + calls * base->us * 1e-6);
  if (Right.count(schedule)) {
    trial.outcome = TrialOutcome::Faster;
    BOO_RETURN_IF_ERROR(proveAgain(trial));
    return trial;
  }
  auto own = load(schedule);
  if (!own.isOk())
    return failed(own.status());
  if (Status status = time(*base, *own, &trial); !status.isOk())
    return interrupted() ? StatusOr<Trial>(status) : failed(status);
  if (trial.outcome != TrialOutcome::Faster)
    return trial;
  BOO_RETURN_IF_ERROR(verifyKnown(against, *base));
  limitTime(Task.timeout + calls * base->us * 1e-6);
  BOO_ASSIGN_OR_RETURN(Verdict verdict, verify(*own));
  if (interrupted())
    return cancelledReference();
  if (!verdict.ok)
    return failed(Status(StatusCode::KernelError,
                         "its results are wrong: " + verdict.failure));
  Right.insert(schedule);
  BOO_RETURN_IF_ERROR(proveAgain(trial));
  return trial;
}

std::unique_ptr<TuneBench> boo::makeKernelBench(const TuneTask &task) {
  return std::make_unique<KernelBench>(task);
}
