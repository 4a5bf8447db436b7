//===- TuneRunTest.cpp - Searches that crash, hang and go on --------------===//

#include "boo/driver/tune/TuneRun.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/tune/TuneCommand.h"
#include "boo/driver/tune/TuneReport.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace boo;
using testing::AllOf;
using testing::HasSubstr;

namespace {

/// Schedules are numbers; 3 is the untuned one. 4 crashes, 2 hangs, 7 is wrong,
/// 6 is faster than all others.
class Fake : public TuneBench {
public:
  Fake(std::string log, bool fickle) : Log(std::move(log)), Fickle(fickle) {}

  StatusOr<ScheduleSteps> steps(const std::string &from) override {
    int at = from.empty() ? 3 : std::atoi(from.c_str());
    ScheduleSteps steps{std::to_string(at), {}};
    for (int other : {at + 1, at - 1, at + 3})
      if (other >= 0 && other < 12)
        steps.steps.push_back(std::to_string(other));
    return steps;
  }

  StatusOr<Trial> compare(const std::string &against,
                          const std::string &schedule) override {
    auto log = readFile(Log);
    bool again = log.isOk() && log->find(":6\n") != log->npos;
    std::ofstream(Log, std::ios::app) << against << ":" << schedule << "\n";
    if (schedule == "4") {
      ::signal(SIGSEGV, SIG_DFL); // a sanitizer would tell of it at length
      ::raise(SIGSEGV);
    }
    while (schedule == "2")
      ::pause();
    Trial trial;
    trial.against = against;
    trial.schedule = schedule;
    trial.againstUs = against == "6" ? 50 : 100;
    trial.us = schedule == "6" ? 50 : 120;
    trial.ratio = trial.us / trial.againstUs;
    trial.outcome = schedule == "6" && !(again && Fickle)
                        ? TrialOutcome::Faster
                        : TrialOutcome::Slower;
    if (schedule == "7") {
      trial.outcome = TrialOutcome::Failed;
      trial.why = "its results are wrong";
      trial.damaging = true;
    }
    return trial;
  }

private:
  std::string Log;
  bool Fickle; ///< 6 is faster only once
};

class Tune : public testing::Test {
protected:
  Tune() {
    std::string pattern = testing::TempDir() + "boo-tune-XXXXXX";
    Dir = ::mkdtemp(pattern.data());
  }
  ~Tune() override { std::filesystem::remove_all(Dir); }

  std::string path(const char *name) const { return Dir + "/" + name; }
  std::string file(const char *name, const std::string &text) const {
    EXPECT_TRUE(writeFile(path(name), text).isOk());
    return path(name);
  }
  size_t measured() const {
    auto text = readFile(path("log"));
    return text.isOk() ? size_t(std::count(text->begin(), text->end(), '\n'))
                       : 0;
  }

  /// The kernels of a call, tuned by the fake.
  std::vector<TunedKernel> tune(double budget,
                                const std::string &commands = "gemm -k 5\n") {
    std::vector<std::string> arguments{file("commands.txt", commands)};
    auto program = parseProgram("boo tune", arguments, tuneFlagTable());
    EXPECT_TRUE(program.isOk()) << program.status().message();
    std::vector<std::string> notes;
    TuneState state;
    SpecFile spec;
    Status status = state.open(path("state"), "build", false);
    if (status.isOk())
      status = spec.open(path("tuned.jsonl"));
    EXPECT_TRUE(status.isOk()) << status.message();
    TuneOptions options;
    options.budget = budget;
    options.bench = [this](const TuneTask &) {
      return std::make_unique<Fake>(path("log"), Fickle);
    };
    TuneRun run(options, state, spec);
    TuneTask task;
    task.timeout = 0.3;
    for (const PlannedCommand &planned :
         planCommands(*program, "", false, &notes))
      EXPECT_TRUE(run.add(planned, task).isOk());
    SignalScope signals;
    Began.clear();
    TuneListener listener;
    listener.onBegin = [&](size_t kernel) { Began.push_back(kernel); };
    listener.onEnd = [](size_t) {};
    listener.onTrial = [](size_t, const Trial &) {};
    status = run.run(listener);
    EXPECT_TRUE(status.isOk()) << status.message();
    return run.kernels();
  }

  std::string Dir;
  bool Fickle = false;
  std::vector<size_t> Began;
};

std::string outcomes(const TunedKernel &kernel) {
  std::string text;
  for (const Trial &trial : kernel.trials)
    text += trial.schedule + " " + std::string(outcomeName(trial.outcome)) +
            (trial.why.empty() ? "" : " (" + trial.why + ")") + "\n";
  return text;
}

} // namespace

TEST_F(Tune, whatCrashesHangsOrIsWrongCostsItselfAlone) {
  auto kernels = tune(1000);
  ASSERT_EQ(kernels.size(), 1u);
  const TunedKernel &kernel = kernels[0];
  EXPECT_THAT(
      outcomes(kernel),
      testing::StartsWith("4 failed (killed by SIGSEGV (bad memory access))\n"
                          "2 failed (took longer than --timeout 0.3)\n"
                          "6 faster\n"
                          "7 failed (its results are wrong)\n"
                          "5 slower\n"
                          "9 slower\n"));
  EXPECT_TRUE(kernel.status.isOk()) << kernel.status.message();
  EXPECT_TRUE(kernel.ended && kernel.exhausted && !kernel.fromState);
  ASSERT_TRUE(kernel.best());
  EXPECT_EQ(kernel.best()->schedule, "6");
  EXPECT_EQ(kernel.untunedUs(), 100);
  EXPECT_EQ(measured(), kernel.trials.size());
  // The best is confirmed.
  EXPECT_EQ(measured(), kernel.tried() + 1);
  EXPECT_EQ(kernel.trials.back().schedule, "6");
  auto table = TuningTable::read(path("tuned.jsonl"));
  ASSERT_TRUE(table.isOk());
  EXPECT_EQ(table->size(), 1u);
  EXPECT_EQ(table->find(kernel.task.graphText, kernel.task.compile.target.isa,
                        "default"),
            "6");
  EXPECT_THAT(endText(kernel),
              HasSubstr("tuned: 100.00 us -> 50.00 us (0.50)"));
  EXPECT_THAT(tuneTable(kernels), HasSubstr("100.00       50.00   0.50"));
}

TEST_F(Tune, theNextRunGoesOnFromTheState) {
  auto first = tune(1000);
  size_t before = measured();
  auto second = tune(1000);
  EXPECT_EQ(measured(), before);
  EXPECT_EQ(outcomes(second[0]), outcomes(first[0]));
  EXPECT_TRUE(second[0].fromState && second[0].exhausted);
  // Entries that are gone are written again, from what is known.
  std::string entries = *readFile(path("tuned.jsonl"));
  ::unlink(path("tuned.jsonl").c_str());
  (void)tune(1000);
  EXPECT_EQ(measured(), before);
  EXPECT_EQ(*readFile(path("tuned.jsonl")), entries);
  // A line that was being written when the program died is done again.
  std::string state = *readFile(path("state"));
  size_t last = state.rfind('\n', state.size() - 2) + 1;
  (void)file("state", state.substr(0, last + 9));
  EXPECT_EQ(outcomes(tune(1000)[0]), outcomes(first[0]));
  EXPECT_EQ(measured(), before + 1);
}

TEST_F(Tune, aBudgetEndsASearchAndALargerOneGoesOn) {
  std::string commands = "gemm -k 5\ngemm -k 5 --iter 3\ngemm -k 6\n";
  auto kernels = tune(1e-9, commands);
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].alsoNeeded, 1u);
  // What is over the first one's share leaves nothing to the second.
  EXPECT_EQ(kernels[0].tried(), 1u);
  EXPECT_EQ(kernels[1].tried(), 0u);
  EXPECT_TRUE(kernels[0].ended && !kernels[0].exhausted);
  EXPECT_THAT(endText(kernels[1]),
              HasSubstr("nothing clearly faster; 0 tried"));
  kernels = tune(1e-9, commands);
  EXPECT_EQ(measured(), 1u);
  EXPECT_TRUE(kernels[0].fromState);
  kernels = tune(1000, commands);
  EXPECT_TRUE(kernels[0].exhausted && kernels[1].exhausted);
  EXPECT_EQ(Began.size(), 2u);
}

TEST_F(Tune, filesOfOthersAreLeftAlone) {
  SpecFile spec;
  std::string thesis = file("thesis", "my thesis\n");
  EXPECT_THAT(spec.open(thesis).message(), HasSubstr("no file of tuning"));
  EXPECT_THAT(spec.open(file("torn", "my thesis")).message(),
              HasSubstr("no file of tuning"));
  EXPECT_EQ(*readFile(path("torn")), "my thesis");
  TuneState state;
  for (bool restart : {false, true})
    EXPECT_THAT(state.open(thesis, "build", restart).message(),
                HasSubstr("no state of boo tune"));
  EXPECT_EQ(*readFile(thesis), "my thesis\n");
  ASSERT_TRUE(state.open(path("state"), "one", false).isOk());
  TuneState other;
  EXPECT_THAT(other.open(path("state"), "two", false).message(),
              AllOf(HasSubstr("another build"), HasSubstr("--restart")));
  EXPECT_TRUE(other.open(path("state"), "two", true).isOk());
}

TEST_F(Tune, entriesAreAppendedWhole) {
  TuningEntry entry;
  entry.graph = "boo.graph 1\n";
  entry.math = "default";
  entry.schedule = "m_tile=4";
  std::string line = printTuningEntry(entry), comment = "# by hand\n";
  auto add = [&](const std::string &schedule) {
    SpecFile spec;
    EXPECT_TRUE(spec.open(path("spec")).isOk());
    entry.schedule = schedule;
    EXPECT_TRUE(spec.add(entry).isOk());
    return *readFile(path("spec"));
  };
  (void)file("spec", comment + line + line.substr(0, 20));
  EXPECT_EQ(add("m_tile=4"), comment + line);
  (void)file("spec", comment + line.substr(0, line.size() - 1));
  std::string more = add("m_tile=5");
  EXPECT_TRUE(more.starts_with(comment + line)) << more;
  EXPECT_THAT(more, HasSubstr("m_tile=5\""));
  EXPECT_EQ(add("m_tile=5"), more);
  SpecFile spec;
  ASSERT_TRUE(spec.open(path("spec")).isOk());
  TuningEntry other = entry;
  other.math = "fast";
  ASSERT_TRUE(spec.add(other).isOk());
  std::string tail = printTuningEntry(other);
  // Taken back is the last one of the kernel, and none before it.
  entry.schedule = "m_tile=4";
  ASSERT_TRUE(spec.withdraw(entry).isOk());
  EXPECT_EQ(*readFile(path("spec")), more + tail);
  entry.schedule = "m_tile=5";
  ASSERT_TRUE(spec.withdraw(entry).isOk());
  EXPECT_EQ(*readFile(path("spec")), comment + line + tail);
  ASSERT_TRUE(spec.withdraw(other).isOk());
  EXPECT_EQ(*readFile(path("spec")), comment + line);
}

TEST_F(Tune, aFindThatIsNotConfirmedIsTakenBack) {
  Fickle = true;
  auto kernels = tune(1000);
  EXPECT_EQ(kernels[0].best(), nullptr);
  EXPECT_EQ(kernels[0].trials.back().schedule, "6");
  EXPECT_EQ(*readFile(path("tuned.jsonl")), "");
}

TEST_F(Tune, wrongCalls) {
  std::string list = file("list.txt", "conv -n 1\n");
  struct {
    std::vector<std::string> arguments;
    const char *says;
  } cases[] = {
      {{"--budget", "5"}, "which commands? boo tune FILE"},
      {{path("none.txt")}, "none.txt' is neither a file nor a command"},
      {{list, "--budget", "0"}, "--budget (-b) 0: must be more than 0 seconds"},
      {{list, "--budget", "x"}, "--budget (-b) takes a"},
      {{list, "--timeout", "-1"}, "--timeout -1: must be more than 0 seconds"},
      {{list, "-o", "x.mlir"}, "name it .jsonl"},
      {{list, "-o", "x", "--state", "x"},
       "the file of --output (-o) is another"},
      {{list, "-o", ""}, "name a file"},
      {{"conv", "-n", "1", "-c", "x"}, "--in_channels (-c) takes an integer"},
      {{list, "--bogus"}, "unknown flag '--bogus'"},
  };
  for (const auto &each : cases) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(tuneCommand(each.arguments), 2) << each.says;
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(each.says));
  }
}

TEST_F(Tune, helpTellsAllFlags) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(tuneCommand(std::vector<std::string>{"--help"}), 0);
  std::string help = testing::internal::GetCapturedStdout();
  for (const Flag &flag : tuneFlagTable())
    EXPECT_THAT(help, HasSubstr("--" + std::string(flag.name)));
  EXPECT_THAT(help, AllOf(HasSubstr("BOO_TUNING_SPEC_PATH"),
                          HasSubstr("--threads"), HasSubstr("--math")));
}

TEST(TuneBench, chanceIsNoGain) {
  auto turns = [](double ratio) { return std::vector<double>(9, ratio); };
  EXPECT_TRUE(isClearlyFaster(turns(0.96)));
  EXPECT_FALSE(isClearlyFaster(turns(0.98)));
  EXPECT_FALSE(isClearlyFaster(turns(1.1)));
  auto mixed = turns(0.9);
  mixed[3] = 1.4;
  EXPECT_TRUE(isClearlyFaster(mixed));
  mixed[5] = 1.01;
  EXPECT_FALSE(isClearlyFaster(mixed));
  EXPECT_FALSE(isClearlyFaster({0.5, 0.5}));
}

TEST(TuneReport, timesThatSwingAreWorthAWord) {
  TunedKernel kernel;
  Trial trial;
  trial.against = "a=1";
  trial.outcome = TrialOutcome::Slower;
  for (double us : {100.0, 120.0, 140.0}) {
    trial.againstUs = us;
    kernel.trials.push_back(trial);
  }
  EXPECT_THAT(endText(kernel), testing::Not(HasSubstr("not quiet")));
  trial.againstUs = 160;
  kernel.trials.push_back(trial);
  EXPECT_THAT(
      endText(kernel),
      HasSubstr("not quiet: the same kernel took from 100.00 to 160.00"));
}

TEST(Trial, whatDiffersIsTold) {
  EXPECT_EQ(scheduleChange("a=1 b=3 c=3", "a=1 b=2 c=3"), "b=3");
  EXPECT_EQ(scheduleChange("a=1", "a=1"), "no change");
}
