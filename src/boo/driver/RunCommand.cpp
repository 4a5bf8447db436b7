//===- RunCommand.cpp - One command on one backend ------------------------===//

#include "boo/driver/RunCommand.h"
#include "boo/base/Interrupt.h"
#include "boo/base/Log.h"
#include "boo/driver/Backend.h"
#include "boo/driver/CompileFlags.h"
#include "boo/driver/Peak.h"
#include "boo/driver/TensorFiles.h"
#include "boo/driver/Timer.h"
#include "boo/driver/Verify.h"
#include "boo/driver/commands/CommandText.h"
#include "boo/ops/Reference.h"
#include "boo/runtime/Allocator.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>
#include <cstdio>

using namespace boo;

std::string boo::reproLine(const CommandLine &line,
                           const std::string &backend) {
  std::vector<std::string> tokens;
  FlagTable table = driverFlagTable();
  for (size_t i = 0; i != table.size(); ++i) {
    const FlagValues &values = line.driver;
    bool seed = DriverFlag(i) == DriverFlag::Seed;
    if (!table[i].repro || (!values.given(i) && !seed))
      continue;
    tokens.push_back("--" + std::string(table[i].name));
    tokens.push_back(values.text(i));
  }
  if (backend != "boo") {
    tokens.push_back("--backend");
    tokens.push_back(backend);
  }
  if (line.driver.on(DriverFlag::Verify) ||
      line.driver.on(DriverFlag::VerifyNumerics))
    tokens.insert(tokens.begin(), "--verify");
  return "boo driver " + line.echo + " " + joinCommand(tokens);
}

namespace {

/// The flags that govern a run, read and checked.
struct RunOptions {
  int threads = 1;
  bool time = false, profile = false, verify = false;
  TimerOptions timer;
  CompileOptions compile;
  VerifyOptions check;
  bool coldCache = false;
};

class CommandRun {
public:
  CommandRun(const CommandLine &line, const CommandGraph &command,
             const SessionOptions &session, RunResult *result)
      : Line(line), Command(command), G(command.graph), Session(session),
        Result(*result) {}

  Status run() {
    Status status = runAll();
    // What Ctrl-C cuts short is no failure of the command.
    if (interrupted() && status.toString() == cancelledReference().toString()) {
      Result.cutShort = true;
      return Status::ok();
    }
    return status;
  }

private:
  Status runAll() {
    BOO_RETURN_IF_ERROR(readOptions());
    BOO_RETURN_IF_ERROR(checkOperands());
    BOO_RETURN_IF_ERROR(load());
    BOO_ASSIGN_OR_RETURN(Ops, Operands::create(G));
    BOO_RETURN_IF_ERROR(launch());
    if (Options.time && !interrupted())
      BOO_RETURN_IF_ERROR(time());
    if (Options.profile && !interrupted())
      BOO_RETURN_IF_ERROR(profile());
    if (Options.verify && !interrupted())
      BOO_RETURN_IF_ERROR(verify());
    Result.cutShort =
        (Options.time && !Result.times) || (Options.verify && !Result.verified);
    return Status::ok();
  }
  Status readOptions();
  Status checkOperands() const;
  Status load();
  Status launch();
  Status time();
  Status profile();
  Status verify();
  Status fillInputs();
  Status save(bool inputs) const;

  const CommandLine &Line;
  const CommandGraph &Command;
  const Graph &G;
  const SessionOptions &Session;
  RunResult &Result;
  RunOptions Options;
  std::unique_ptr<Runner> TheRunner;
  Operands Ops;
};

} // namespace

/// The flag's value if given, which must lie in [least, most], else `fallback`.
static StatusOr<int64_t> readCount(const DriverValues &flags, DriverFlag flag,
                                   int64_t least, int64_t most,
                                   int64_t fallback) {
  if (!flags.given(flag))
    return fallback;
  int64_t value = flags.integer(flag);
  if (value < least || value > most)
    return invalidArgument(flagSpelling(driverFlagTable()[size_t(flag)]) + " " +
                           std::to_string(value) + ": must lie between " +
                           std::to_string(least) + " and " +
                           std::to_string(most));
  return value;
}

Status CommandRun::readOptions() {
  const DriverValues &flags = Line.driver;
  int share = defaultThreads();
  if (!env().ompNumThreads)
    share = std::max(1, share / Session.jobs);
  BOO_ASSIGN_OR_RETURN(int64_t threads, readCount(flags, DriverFlag::Threads, 1,
                                                  maxThreads(), share));
  if (threads > maxThreads())
    return invalidArgument("OMP_NUM_THREADS " + std::to_string(threads) +
                           ": at most " + std::to_string(maxThreads()) +
                           "; --threads overrides it");
  Options.threads = Result.threads = int(threads);
  BOO_ASSIGN_OR_RETURN(Options.timer.iters,
                       readCount(flags, DriverFlag::Iter, 1, 100'000'000, 0));
  BOO_ASSIGN_OR_RETURN(
      Options.timer.warmup,
      readCount(flags, DriverFlag::Warmup, 0, 100'000'000, -1));
  if (flags.given(DriverFlag::Timeout) &&
      !(flags.real(DriverFlag::Timeout) > 0))
    return invalidArgument("--timeout " + flags.text(DriverFlag::Timeout) +
                           ": must be more than 0 seconds");
  Options.time = Session.timeAlways || flags.on(DriverFlag::Time);
  Options.verify =
      flags.on(DriverFlag::Verify) || flags.on(DriverFlag::VerifyNumerics);
  Options.coldCache = flags.on(DriverFlag::ColdCache);
  Options.profile = flags.on(DriverFlag::Profile);

  BOO_ASSIGN_OR_RETURN(Options.compile,
                       compileOptions(Line, Command, Session.cacheDir));

  VerifyOptions &check = Options.check;
  if (Session.verify) {
    Options.verify = true;
    Options.time = Options.profile = false;
    Options.timer.iters = 0;
    check = *Session.verify;
  }
  check.seed = uint64_t(flags.integer(DriverFlag::Seed));
  if (flags.given(DriverFlag::Splat))
    check.splat = flags.real(DriverFlag::Splat);
  if (flags.given(DriverFlag::Load))
    check.load = [files = TensorFiles(flags.text(DriverFlag::Load), G,
                                      Command.name)](const Operands &operands) {
      Status status = files.loadInputs(operands);
      return status.isOk() ? status : status.withContext("--load");
    };
  check.structured = !flags.on(DriverFlag::SkipStructured);
  check.threads = Options.threads;
  check.math = Options.compile.math;
  BOO_ASSIGN_OR_RETURN(check.minSamples,
                       readCount(flags, DriverFlag::NumericsMinSamples, 0,
                                 INT64_MAX, check.minSamples));
  return Status::ok();
}

static int64_t addSaturating(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

Status CommandRun::checkOperands() const {
  int64_t bytes = Operands::bytes(G);
  if (!Options.verify)
    return checkMemory(bytes, "inputs and outputs");
  return checkMemory(
      addSaturating(bytes, verifyBytes(G, Options.check.figures)),
      "inputs, outputs and the float64 reference of --verify");
}

Status CommandRun::load() {
  BOO_ASSIGN_OR_RETURN(TheRunner,
                       makeRunner(Result.backend, G, Options.compile));
  const RunnerInfo &info = TheRunner->info();
  Result.cache = info.cache;
  Result.algorithm = info.algorithm;
  Result.schedule = info.schedule;
  Result.artifact = info.artifact;
  Result.why = info.why;
  Result.compileMs = info.compileMs;
  Result.loadMs = info.loadMs;
  Result.workspaceBytes = info.workspaceBytes;
  int64_t more = TheRunner->memoryBytes(Options.threads);
  return checkMemory(addSaturating(Operands::bytes(G), more),
                     "inputs, outputs and workspace");
}

Status CommandRun::fillInputs() {
  if (Options.check.load)
    return Options.check.load(Ops);
  FillSpec spec;
  spec.seed = Options.check.seed;
  if (Options.check.splat) {
    spec.kind = FillKind::Splat;
    spec.splat = *Options.check.splat;
  }
  Ops.fill(G, spec, spec.kind);
  return Status::ok();
}

/// --save: the inputs, or what has become of them.
Status CommandRun::save(bool inputs) const {
  if (!Line.driver.given(DriverFlag::Save))
    return Status::ok();
  TensorFiles files(Line.driver.text(DriverFlag::Save), G, Command.name);
  Status status = inputs ? files.saveInputs(Ops.in)
                         : files.saveOutputs(Ops.out, Result.backend);
  return status.isOk() ? status : status.withContext("--save");
}

/// The first call, and the further ones of --iter without -t.
Status CommandRun::launch() {
  BOO_RETURN_IF_ERROR(fillInputs());
  BOO_RETURN_IF_ERROR(save(/*inputs=*/true));
  BOO_RETURN_IF_ERROR(TheRunner->prepare(Ops.in, Options.threads));
  auto run = [&] { return TheRunner->run(Ops.in, Ops.out, Options.threads); };
  BOO_ASSIGN_OR_RETURN(Result.firstCallMs, timeOnce(run));
  BOO_RETURN_IF_ERROR(TheRunner->deliver(Ops.out));
  BOO_RETURN_IF_ERROR(save(/*inputs=*/false));
  if (!Options.time)
    for (int64_t i = 1; i < Options.timer.iters && !interrupted(); ++i) {
      if (Options.coldCache)
        Ops.evict();
      BOO_RETURN_IF_ERROR(run());
    }
  return Ops.checkIntact();
}

Status CommandRun::time() {
  Work work = graphWork(G);
  std::unique_ptr<PeakMeter> peak;
  if (Session.measurePeak)
    peak = PeakMeter::create(TheRunner->info().instruction,
                             TheRunner->info().isa, Options.threads, work);
  std::vector<TimedRun> runs;
  std::function<void()> before;
  std::function<double()> between;
  auto run = [&] { return TheRunner->run(Ops.in, Ops.out, Options.threads); };
  if (Options.coldCache)
    before = [&] { Ops.evict(); };
  else if (peak && peak->kind() == "copy")
    // The copy that a run is compared with has emptied the caches. An error
    // here comes back in the run that is timed.
    before = [&] { (void)run(); };
  if (peak)
    between = [&] { return peak->measure(); };
  BOO_RETURN_IF_ERROR(timeRuns(run, before, between, Options.timer, &runs));
  BOO_RETURN_IF_ERROR(Ops.checkIntact());
  if (runs.empty())
    return Status::ok(); // interrupted before the first

  std::vector<double> us;
  for (const TimedRun &run : runs)
    us.push_back(run.us);
  Result.times = statistics(std::move(us));
  Result.iters = Result.times->count;
  if (Result.times->median > 0) {
    Result.gflops = work.flops / Result.times->median * 1e-3;
    Result.gbps = work.bytes / Result.times->median * 1e-3;
  }
  if (peak) {
    Result.peakKind = peak->kind();
    Result.peakGflops = peak->gflops();
    Result.peakFraction =
        peakFraction(runs, [&](double us) { return peak->rate(us); });
  }
  return Status::ok();
}

/// --profile: as many runs as --time would take, each with a clock inside.
Status CommandRun::profile() {
  std::vector<DispatchTime> times;
  std::vector<std::vector<double>> us;
  auto run = [&]() -> Status {
    BOO_ASSIGN_OR_RETURN(times,
                         TheRunner->profile(Ops.in, Ops.out, Options.threads));
    us.resize(times.size());
    for (size_t i = 0; i != times.size(); ++i)
      us[i].push_back(times[i].us);
    return Status::ok();
  };
  std::function<void()> before;
  if (Options.coldCache)
    before = [&] { Ops.evict(); };
  std::vector<TimedRun> runs;
  Status status = timeRuns(run, before, {}, Options.timer, &runs);
  if (!status.isOk())
    return status.withContext("--profile");
  for (size_t i = 0; i != times.size(); ++i)
    times[i].us = median(std::move(us[i]));
  Result.profile = std::move(times);
  return Ops.checkIntact();
}

Status CommandRun::verify() {
  BOO_ASSIGN_OR_RETURN(Verdict verdict,
                       verifyRunner(G, *TheRunner, Ops, Options.check));
  if (interrupted())
    return Status::ok();
  Result.verified = verdict.ok;
  Result.maxAbsErr = verdict.figures.maxAbsErr;
  Result.maxRelErr = verdict.figures.maxRelErr;
  Result.bound = verdict.figures.maxBound;
  Result.checks = std::move(verdict.report);
  Result.failedCheck = verdict.failedCheck;
  Result.checksCutShort = verdict.cutShort;
  if (!verdict.ok)
    return Status(StatusCode::KernelError, verdict.failure);
  return Status::ok();
}

RunResult boo::runCommand(const CommandLine &line, const CommandGraph &command,
                          const std::string &backend,
                          const SessionOptions &session) {
  RunResult result;
  result.command = line.command;
  result.backend = backend;
  result.direction = command.direction;
  result.repro = reproLine(line, backend);
  setRunning(result.repro);
  const std::vector<Output> &outputs = command.graph.outputs();
  for (size_t i = 0; i != outputs.size(); ++i)
    result.outputs.emplace_back(
        command.outputSizes[i],
        command.graph.value(outputs[i].value).type.dtype);
  if (!result.outputs.empty())
    result.dtype = torchDType(result.outputs.front().second);
  result.status = CommandRun(line, command, session, &result).run();
  setRunning("");
  return result;
}
