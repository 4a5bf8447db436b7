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

#include <algorithm>
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

  for (const std::string &name : flags.all(size_t(DriverFlag::Backend)))
    if (std::find(Backends.begin(), Backends.end(), name) == Backends.end())
      Backends.push_back(name);
  if (Backends.empty())
    Backends.push_back("boo");
  for (const std::string &name : Backends)
    BOO_RETURN_IF_ERROR(checkBackend(name));
  std::vector<std::string> notes;
  BOO_RETURN_IF_ERROR(flags.checkUse(&notes));
  for (const std::string &message : notes)
    note(message);
  if (!envStatus().isOk())
    note(envStatus().message());
  if (csv)
    return Csv.open(flags.text(DriverFlag::Csv), Backends);
  return Status::ok();
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
  if (result.backend != "boo")
    name += (name.empty() ? "[" : " [") + result.backend + "]";
  std::string message = "boo: error: ";
  if (!name.empty())
    message += name + ": ";
  message += result.status.toString() + "\n";
  // What is wrong in the request itself needs no repetition.
  StatusCode code = result.status.code();
  if (code == StatusCode::KernelError || code == StatusCode::CompileError ||
      code == StatusCode::Internal)
    message += "  repeat with: " + result.repro + "\n";
  print(stderr, message);
  if (First.isOk())
    First = result.status;
  // Compilers write several lines; here they are one paragraph.
  std::string why = result.status.toString();
  std::replace(why.begin(), why.end(), '\n', ' ');
  Failures.push_back(
      {(name.empty() ? "" : name + ": ") + result.command, why,
       result.repro.empty() ? "boo driver " + result.command : result.repro});
}

void Session::writeCsv(const std::vector<RunResult> &results) {
  if (!Csv.isOpen())
    return;
  if (Status status = Csv.add(results); !status.isOk())
    fail("", failedResult("(the table of results)", "", status));
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

void Session::report(const CommandLine &line, const RunResult &result) {
  hideProgress();
  if (Options.json)
    print(stdout, jsonReport(result) + "\n");
  else if (!Quiet)
    print(stdout, humanReport(result, More));
  std::string more;
  if (line.driver.on(DriverFlag::NumericsVerbose))
    for (const std::string &check : result.checks)
      more += ">>> check " + check + "\n";
  if (line.driver.on(DriverFlag::Explain) && !result.algorithm.empty())
    more += explainReport(result);
  print(Options.json ? stderr : stdout, more);
  if (std::string warning = spreadWarning(result); !warning.empty())
    print(stderr, "boo: warning: " + warning + "\n");
}

void Session::rejectLine(const std::string &text, const Status &status,
                         const std::string &where) {
  std::vector<RunResult> results;
  for (const std::string &backend : Backends)
    results.push_back(failedResult(text, backend, status));
  if (Options.json)
    for (const RunResult &result : results)
      print(stdout, jsonReport(result) + "\n");
  // The same for every backend.
  fail(where, failedResult(text, "boo", status));
  writeCsv(results);
}

/// Flags that say how to do what was not asked for.
static void noteIdle(const DriverValues &flags, bool times,
                     std::vector<std::string> *notes) {
  bool verifies =
      flags.on(DriverFlag::Verify) || flags.on(DriverFlag::VerifyNumerics);
  auto note = [&](DriverFlag flag, const char *needs) {
    const Flag &about = driverFlagTable()[size_t(flag)];
    if (flags.given(flag) && flags.text(flag) != about.defaultValue)
      notes->push_back(flagSpelling(about) + " is ignored without " + needs);
  };
  if (!times)
    note(DriverFlag::Warmup, "-t 1");
  if (!verifies)
    for (DriverFlag flag :
         {DriverFlag::SkipStructured, DriverFlag::NumericsVerbose,
          DriverFlag::NumericsMinSamples})
      note(flag, "--verify");
}

bool Session::runLine(const CommandLine &line, const std::string &where) {
  auto launches = separateLaunches(line);
  if (!launches.isOk()) {
    rejectLine(line.command, launches.status(), where);
    return true;
  }
  for (const CommandLine &launch : *launches)
    if (!runLaunch(launch, where))
      return false;
  return !launches->empty() || runLaunch(line, where);
}

bool Session::runLaunch(const CommandLine &line, const std::string &where) {
  std::vector<std::string> notes;
  auto command = buildCommand(line);
  Status status = command.status();
  if (status.isOk())
    status = line.driver.checkUse(&notes);
  if (!status.isOk()) {
    rejectLine(line.command, status, where);
    return true;
  }
  noteIdle(line.driver, Options.timeAlways || line.driver.on(DriverFlag::Time),
           &notes);
  notes.insert(notes.end(), command->notes.begin(), command->notes.end());
  for (const std::string &message : notes)
    note(message);

  hideProgress();
  if (!Quiet && !Options.json)
    print(stdout, line.echo + "\n");
  std::vector<RunResult> results;
  for (const std::string &backend : Backends) {
    if (Backends.size() > 1 && !Quiet && !Options.json)
      print(stdout, ">>> backend " + backend + "\n");
    RunResult result = runCommand(line, *command, backend, Options);
    if (result.cutShort && result.status.isOk())
      return false;
    report(line, result);
    if (result.failed())
      fail(where, result);
    results.push_back(std::move(result));
    if (interrupted() && results.size() != Backends.size())
      return false;
  }
  writeCsv(results);
  return true;
}

int Session::exitStatus(bool single) const {
  if (interrupted())
    return 130;
  if (Failures.empty())
    return 0;
  // Alone, a request that is wrong in itself is a usage error.
  return single && First.code() == StatusCode::InvalidArgument ? 2 : 1;
}

int Session::runSingle(const CommandLine &line) {
  runLine(line, "");
  return exitStatus(true);
}

int Session::runFile(const std::vector<FileLine> &lines,
                     std::span<const std::string> outside) {
  size_t done = 0;
  for (size_t i = 0; i != lines.size() && !interrupted(); ++i, ++done) {
    const FileLine &each = lines[i];
    std::string where = "line " + std::to_string(each.number);
    if (!each.status.isOk()) {
      rejectLine(each.text, each.status, where);
      continue;
    }
    auto line = parseCommand(each.tokens, outside, true);
    if (!line.isOk()) {
      rejectLine(joinCommand(each.tokens), line.status(), where);
      continue;
    }
    showProgress(i, lines.size(), line->echo);
    if (!runLine(*line, where))
      break;
  }
  hideProgress();
  printSummary(done, lines.size());
  return exitStatus(false);
}

void Session::printSummary(size_t done, size_t count) const {
  std::string text = std::to_string(done) + " of " + std::to_string(count) +
                     " commands ran, " + std::to_string(Failures.size()) +
                     " failed" + (interrupted() ? " (interrupted)\n" : "\n");
  if (!Failures.empty()) {
    text += std::string(80, '-') + "\n";
    for (const Failure &failure : Failures) {
      text += wrapText(failure.what, 2, 0) + "  " + wrapText(failure.why, 2, 2);
      // One line, however long: it is there to be copied.
      text += "  repeat with: " + failure.repro + "\n";
      text += std::string(80, '-') + "\n";
    }
  }
  print(stderr, text);
}
