//===- NumericsCommand.cpp - `boo numerics` -------------------------------===//

#include "boo/driver/NumericsCommand.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/Numerics.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <cstdio>

using namespace boo;

namespace {
/// Indices into numericsFlagTable().
enum class NumericsFlag : size_t {
#define BOO_NUMERICS_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/NumericsFlags.inc"
};
} // namespace

FlagTable boo::numericsFlagTable() {
  static constexpr Flag table[] = {
#define BOO_NUMERICS_FLAG(id, name, letter, value, kind, use, help, reason)    \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/NumericsFlags.inc"
  };
  return table;
}

static constexpr DriverFlag Used[] = {
    DriverFlag::Seed,
    DriverFlag::Splat,
    DriverFlag::Threads,
    DriverFlag::SkipStructured,
    DriverFlag::NumericsVerbose,
    DriverFlag::NumericsMinSamples,
    DriverFlag::NumericsStddevRtol,
    DriverFlag::NumericsStddevAtol,
    DriverFlag::NumericsMeanRtol,
    DriverFlag::NumericsMeanAtol,
    DriverFlag::TargetName,
    DriverFlag::Math,
    DriverFlag::WeiConst,
    DriverFlag::CacheDir,
    DriverFlag::NoCache,
    DriverFlag::Recompile,
};

/// "  1.2 direct, …" of all algorithms.
static std::string factors() {
  std::string text;
  for (const SpreadRule &rule : spreadRules()) {
    char factor[32];
    std::snprintf(factor, sizeof factor, "%s %g ", text.empty() ? "" : ",",
                  rule.factor);
    text += factor + std::string(rule.algorithm);
  }
  return text;
}

std::string boo::numericsHelp() {
  return "boo numerics - errors of a list of commands, and whether they are as "
         "they\nshould be\n\n"
         "Usage: boo numerics [FLAGS] FILE [FLAGS]\n"
         "       boo numerics [FLAGS] COMMAND …\n\n"
         "Runs the checks of boo driver --verify on each command. Beside them "
         "stand\nstatistics over at least 1000 results: the mean of the errors "
         "against a float64\nreference, and their spread against that of "
         "direct, a plain sum with one f32\naccumulator.\n\n"
         "  PASS  |mean| <= 0.2 stddev, stddev <= factor * stddev of direct, "
         "all checks\n"
         "  " +
         wrapText("factor:" + factors(), 10, 2) +
         "Norms, softmaxes of long rows, and float64 are judged by the checks "
         "alone.\n\n"
         "Example:\n"
         "  boo numerics convs.txt -o numerics.csv --math fast\n\n"
         "Flags:\n" +
         describeFlags(numericsFlagTable()) +
         "\nFlags of the driver that count here; these and flags of operations "
         "are\nappended to each line of FILE and win:\n" +
         describeDriverFlags(Used) +
         "\nExit status: 0 all passed; 1 something failed; 2 a usage error; "
         "130\ninterrupted.\n";
}

static bool writesJson(const std::string &path) {
  return path.ends_with(".json");
}

/// Notes of `boo driver` on what it takes no notice of, and this does.
static bool isDriversOwn(const std::string &note) {
  return note.starts_with("--numerics-") &&
         !note.starts_with("--numerics-reference");
}

namespace {
class NumericsRun {
public:
  explicit NumericsRun(const ProgramLine &program)
      : Program(program), Path(program.own.text(size_t(NumericsFlag::Output))),
        Histogram(program.own.on(size_t(NumericsFlag::Histogram))),
        Budget(program.own.real(size_t(NumericsFlag::Budget))),
        References(int64_t(256) << 20) {}

  Status check() const {
    if (!(Budget > 0))
      return invalidArgument("--reference-budget must be more than 0 seconds");
    if (!Path.empty() && !writesJson(Path) && !Path.ends_with(".csv"))
      return invalidArgument("--output (-o) " + Path.substr(0, 60) +
                             ": the name must end in .json or .csv");
    return Path.empty() ? Status::ok() : writeFile(Path, "");
  }

  int run(std::vector<PlannedCommand> commands) {
    bool single = isSingle(Program, commands);
    SignalScope signals;
    for (const PlannedCommand &planned : commands) {
      if (interrupted())
        break;
      runOne(planned);
    }
    if (!single)
      std::fputs(("\n" + numericsTable(Rows)).c_str(), stdout);
    std::fputs(failureList(Failures).c_str(), single ? stderr : stdout);
    if (!Path.empty())
      if (Status status = write(); !status.isOk())
        return programError(status);
    if (interrupted())
      return 130;
    return Failures.empty() ? 0 : 1;
  }

private:
  void runOne(const PlannedCommand &planned) {
    std::string where = planned.where + (planned.where.empty() ? "" : ": ");
    std::printf("%s%s\n", where.c_str(), planned.text.c_str());
    std::fflush(stdout);
    NumericsRow row = runNumerics(planned, References, Budget);
    // Ctrl-C cut it short: it says nothing.
    if (interrupted() && !row.judged())
      return;
    bool verbose = planned.line.driver.on(DriverFlag::NumericsVerbose);
    std::fputs(numericsLines(row, verbose, Histogram).c_str(), stdout);
    std::fflush(stdout);
    if (!row.passed()) {
      ProgramFailure failure = failureOf(planned, row.why());
      constexpr std::string_view driver = "boo driver";
      if (failure.repro.starts_with(driver))
        failure.repro = "boo numerics" + failure.repro.substr(driver.size());
      Failures.push_back(std::move(failure));
    }
    Rows.push_back(std::move(row));
  }

  Status write() const {
    return writeFile(Path, writesJson(Path) ? numericsJson(Rows, Histogram)
                                            : numericsCsv(Rows));
  }

  const ProgramLine &Program;
  std::string Path;
  bool Histogram;
  double Budget;
  ReferenceCache References;
  std::vector<NumericsRow> Rows;
  std::vector<ProgramFailure> Failures;
};
} // namespace

int boo::numericsCommand(std::span<const std::string> arguments) {
  auto program = parseProgram("boo numerics", arguments, numericsFlagTable());
  if (!program.isOk())
    return programError(program.status());
  if (program->help) {
    std::fputs(numericsHelp().c_str(), stdout);
    return arguments.empty() ? 2 : 0;
  }
  std::vector<std::string> notes = idleFlags(
      program->driver, Used, "boo numerics verifies, and does not time");
  Status status = program->own.checkUse(&notes);
  if (status.isOk())
    status = program->driver.checkUse(&notes);
  NumericsRun run(*program);
  if (status.isOk())
    status = run.check();
  if (!status.isOk())
    return programError(status);

  std::vector<PlannedCommand> commands =
      planCommands(*program, program->driver.text(DriverFlag::CacheDir),
                   /*compileOnly=*/false, &notes);
  if (isSingle(*program, commands) && !commands.front().status.isOk())
    return programError(commands.front().status);
  std::erase_if(notes, isDriversOwn);
  printNotes(std::move(notes));
  return run.run(std::move(commands));
}
