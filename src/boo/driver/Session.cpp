//===- Session.cpp - One call of `boo driver` -----------------------------===//
//
// Results go to stdout, everything else to stderr. In a commands file a bad
// line costs that line alone.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/Session.h"
#include "boo/base/Interrupt.h"
#include "boo/base/Log.h"
#include "boo/driver/Backend.h"
#include "boo/driver/FileRun.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>
#include <chrono>
#include <unistd.h>

using namespace boo;

static void print(std::FILE *file, const std::string &text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

Status Session::open(const DriverValues &flags) {
  Options.json = flags.on(DriverFlag::Json);
  Options.timeAlways = Options.json;
  Options.cacheDir = flags.text(DriverFlag::CacheDir);
  bool csv = flags.given(DriverFlag::Csv);
  More = flags.on(DriverFlag::Verbose);
  Quiet = flags.on(DriverFlag::NoVerbose) || (csv && !More);
  Options.measurePeak = Options.json || csv || More;
  Progress = ::isatty(STDERR_FILENO) == 1;
  int64_t jobs = flags.integer(DriverFlag::Jobs);
  if (jobs < 1 || jobs > maxThreads())
    return invalidArgument("--jobs " + std::to_string(jobs) +
                           ": must lie between 1 and " +
                           std::to_string(maxThreads()));
  Options.jobs = int(jobs);

  auto addBackends = [&](DriverFlag flag) {
    for (const std::string &name : flags.all(size_t(flag)))
      if (std::find(Backends.begin(), Backends.end(), name) == Backends.end())
        Backends.push_back(name);
  };
  addBackends(DriverFlag::Backend);
  if (Backends.empty())
    Backends.push_back("boo");
  addBackends(DriverFlag::ReferenceBackend);
  for (const std::string &name : Backends)
    BOO_RETURN_IF_ERROR(checkBackend(name));
  std::vector<std::string> notes;
  BOO_RETURN_IF_ERROR(flags.checkUse(&notes));
  for (const std::string &message : notes)
    note(message);
  noteIdle(flags);
  if (!envStatus().isOk())
    note(envStatus().message());
  return Status::ok();
}

Status Session::openTable(const DriverValues &flags) {
  return flags.given(DriverFlag::Csv)
             ? Csv.open(flags.text(DriverFlag::Csv), Backends)
             : Status::ok();
}

/// Flags of commands files without one, and times that are not to be trusted.
void Session::noteIdle(const DriverValues &flags) {
  bool file = flags.given(DriverFlag::CommandsFile);
  auto spelling = [](DriverFlag flag) {
    return flagSpelling(driverFlagTable()[size_t(flag)]);
  };
  for (DriverFlag flag : {DriverFlag::Jobs, DriverFlag::State})
    if (flags.given(flag) && !file)
      note(spelling(flag) + " is ignored without --commands-file");
  if (flags.on(DriverFlag::Restart) && !flags.given(DriverFlag::State))
    note(spelling(DriverFlag::Restart) + " is ignored without --state");
  if (file && Options.jobs > 1 &&
      (Options.timeAlways || flags.on(DriverFlag::Time)))
    note("with --jobs " + std::to_string(Options.jobs) +
         " commands disturb each other's times: take those of --jobs 1");
}

void Session::note(const std::string &message) {
  if (!Noted.insert(message).second)
    return;
  hideProgress();
  print(stderr, "boo: note: " + message + "\n");
}

void Session::showProgress(size_t index, size_t count,
                           const std::string &text) {
  if (!Progress)
    return;
  std::string line = "[" + std::to_string(index + 1) + "/" +
                     std::to_string(count) + "] " + text;
  if (line.size() > 79)
    line = line.substr(0, 76) + "...";
  print(stderr, "\r\x1b[K" + line);
}

void Session::hideProgress() {
  if (Progress)
    print(stderr, "\r\x1b[K");
}

void Session::fail(const std::string &where, const RunResult &result) {
  hideProgress();
  std::string name = where;
  if (result.backend != "boo" && !result.rejected)
    name += (name.empty() ? "[" : " [") + result.backend + "]";
  std::string message = "boo: error: ";
  if (!name.empty())
    message += name + ": ";
  message += result.error() + "\n";
  // What is wrong in the request itself needs no repetition.
  StatusCode code = result.status.code();
  if (code == StatusCode::KernelError || code == StatusCode::CompileError ||
      code == StatusCode::Internal)
    message += "  repeat with: " + result.repro + "\n";
  print(stderr, message);
  if (First.isOk())
    First = result.status;
  // Compilers write several lines; here they are one paragraph.
  std::string why = result.error();
  std::replace(why.begin(), why.end(), '\n', ' ');
  Totals.failures.push_back(
      {(name.empty() ? "" : name + ": ") + result.command, why,
       result.repro.empty() ? "boo driver " + result.command : result.repro});
}

/// A median that the next call will not repeat is worth a word.
static std::string spreadWarning(const RunResult &result) {
  if (!result.times || result.times->count < 5)
    return "";
  const Statistics &t = *result.times;
  if (t.p90 - t.p10 <= 0.25 * t.median)
    return "";
  char text[240];
  std::snprintf(text, sizeof text,
                "the median of %.2f us is doubtful: a tenth of the runs took "
                "under %.2f us, another over %.2f us; quieten the machine or "
                "raise --iter",
                t.median, t.p10, t.p90);
  return text;
}

void Session::printResult(const CommandLine &line, const RunResult &result) {
  if (!Quiet && !Options.json)
    print(stdout, humanReport(result, More));
  std::string more;
  if (line.driver.on(DriverFlag::NumericsVerbose))
    for (const std::string &check : result.checks)
      more += ">>> check " + check + "\n";
  if (line.driver.on(DriverFlag::Explain) && !result.algorithm.empty())
    more += explainReport(result);
  if (!result.profile.empty() && !Options.json)
    more += profileReport(result);
  print(Options.json ? stderr : stdout, more);
  if (std::string warning = spreadWarning(result); !warning.empty())
    print(stderr, "boo: warning: " + warning + "\n");
}

void Session::begin(const CommandLine &line, const std::string &backend,
                    const std::vector<std::string> &notes) {
  for (const std::string &message : notes)
    note(message);
  hideProgress();
  if (Quiet || Options.json)
    return;
  if (backend == Backends.front())
    print(stdout, line.echo + "\n");
  if (Backends.size() > 1)
    print(stdout, ">>> backend " + backend + "\n");
}

void Session::report(const CommandLine *line, const RunResult &result,
                     const std::string &where) {
  hideProgress();
  if (Options.json)
    print(stdout, jsonReport(result) + "\n");
  if (!result.rejected && line)
    printResult(*line, result);
  // What is wrong for every backend is told once.
  if (result.failed() &&
      (!result.rejected || result.backend == Backends.front()))
    fail(where, result);
}

void Session::finish(const std::vector<RunResult> &results, bool fromState) {
  Totals.add(results, fromState);
  if (!Csv.isOpen())
    return;
  if (Status status = Csv.add(results); !status.isOk())
    fail("", failedResult("(the table of results)", "boo", status));
}

int Session::exitStatus(bool single) const {
  if (interrupted())
    return 130;
  if (Totals.failures.empty())
    return 0;
  // Alone, a request that is wrong in itself is a usage error.
  return single && First.code() == StatusCode::InvalidArgument ? 2 : 1;
}

int Session::runSingle(const std::vector<ParsedLine> &launches) {
  for (const ParsedLine &launch : launches) {
    if (interrupted())
      break;
    if (!launch.line) {
      fail("", failedResult(launch.text, "boo", launch.status));
    } else if (!launch.line->driver.given(DriverFlag::Timeout)) {
      runHere(*launch.line);
    } else {
      StateFile none;
      if (Status status = runLines(*this, {launch}, none); !status.isOk())
        fail("", failedResult(launch.text, "boo", status));
    }
  }
  return exitStatus(true);
}

/// Runs a command on each backend in this process.
void Session::runHere(const CommandLine &line) {
  std::vector<RunResult> results;
  for (const std::string &backend : Backends) {
    LineListener listener;
    listener.onBegin = [&](const std::vector<std::string> &notes) {
      begin(line, backend, notes);
    };
    listener.onResult = [&](RunResult result) {
      if (result.cutShort && result.status.isOk())
        return;
      report(&line, result, "");
      results.push_back(std::move(result));
    };
    runLine(line, backend, Options, listener);
    if (interrupted())
      break;
  }
  if (results.size() == Backends.size())
    finish(results, false);
}

int Session::runFile(const std::vector<ParsedLine> &lines, StateFile &state) {
  auto begin = std::chrono::steady_clock::now();
  if (Status status = runLines(*this, lines, state); !status.isOk())
    fail("", failedResult("(the run of the file)", "boo", status));
  hideProgress();
  Totals.lines = lines.size();
  Totals.interrupted = interrupted();
  Totals.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  print(stderr, Totals.text());
  return exitStatus(false);
}
