//===- TuneWorker.cpp -----------------------------------------------------===//

#include "boo/driver/tune/TuneWorker.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/records/ResultText.h"
#include "boo/runtime/Cache.h"

#include <nlohmann/json.hpp>

#include <deque>
#include <map>

using namespace boo;

using Json = nlohmann::ordered_json;

namespace {

/// Answers from what is known, and measures what is not.
class WorkerSpace : public TuneSpace {
public:
  WorkerSpace(const TuneJob &job, TuneBench &bench,
              const WorkerOptions::Send &send)
      : Job(job), Bench(bench), Send(send) {
    for (const Trial &trial : *job.known)
      Known[{trial.against, trial.schedule}].push_back(trial);
  }

  bool damaged() const { return Damaged; }

  StatusOr<ScheduleSteps> steps(const std::string &from) override {
    auto [entry, isNew] = Steps.try_emplace(from);
    if (isNew) {
      BOO_ASSIGN_OR_RETURN(entry->second, Bench.steps(from));
    }
    return entry->second;
  }

  StatusOr<Trial> compare(const std::string &against,
                          const std::string &schedule) override {
    // A pair that is compared again meets its next outcome.
    if (auto &known = Known[{against, schedule}]; !known.empty()) {
      Trial trial = std::move(known.front());
      known.pop_front();
      Spent += trial.seconds;
      return trial;
    }
    Trial trial;
    trial.against = against;
    trial.schedule = schedule;
    tell("begin", trial);
    double start = nowMs();
    limitTime(Job.task->timeout);
    auto done = Bench.compare(against, schedule);
    limitTime(0);
    if (!done.isOk())
      return done.status();
    done->seconds = (nowMs() - start) / 1000;
    Spent += done->seconds;
    tell("trial", *done);
    Damaged = done->damaging;
    if (Damaged)
      return internalError("a fresh process goes on");
    return done;
  }

  bool timeLeft() override { return !interrupted() && Spent < Job.share; }

private:
  void tell(const char *what, const Trial &trial) {
    Json json;
    json[what] = trialJson(trial);
    Send(jsonLine(json));
  }

  const TuneJob &Job;
  TuneBench &Bench;
  const WorkerOptions::Send &Send;
  std::map<std::pair<std::string, std::string>, std::deque<Trial>> Known;
  std::map<std::string, ScheduleSteps> Steps;
  double Spent = 0;
  bool Damaged = false;
};

} // namespace

bool boo::runTuneJob(const TuneJob &job, TuneBench &bench,
                     const WorkerOptions::Send &send) {
  WorkerSpace space(job, bench, send);
  auto end = searchSchedules(space, job.search);
  Json json;
  Json &told = json["end"];
  told["exhausted"] = end.isOk() && end->exhausted;
  told["again"] = space.damaged();
  told["code"] = space.damaged() ? 0 : int(end.status().code());
  told["error"] = end.status().message();
  send(jsonLine(json));
  return !space.damaged();
}
