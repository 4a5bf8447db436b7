//===- FileRun.cpp - Lines of commands in workers -------------------------===//
//
// A job is a line on a backend. The worker that does it has all lines, as it
// was forked; it answers with {"notes": […]} once the command is known to be
// sound, and {"result": {…}}.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/FileRun.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/base/Env.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/WorkerPool.h"
#include "boo/driver/commands/CommandText.h"
#include "boo/driver/records/ResultText.h"
#include "boo/runtime/CompilerPlugin.h"

#include <nlohmann/json.hpp>

using namespace boo;

namespace {

struct Job {
  bool begun = false, shown = false, ended = false;
  std::vector<std::string> notes;
  std::optional<RunResult> result;
};

class FileRun {
public:
  FileRun(Session &session, const std::vector<ParsedLine> &lines,
          StateFile &state)
      : TheSession(session), Lines(lines), State(state),
        Jobs(lines.size() * session.backends().size()),
        FromState(lines.size()) {}

  Status run();

private:
  size_t perLine() const { return TheSession.backends().size(); }
  const ParsedLine &lineOf(size_t job) const { return Lines[job / perLine()]; }
  const std::string &backendOf(size_t job) const {
    return TheSession.backends()[job % perLine()];
  }

  void rejectLine(size_t line);
  bool takeFromState(size_t line);
  bool work(size_t job, const WorkerOptions::Send &send) const;
  void onMessage(size_t job, std::string_view message);
  void onEnd(size_t job, const JobEnd &end);
  RunResult stoppedResult(size_t job, const JobEnd &end) const;
  void keep(size_t line);
  std::vector<RunResult> resultsOf(size_t line) const;
  void show();

  Session &TheSession;
  const std::vector<ParsedLine> &Lines;
  StateFile &State;
  std::vector<Job> Jobs;
  std::vector<bool> FromState;
  size_t Next = 0; ///< the first job that was not shown to its end
  Status StateStatus;
};

} // namespace

void FileRun::rejectLine(size_t line) {
  for (size_t i = 0; i != perLine(); ++i) {
    Job &job = Jobs[line * perLine() + i];
    job.ended = true;
    job.result = rejectedResult(Lines[line].text, TheSession.backends()[i],
                                Lines[line].status);
  }
}

/// A state's results have lost bytes that are no UTF-8, and the line's number.
static void restoreTexts(const CommandLine &line, RunResult *result) {
  result->command = line.command;
  if (!result->repro.empty())
    result->repro = reproLine(line, result->backend);
}

bool FileRun::takeFromState(size_t line) {
  if (!State.isOpen())
    return false;
  std::vector<RunResult> results = State.take(stateKey(Lines[line].text));
  if (results.size() != perLine())
    return false;
  for (size_t i = 0; i != perLine(); ++i) {
    Job &job = Jobs[line * perLine() + i];
    restoreTexts(*Lines[line].line, &results[i]);
    job.begun = !results[i].rejected;
    job.ended = true;
    job.result = std::move(results[i]);
  }
  return true;
}

/// In a worker.
bool FileRun::work(size_t job, const WorkerOptions::Send &send) const {
  LineListener listener;
  nlohmann::ordered_json json;
  listener.onBegin = [&](const std::vector<std::string> &notes) {
    json["notes"] = notes;
    send(jsonLine(json));
  };
  listener.onResult = [&](const RunResult &result) {
    json["result"] = resultJson(result);
    send(jsonLine(json));
  };
  return runLine(*lineOf(job).line, backendOf(job), TheSession.options(),
                 listener);
}

void FileRun::onMessage(size_t index, std::string_view message) {
  Job &job = Jobs[index];
  auto json = parseJsonLine(message);
  if (json.isOk() && json->contains("result")) {
    auto result = resultOfJson((*json)["result"]);
    job.result = result.isOk()
                     ? std::move(*result)
                     : failedResult("", backendOf(index),
                                    internalError("its worker: " +
                                                  result.status().message()));
    restoreTexts(*lineOf(index).line, &*job.result);
    return;
  }
  job.begun = true;
  if (json.isOk() && (*json)["notes"].is_array())
    for (const auto &note : (*json)["notes"])
      if (note.is_string())
        job.notes.push_back(note.get<std::string>());
  show();
}

RunResult FileRun::stoppedResult(size_t job, const JobEnd &end) const {
  const CommandLine &line = *lineOf(job).line;
  std::string why = end.timedOut ? "ran longer than --timeout " +
                                       line.driver.text(DriverFlag::Timeout)
                                 : end.describe();
  RunResult result =
      failedResult(line.command, backendOf(job), internalError(why));
  result.stopped = true;
  result.repro = reproLine(line, backendOf(job));
  return result;
}

void FileRun::onEnd(size_t index, const JobEnd &end) {
  Job &job = Jobs[index];
  if (!end.returned)
    job.result = stoppedResult(index, end);
  else if (!job.result)
    job.result = failedResult(lineOf(index).line->command, backendOf(index),
                              internalError("its worker told no result"));
  if (job.result && job.result->cutShort && job.result->status.isOk()) {
    setInterrupted(); // only Ctrl-C does that, if perhaps to the worker alone
    return;
  }
  job.ended = true;
  keep(index / perLine());
  show();
}

std::vector<RunResult> FileRun::resultsOf(size_t line) const {
  std::vector<RunResult> results;
  for (size_t i = 0; i != perLine(); ++i)
    if (const Job &job = Jobs[line * perLine() + i]; job.ended && job.result)
      results.push_back(*job.result);
  return results;
}

/// Adds a line of which all is done to the state.
void FileRun::keep(size_t line) {
  if (!State.isOpen() || !StateStatus.isOk())
    return;
  std::vector<RunResult> results = resultsOf(line);
  if (results.size() == perLine())
    StateStatus = State.add({stateKey(Lines[line].text), results});
}

/// Reports what has come in of the lines whose turn it is.
void FileRun::show() {
  for (; Next != Jobs.size(); ++Next) {
    Job &job = Jobs[Next];
    const ParsedLine &line = lineOf(Next);
    if (job.begun && !std::exchange(job.shown, true))
      TheSession.begin(*line.line, backendOf(Next), job.notes);
    if (!job.ended)
      return;
    if (job.result)
      TheSession.report(line.line ? &*line.line : nullptr, *job.result,
                        line.where);
    if ((Next + 1) % perLine() == 0)
      TheSession.finish(resultsOf(Next / perLine()),
                        FromState[Next / perLine()]);
  }
}

Status FileRun::run() {
  std::vector<size_t> jobs;
  for (size_t line = 0; line != Lines.size(); ++line) {
    if (!Lines[line].line)
      rejectLine(line);
    else if (takeFromState(line))
      FromState[line] = true;
    else
      for (size_t i = 0; i != perLine(); ++i)
        jobs.push_back(line * perLine() + i);
  }
  show();
  WorkerOptions options;
  options.workers = TheSession.options().jobs;
  options.work = [this](size_t job, const auto &send) {
    return work(job, send);
  };
  options.timeout = [this](size_t job) {
    const DriverValues &flags = lineOf(job).line->driver;
    return flags.given(DriverFlag::Timeout) ? flags.real(DriverFlag::Timeout)
                                            : 0;
  };
  options.onStart = [this](size_t job) {
    TheSession.showProgress(job / perLine(), Lines.size(),
                            lineOf(job).line->echo);
  };
  options.onMessage = [this](size_t job, std::string_view message) {
    onMessage(job, message);
  };
  options.onEnd = [this](size_t job, const JobEnd &end) { onEnd(job, end); };
  BOO_RETURN_IF_ERROR(runInWorkers(jobs, options));
  return StateStatus;
}

Status boo::runLines(Session &session, const std::vector<ParsedLine> &lines,
                     StateFile &state) {
  return FileRun(session, lines, state).run();
}

StateHead boo::stateHead(const Session &session,
                         std::span<const std::string> flags) {
  StateHead head;
  head.build = "boo=" + buildOf(ownFile()) + " " + compilerBuilds();
  std::vector<std::string> tokens(flags.begin(), flags.end());
  for (const std::string &backend : session.backends())
    tokens.push_back("--backend=" + backend);
  if (session.options().timeAlways)
    tokens.push_back("--json");
  else if (session.options().measurePeak)
    tokens.push_back("--csv");
  if (env().math != Env().math)
    tokens.push_back("BOO_MATH=" + env().math);
  if (env().ompNumThreads)
    tokens.push_back("OMP_NUM_THREADS=" + std::to_string(env().ompNumThreads));
  if (env().tuningSpec)
    tokens.push_back("BOO_TUNING_SPEC_PATH=" + *env().tuningSpec);
  head.flags = joinCommand(tokens);
  return head;
}
