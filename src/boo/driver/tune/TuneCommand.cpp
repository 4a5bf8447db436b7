//===- TuneCommand.cpp - `boo tune` ---------------------------------------===//

#include "boo/driver/tune/TuneCommand.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/base/Env.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/ProgressBar.h"
#include "boo/driver/tune/TuneReport.h"
#include "boo/runtime/Cache.h"
#include "boo/runtime/CompilerPlugin.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

using namespace boo;

namespace {
/// Indices into tuneFlagTable().
enum class TuneFlag : size_t {
#define BOO_TUNE_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/tune/TuneFlags.inc"
};
} // namespace

FlagTable boo::tuneFlagTable() {
  static constexpr Flag table[] = {
#define BOO_TUNE_FLAG(id, name, letter, value, kind, use, help, reason)        \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/tune/TuneFlags.inc"
  };
  return table;
}

/// Those that bear on what is found; the last is among tune's own.
static constexpr DriverFlag Used[] = {
    DriverFlag::Threads,  DriverFlag::TargetName, DriverFlag::Math,
    DriverFlag::WeiConst, DriverFlag::Seed,       DriverFlag::SkipStructured,
};

std::string boo::tuneHelp() {
  return "boo tune - find faster Schedules for a list of commands, by "
         "measurement\n\n"
         "Usage: boo tune [FLAGS] FILE [FLAGS]\n"
         "       boo tune [FLAGS] COMMAND …\n\n"
         "FILE has a command of boo driver on each line (.tsv: split at tabs; "
         "- is\nstdin). How a kernel is computed (its register tile, what a "
         "grid tile holds, the\nalgorithm, …) is its Schedule; boo driver "
         "--explain shows it. For each kernel of\neach command boo tune tries "
         "Schedules that differ from the best one so far in a\nstep, the "
         "likely ones first. One is kept when it is 3 % faster in repeated "
         "turns\nand its results pass the checks of boo driver --verify. Each "
         "is tried in a\nworker process: one that crashes or hangs costs "
         "itself alone.\n\n"
         "What is found is appended to the file of -o at once, and a state "
         "beside it keeps\nwhat was tried: the same call goes on where an "
         "interrupted one stopped, and with\na larger --budget where its time "
         "ran out. To use the entries:\n"
         "  export BOO_TUNING_SPEC_PATH=tuned.jsonl\n\n"
         "Examples:\n"
         "  boo tune convs.txt -o tuned.jsonl --budget 600\n"
         "  boo tune convs.txt --threads 1 --math strict\n"
         "  boo tune conv -n 1 -c 64 -H 56 -W 56 -k 64 -y 3 -x 3 -p 1 -q 1 "
         "--budget 20\n\n"
         "Times are those of this machine: keep it quiet, and tune with the "
         "threads that\nwill be used.\n\n"
         "Flags (behind a COMMAND only the long ones):\n" +
         describeFlags(tuneFlagTable()) +
         "\nFlags of the driver that count here; these and flags of operations "
         "are\nappended to each line of FILE and win:\n" +
         describeDriverFlags(Used) +
         "\nExit status: 0 all well, whether or not something was found; 1 "
         "something failed;\n2 a usage error; 130 interrupted.\n";
}

/// Threads, seed and checks of a command, as boo driver reads them.
static StatusOr<TuneTask> taskOf(const PlannedCommand &planned,
                                 double timeout) {
  const DriverValues &flags = planned.line.driver;
  int64_t threads = flags.given(DriverFlag::Threads)
                        ? flags.integer(DriverFlag::Threads)
                        : defaultThreads();
  if (threads < 1 || threads > maxThreads())
    return invalidArgument("--threads " + std::to_string(threads) +
                           ": must lie between 1 and " +
                           std::to_string(maxThreads()));
  TuneTask task;
  task.threads = int(threads);
  task.seed = uint64_t(flags.integer(DriverFlag::Seed));
  task.structured = !flags.on(DriverFlag::SkipStructured);
  task.timeout = timeout;
  return task;
}

namespace {
/// Tells how far a run is: lines, and at a terminal a bar below them.
class TuneDisplay {
public:
  TuneDisplay(const TuneRun &run, double budget)
      : Run(run), Budget(budget), Columns(terminalColumns(STDOUT_FILENO)) {}

  TuneListener listener() {
    TuneListener listener;
    listener.onBegin = [this](size_t i) {
      print("[" + std::to_string(i + 1) + "/" +
            std::to_string(Run.kernels().size()) + "] " +
            commandText(Run.kernels()[i]) + "\n");
    };
    listener.onTrial = [this](size_t i, const Trial &) {
      print(trialText(Run.kernels()[i]));
    };
    listener.onEnd = [this](size_t i) { print(endText(Run.kernels()[i])); };
    return listener;
  }
  void hide() const {
    if (Columns)
      put("\r\x1b[K");
  }

private:
  static void put(const std::string &text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }
  void show() const {
    if (Columns)
      put("\r" + tuneBar(Run, Budget, Columns) + "\x1b[K");
  }
  void print(const std::string &text) const {
    hide();
    put(text);
    show();
  }

  const TuneRun &Run;
  double Budget;
  size_t Columns;
};

class TuneCommand {
public:
  explicit TuneCommand(const ProgramLine &program)
      : Program(program), Output(text(TuneFlag::Output)),
        StatePath(text(TuneFlag::State)) {
    if (StatePath.empty())
      StatePath = Output + ".state";
  }

  Status check() const {
    auto positive = [&](TuneFlag flag) {
      return !Program.own.given(size_t(flag)) || real(flag) > 0
                 ? Status::ok()
                 : invalidArgument(flagSpelling(tuneFlagTable()[size_t(flag)]) +
                                   " " + text(flag) +
                                   ": must be more than 0 seconds");
    };
    BOO_RETURN_IF_ERROR(positive(TuneFlag::Budget));
    BOO_RETURN_IF_ERROR(positive(TuneFlag::Timeout));
    if (Output.empty())
      return invalidArgument("--output (-o): name a file for what is found");
    if (Output.ends_with(".mlir"))
      return invalidArgument("--output (-o) " + Output +
                             ": entries are lines of JSON: name it .jsonl");
    if (Output == StatePath)
      return invalidArgument("--state " + StatePath +
                             ": the file of --output (-o) is another one");
    return Status::ok();
  }

  int run(std::span<const PlannedCommand> commands) {
    std::string build = "boo=" + buildOf(ownFile()) + " " + compilerBuilds();
    Status status = Spec.open(Output);
    if (status.isOk())
      status = State.open(StatePath, build,
                          Program.own.on(size_t(TuneFlag::Restart)));
    if (!status.isOk())
      return programError(status);
    TuneOptions options;
    options.seed = uint64_t(Program.driver.integer(DriverFlag::Seed));
    return tune(commands, options);
  }

private:
  std::string text(TuneFlag flag) const {
    return Program.own.text(size_t(flag));
  }
  double real(TuneFlag flag) const { return Program.own.real(size_t(flag)); }

  /// The kernels of all commands, and their searches.
  int tune(std::span<const PlannedCommand> commands, TuneOptions options) {
    SignalScope signals;
    TuneRun run(std::move(options), State, Spec);
    for (const PlannedCommand &planned : commands)
      if (Status status = add(run, planned); !status.isOk())
        Failures.push_back(failureOf(planned, status));
    constexpr double each = 30;
    double budget = Program.own.given(size_t(TuneFlag::Budget))
                        ? real(TuneFlag::Budget)
                        : each * double(run.kernels().size());
    run.setBudget(budget);
    TuneDisplay display(run, std::max(budget, 1e-3));
    Status status = run.run(display.listener());
    display.hide();
    return finish(run, status);
  }

  Status add(TuneRun &run, const PlannedCommand &planned) const {
    BOO_RETURN_IF_ERROR(planned.status);
    BOO_ASSIGN_OR_RETURN(TuneTask task,
                         taskOf(planned, real(TuneFlag::Timeout)));
    return run.add(planned, task);
  }

  int finish(const TuneRun &run, const Status &status) {
    size_t faster = 0, left = 0;
    for (const TunedKernel &kernel : run.kernels()) {
      faster += kernel.best() != nullptr;
      left += !kernel.ended;
      if (!kernel.status.isOk())
        Failures.push_back({kernel.where, kernel.task.name,
                            kernel.status.toString(), kernel.repro});
    }
    std::printf("\n%s%zu of %zu kernels faster; %.1f s; entries in %s\n",
                tuneTable(run.kernels()).c_str(), faster, run.kernels().size(),
                run.seconds(), Output.c_str());
    if (left != 0)
      std::printf("%zu left: the same line goes on from here\n", left);
    std::fputs(failureList(Failures).c_str(), stdout);
    if (!status.isOk())
      return programError(status);
    if (interrupted())
      return 130;
    return Failures.empty() ? 0 : 1;
  }

  const ProgramLine &Program;
  std::string Output, StatePath;
  TuneState State;
  SpecFile Spec;
  std::vector<ProgramFailure> Failures;
};
} // namespace

int boo::tuneCommand(std::span<const std::string> arguments) {
  auto program = parseProgram("boo tune", arguments, tuneFlagTable());
  if (!program.isOk())
    return programError(program.status());
  if (program->help) {
    std::fputs(tuneHelp().c_str(), stdout);
    return arguments.empty() ? 2 : 0;
  }
  std::vector<std::string> notes =
      idleFlags(program->driver, Used,
                "boo tune measures and verifies in its own way, one kernel at "
                "a time");
  Status status = program->own.checkUse(&notes);
  if (status.isOk())
    status = program->driver.checkUse(&notes);
  TuneCommand command(*program);
  if (status.isOk())
    status = command.check();
  if (!status.isOk())
    return programError(status);
  std::vector<PlannedCommand> commands =
      planCommands(*program, "", /*compileOnly=*/false, &notes);
  if (isSingle(*program, commands) && !commands.front().status.isOk())
    return programError(commands.front().status);
  printNotes(std::move(notes));
  return command.run(commands);
}
