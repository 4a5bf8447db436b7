//===- RunInProcessesTest.cpp ---------------------------------------------===//

#include "boo/base/RunInProcesses.h"
#include "boo/base/Interrupt.h"

#include <csignal>
#include <gmock/gmock.h>
#include <map>
#include <numeric>
#include <set>
#include <unistd.h>

using namespace boo;
using ::testing::HasSubstr;

namespace {

struct Outcome {
  std::map<size_t, std::string> answers, errors;
  Status status;
};

Outcome runJobs(size_t count, int64_t processes,
                std::function<std::string(size_t)> work,
                std::function<void()> onAnswer = {}) {
  std::vector<size_t> jobs(count);
  std::iota(jobs.begin(), jobs.end(), 100);
  Outcome outcome;
  ProcessJobs what;
  what.work = std::move(work);
  what.done = [&](size_t job, StatusOr<std::string> answer) {
    auto &list = answer.isOk() ? outcome.answers : outcome.errors;
    EXPECT_FALSE(list.count(job)) << job;
    list[job] = answer.isOk() ? *answer : answer.status().message();
    if (onAnswer)
      onAnswer();
  };
  outcome.status = runInProcesses(jobs, processes, what);
  return outcome;
}

TEST(RunInProcesses, answersEachJobOnceFromSeveralProcesses) {
  Outcome outcome = runJobs(50, 3, [](size_t job) {
    ::usleep(1000);
    return std::to_string(::getpid()) + " " + std::to_string(job);
  });
  EXPECT_TRUE(outcome.status.isOk());
  EXPECT_TRUE(outcome.errors.empty());
  ASSERT_EQ(outcome.answers.size(), 50u);
  std::set<std::string> processes;
  for (const auto &[job, answer] : outcome.answers) {
    size_t blank = answer.find(' ');
    processes.insert(answer.substr(0, blank));
    EXPECT_EQ(answer.substr(blank + 1), std::to_string(job));
  }
  EXPECT_EQ(processes.size(), 3u);
  EXPECT_FALSE(processes.count(std::to_string(::getpid())));
}

TEST(RunInProcesses, aDeathCostsOneJobAndTheProcessIsReplaced) {
  Outcome outcome = runJobs(10, 2, [](size_t job) -> std::string {
    if (job == 103)
      ::raise(SIGKILL);
    if (job == 107)
      ::_exit(3);
    return "well";
  });
  EXPECT_EQ(outcome.answers.size(), 8u);
  ASSERT_EQ(outcome.errors.size(), 2u);
  EXPECT_THAT(outcome.errors[103], HasSubstr("signal 9"));
  EXPECT_THAT(outcome.errors[107], HasSubstr("status 3"));
}

TEST(RunInProcesses, allMayDie) {
  Outcome outcome = runJobs(5, 8, [](size_t) -> std::string { ::_exit(1); });
  EXPECT_TRUE(outcome.status.isOk());
  EXPECT_EQ(outcome.errors.size(), 5u);
}

TEST(RunInProcesses, longAndEmptyAnswers) {
  Outcome outcome = runJobs(4, 2, [](size_t job) {
    return job % 2 ? std::string(3 << 20, char(job)) : std::string();
  });
  EXPECT_EQ(outcome.answers[101], std::string(3 << 20, char(101)));
  EXPECT_EQ(outcome.answers[102], "");
}

TEST(RunInProcesses, interruptFinishesWhatIsUnderWay) {
  SignalScope signals;
  Outcome outcome = runJobs(
      20, 2,
      [](size_t) {
        ::usleep(2000);
        return std::string("well");
      },
      [] {
        if (!interrupted())
          ::raise(SIGINT);
      });
  EXPECT_GE(outcome.answers.size(), 1u);
  EXPECT_LE(outcome.answers.size(), 3u);
  EXPECT_TRUE(outcome.errors.empty());
}

TEST(RunInProcesses, noJobs) {
  EXPECT_TRUE(
      runJobs(0, 2, [](size_t) { return std::string(); }).status.isOk());
}

} // namespace
