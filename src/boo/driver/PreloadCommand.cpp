//===- PreloadCommand.cpp - `boo preload` ---------------------------------===//

#include "boo/driver/PreloadCommand.h"
#include "boo/base/Env.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/Preload.h"
#include "boo/driver/ProgressBar.h"
#include "boo/runtime/Cache.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Trust.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

using namespace boo;

namespace {
/// Indices into preloadFlagTable().
enum class PreloadFlag : size_t {
#define BOO_PRELOAD_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/PreloadFlags.inc"
};
} // namespace

FlagTable boo::preloadFlagTable() {
  static constexpr Flag table[] = {
#define BOO_PRELOAD_FLAG(id, name, letter, value, kind, use, help, reason)     \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/PreloadFlags.inc"
  };
  return table;
}

static constexpr DriverFlag Used[] = {
    DriverFlag::TargetName, DriverFlag::Math,    DriverFlag::WeiConst,
    DriverFlag::Recompile,  DriverFlag::DumpDir, DriverFlag::CacheDir};

std::string boo::preloadHelp() {
  return "boo preload - compile a list of commands into the kernel cache\n\n"
         "Usage: boo preload [FLAGS] FILE [FLAGS]\n"
         "       boo preload [FLAGS] COMMAND …\n\n"
         "FILE has a command of boo driver on each line (.tsv: split at tabs; "
         "- "
         "is\nstdin). What is in the cache already is not compiled again, so "
         "that a second\nrun goes on where an interrupted one stopped. Worker "
         "processes take the\ncommands one by one; one that crashes costs the "
         "command it was on.\n\n"
         "Examples:\n"
         "  boo preload convs.txt\n"
         "  boo preload convs.txt -j 8 --cache-dir /srv/kernels --target avx2\n"
         "  boo preload convs.txt -d \"\"       only the MLIR, nothing is "
         "compiled\n\n"
         "Flags:\n" +
         describeFlags(preloadFlagTable()) +
         "\nFlags of the driver that count here; these and flags of operations "
         "are\nappended to each line of FILE and win:\n" +
         describeDriverFlags(std::span(Used).first(std::size(Used) - 1)) +
         "\nFlags of iree-compile (--iree-…) are accepted with a note and have "
         "no effect.\n"
         "Exit status: 0 all well; 1 something failed; 2 a usage error; 130\n"
         "interrupted.\n";
}

/// Takes what iree-turbine's preload hands on to its compiler.
static std::vector<std::string>
withoutForeignFlags(std::span<const std::string> arguments,
                    std::vector<std::string> *notes) {
  std::vector<std::string> tokens;
  for (const std::string &argument : arguments)
    if (argument.starts_with("--iree-"))
      notes->push_back(argument.substr(0, 60) +
                       " is ignored: it is a flag of iree-compile");
    else
      tokens.push_back(argument);
  return tokens;
}

static StatusOr<PreloadOptions> readOptions(const ProgramLine &program) {
  const FlagValues &flags = program.own;
  PreloadOptions options;
  std::string device = flags.text(size_t(PreloadFlag::Device));
  options.modulesOnly = device.empty();
  if (!device.empty() && device != "cpu" && !device.starts_with("cpu:"))
    return invalidArgument(
        "--device (-d) '" + device.substr(0, 60) +
        "': kernels are made for the CPU: -d cpu, or -d \"\" "
        "for their MLIR alone");
  options.processes = cpuInfo().affinityCpus;
  if (flags.given(size_t(PreloadFlag::MaxProcesses)))
    options.processes = flags.integer(size_t(PreloadFlag::MaxProcesses));
  constexpr int64_t most = 1024;
  if (options.processes < 1 || options.processes > most)
    return invalidArgument("--max-processes (-j) " +
                           std::to_string(options.processes) +
                           ": must lie between 1 and " + std::to_string(most));
  options.cacheDir = flags.text(size_t(PreloadFlag::CacheDir));
  if (program.driver.on(DriverFlag::NoCache))
    return invalidArgument("--no-cache leaves nothing to preload");
  if (options.cacheDir.empty() && !env().cacheOn)
    return invalidArgument("the cache is off (BOO_CACHE_ON=0): --cache-dir DIR "
                           "names one to fill");
  return options;
}

/// A cache that cannot be written to is no use here.
static Status checkFolder(const std::string &dir) {
  BOO_RETURN_IF_ERROR(makeDirectories(dir));
  BOO_RETURN_IF_ERROR(checkTrusted(dir));
  if (::access(dir.c_str(), W_OK | X_OK) != 0)
    return systemError("write to", dir);
  return Status::ok();
}

namespace {
/// Tells how far a Preload is: a bar at a terminal, else a line a command.
class Display {
public:
  explicit Display(const Preload &preload)
      : ThePreload(preload), Columns(terminalColumns(STDOUT_FILENO)),
        Start(nowMs()) {}

  Progress progress() const {
    Progress p;
    p.total = ThePreload.items().size();
    p.cached = ThePreload.count(PreloadOutcome::Cached);
    p.failed = ThePreload.count(PreloadOutcome::Failed);
    size_t waiting = ThePreload.numWaiting();
    p.done = p.total - waiting;
    p.worked = Worked;
    p.seconds = (nowMs() - Start) / 1000;
    return p;
  }
  void show() const {
    if (Columns)
      print("\r" + progressLine(progress(), Columns) + "\x1b[K");
  }
  void hide() const {
    if (Columns)
      print("\r\x1b[K");
  }
  void tell(const PreloadItem &item) {
    ++Worked;
    if (Columns)
      return show();
    Progress p = progress();
    char text[80];
    std::snprintf(text, sizeof text, "[%zu/%zu] ", p.done, p.total);
    std::string line = text;
    std::snprintf(text, sizeof text, "%.0f ms  ", item.ms);
    line += item.status.isOk() ? text : "FAILED  ";
    line += item.planned.where + (item.planned.where.empty() ? "" : ": ");
    print(line + item.planned.text + "\n");
  }

private:
  static void print(const std::string &text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  const Preload &ThePreload;
  size_t Columns, Worked = 0;
  double Start;
};
} // namespace

/// "1 command", "2 commands".
static std::string counted(size_t n, std::string what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

static std::string summary(const Preload &preload, bool modulesOnly,
                           const Progress &progress) {
  using enum PreloadOutcome;
  size_t done = preload.count(Done);
  std::string text = counted(preload.items().size(), "command") + ": " +
                     (modulesOnly ? counted(done, "module") + " written"
                                  : std::to_string(done) + " compiled") +
                     ", " + std::to_string(preload.count(Cached)) + " cached";
  if (size_t same = preload.count(Same))
    text += ", " + std::to_string(same) + " like others";
  text += ", " + std::to_string(preload.count(Failed)) + " failed";
  if (progress.worked) {
    char rate[64];
    std::snprintf(rate, sizeof rate, "; %.1f s, %.1f/s", progress.seconds,
                  double(progress.worked) / std::max(progress.seconds, 1e-3));
    text += rate;
  }
  text += "\n";
  if (size_t left = preload.numWaiting())
    text += std::to_string(left) + " left: the same line goes on from here\n";
  std::vector<ProgramFailure> failures;
  for (const PreloadItem &item : preload.items())
    if (item.outcome == Failed)
      failures.push_back(failureOf(item.planned, item.status));
  return text + failureList(failures);
}

static int run(const ProgramLine &program, PreloadOptions options,
               std::vector<std::string> notes) {
  for (const std::string &note :
       idleFlags(program.driver, Used, "boo preload only compiles"))
    notes.push_back(note);
  std::vector<PlannedCommand> commands =
      planCommands(program, options.cacheDir, options.modulesOnly, &notes);
  if (isSingle(program, commands) && !commands.front().status.isOk())
    return programError(commands.front().status);
  for (const PlannedCommand &command : commands)
    if (options.cacheDir.empty())
      options.cacheDir = command.options.cacheDir;
  printNotes(std::move(notes));
  if (options.cacheDir.empty())
    options.cacheDir = env().cacheDir;
  if (Status status = checkFolder(options.cacheDir); !status.isOk())
    return programError(status.withContext("the cache"));

  SignalScope signals;
  Preload preload(options);
  for (PlannedCommand &command : commands) {
    if (interrupted())
      return 130;
    preload.add(std::move(command));
  }
  Display display(preload);
  display.show();
  Status status =
      preload.run([&](const PreloadItem &item) { display.tell(item); });
  Progress progress = display.progress();
  display.hide();
  std::fputs(summary(preload, options.modulesOnly, progress).c_str(), stdout);
  if (!status.isOk())
    return programError(status);
  if (interrupted())
    return 130;
  return preload.count(PreloadOutcome::Failed) ? 1 : 0;
}

int boo::preloadCommand(std::span<const std::string> arguments) {
  std::vector<std::string> notes;
  std::vector<std::string> tokens = withoutForeignFlags(arguments, &notes);
  auto program = parseProgram("boo preload", tokens, preloadFlagTable());
  if (!program.isOk())
    return programError(program.status());
  if (program->help) {
    std::fputs(preloadHelp().c_str(), stdout);
    return tokens.empty() ? 2 : 0;
  }
  Status status = program->own.checkUse(&notes);
  if (status.isOk())
    status = program->driver.checkUse(&notes);
  if (!status.isOk())
    return programError(status);
  auto options = readOptions(*program);
  if (!options.isOk())
    return programError(options.status());
  return run(*program, std::move(*options), std::move(notes));
}
