//===- TuneRun.cpp --------------------------------------------------------===//

#include "boo/driver/tune/TuneRun.h"
#include "boo/base/Hash.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/records/ResultText.h"
#include "boo/driver/tune/TuneWorker.h"
#include "boo/runtime/Cache.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <set>
#include <sys/wait.h>

using namespace boo;

/// Of all trials, or those that failed.
static size_t countSchedules(const std::vector<Trial> &trials, bool all) {
  std::set<std::string_view> schedules;
  for (const Trial &trial : trials)
    if (all || trial.outcome == TrialOutcome::Failed)
      schedules.insert(trial.schedule);
  return schedules.size();
}
size_t TunedKernel::tried() const { return countSchedules(trials, true); }
size_t TunedKernel::failed() const { return countSchedules(trials, false); }

// The first comparison of all is with the untuned Schedule; of several of one
// pair the last counts.
const Trial *TunedKernel::best() const {
  std::set<std::string_view> judged;
  for (size_t i = trials.size(); i-- != 0;)
    if (trials[i].against == trials.front().against &&
        judged.insert(trials[i].schedule).second &&
        trials[i].outcome == TrialOutcome::Faster)
      return &trials[i];
  return nullptr;
}

double TunedKernel::untunedUs() const {
  if (const Trial *found = best())
    return found->againstUs;
  for (const Trial &trial : trials)
    if (trial.against == trials.front().against &&
        std::isfinite(trial.againstUs))
      return trial.againstUs;
  return NAN;
}

double TunedKernel::seconds() const {
  double all = 0;
  for (const Trial &trial : trials)
    all += trial.seconds;
  return all;
}

double TuneRun::seconds() const {
  double all = 0;
  for (const TunedKernel &kernel : Kernels)
    all += kernel.seconds();
  return all;
}

/// All that outcomes depend on but the build.
static std::string idOf(const TuneTask &task) {
  return hashHex(task.graphText + printTarget(task.compile.target) + " " +
                 task.compile.math +
                 (task.compile.constantsPacked ? " packed " : " ") +
                 std::to_string(task.threads));
}

Status TuneRun::add(const PlannedCommand &planned, const TuneTask &common) {
  TuneTask task = common;
  task.compile = planned.options;
  task.compile.useTuning = false;
  BOO_ASSIGN_OR_RETURN(auto needed,
                       neededKernels(planned.command.graph, task.compile));
  for (NeededKernel &each : needed) {
    task.name = task.compile.name = each.name;
    task.graphText = std::move(each.graph);
    std::string id = idOf(task);
    auto same = std::find_if(Kernels.begin(), Kernels.end(),
                             [&](const auto &k) { return k.id == id; });
    if (same != Kernels.end()) {
      ++same->alsoNeeded;
      continue;
    }
    TunedKernel kernel;
    kernel.task = task;
    kernel.id = std::move(id);
    kernel.where = planned.where;
    kernel.command = planned.text;
    kernel.repro = planned.repro;
    kernel.trials = State.trials(kernel.id);
    Kernels.push_back(std::move(kernel));
  }
  return Status::ok();
}

/// What those before it left, in equal parts to it and those behind it. The
/// same for a run that goes on, as what they left is known from their trials.
double TuneRun::shareOf(size_t kernel) const {
  double left = Options.budget;
  for (size_t i = 0; i != kernel; ++i)
    left -= Kernels[i].seconds();
  return std::max(left, 0.0) / double(Kernels.size() - kernel);
}

TuningEntry TuneRun::entryOf(const TunedKernel &kernel,
                             const Trial &best) const {
  TuningEntry entry;
  entry.graph = kernel.task.graphText;
  entry.isa = kernel.task.compile.target.isa;
  entry.math = kernel.task.compile.math;
  entry.schedule = best.schedule;
  entry.name = kernel.task.name;
  entry.threads = kernel.task.threads;
  entry.untunedUs = best.againstUs;
  entry.us = best.us;
  return entry;
}

/// Entries come first: those that the state knows of are not looked for again.
void TuneRun::record(TunedKernel &kernel, Trial trial) {
  UnderWay = Trial();
  std::optional<TuningEntry> before;
  if (const Trial *best = kernel.best())
    before = entryOf(kernel, *best);
  kernel.trials.push_back(std::move(trial));
  const Trial &last = kernel.trials.back();
  const Trial *best = kernel.best();
  if (before && last.outcome != TrialOutcome::Faster &&
      (!best || best->schedule != before->schedule))
    keepStatus(Spec.withdraw(*before));
  if (best && WriteStatus.isOk())
    keepStatus(Spec.add(entryOf(kernel, *best)));
  if (WriteStatus.isOk())
    keepStatus(State.add(kernel.id, last));
  if (WriteStatus.isOk())
    Listener->onTrial(Current, last);
}

/// What is found and cannot be kept need not be looked for.
void TuneRun::keepStatus(Status status) {
  WriteStatus = std::move(status);
  if (!WriteStatus.isOk())
    setInterrupted();
}

void TuneRun::onMessage(TunedKernel &kernel, std::string_view message) {
  auto json = parseJsonLine(message);
  if (!json.isOk())
    return;
  if (auto end = json->find("end"); end != json->end()) {
    Again = end->value("again", false);
    kernel.ended = !Again;
    kernel.exhausted = end->value("exhausted", false);
    auto code = StatusCode(end->value("code", 0));
    if (code != StatusCode::Ok)
      kernel.status = Status(code, end->value("error", ""));
    return;
  }
  bool begins = json->contains("begin");
  auto trial = trialOfJson((*json)[begins ? "begin" : "trial"]);
  if (!trial.isOk())
    return;
  if (!begins)
    return record(kernel, std::move(*trial));
  UnderWay = std::move(*trial);
  Begun = nowMs();
}

/// The worker died.
void TuneRun::died(TunedKernel &kernel, const std::string &why) {
  if (UnderWay.schedule.empty()) {
    kernel.ended = true;
    kernel.status = internalError("its worker process: " + why);
    return;
  }
  Trial trial = UnderWay;
  trial.why = why;
  trial.seconds = (nowMs() - Begun) / 1000;
  Again = true;
  record(kernel, std::move(trial));
}

static std::string describe(const JobEnd &end, double timeout) {
  if (!WIFSIGNALED(end.waitStatus) || WTERMSIG(end.waitStatus) != SIGALRM)
    return end.describe();
  char text[80];
  std::snprintf(text, sizeof text, "took longer than --timeout %g", timeout);
  return text;
}

Status TuneRun::runKernel(size_t index, const TuneListener &listener) {
  TunedKernel &kernel = Kernels[index];
  Listener = &listener;
  Current = index;
  double share = shareOf(index);
  WorkerOptions workers;
  workers.work = [&](size_t, const WorkerOptions::Send &send) {
    std::signal(SIGALRM, SIG_DFL);
    setRunning(kernel.repro);
    TuneTask task = kernel.task;
    task.referenceSeconds = std::max(share, 1.0);
    auto bench = Options.bench(task);
    return runTuneJob({&task, &kernel.trials, share, {Options.seed}}, *bench,
                      send);
  };
  workers.onMessage = [&](size_t, std::string_view message) {
    onMessage(kernel, message);
  };
  workers.onEnd = [&](size_t, const JobEnd &end) {
    if (!end.returned)
      died(kernel, describe(end, kernel.task.timeout));
  };
  size_t jobs[] = {index};
  do {
    Again = false;
    UnderWay = Trial();
    BOO_RETURN_IF_ERROR(runInWorkers(jobs, workers));
  } while (Again && !interrupted());
  if (interrupted()) {
    kernel.ended = kernel.exhausted = false;
    kernel.status = Status::ok();
  }
  return Status::ok();
}

Status TuneRun::run(const TuneListener &listener) {
  // A file of entries may have been removed, or be another one than before.
  for (const TunedKernel &kernel : Kernels)
    if (const Trial *best = kernel.best())
      BOO_RETURN_IF_ERROR(Spec.add(entryOf(kernel, *best)));
  for (size_t i = 0; i != Kernels.size() && !interrupted(); ++i) {
    size_t before = Kernels[i].trials.size();
    listener.onBegin(i);
    BOO_RETURN_IF_ERROR(runKernel(i, listener));
    BOO_RETURN_IF_ERROR(WriteStatus);
    Kernels[i].fromState = before != 0 && Kernels[i].trials.size() == before;
    if (Kernels[i].ended)
      listener.onEnd(i);
  }
  return Status::ok();
}
