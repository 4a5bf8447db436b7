//===- SearchTest.cpp - The order of a search -----------------------------===//

#include "boo/driver/tune/Search.h"

#include <cstdlib>
#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;
using testing::SizeIs;

namespace {

/// Schedules are whole numbers, "7", and a step is 1 up or down, within 0 and
/// 40; what `cost` gives the lower of two is the faster one.
class Line : public TuneSpace {
public:
  explicit Line(int start, std::function<double(int)> cost)
      : Start(start), Cost(std::move(cost)) {}

  StatusOr<ScheduleSteps> steps(const std::string &from) override {
    int at = from.empty() ? Start : std::atoi(from.c_str());
    ScheduleSteps steps{std::to_string(at), {}};
    if (at < 40)
      steps.steps.push_back(std::to_string(at + 1));
    if (at > 0)
      steps.steps.push_back(std::to_string(at - 1));
    return steps;
  }
  StatusOr<Trial> compare(const std::string &against,
                          const std::string &schedule) override {
    log.push_back(against + ":" + schedule);
    if (schedule == broken)
      return internalError("the disk is full");
    Trial trial;
    trial.against = against;
    trial.schedule = schedule;
    trial.ratio =
        Cost(std::atoi(schedule.c_str())) / Cost(std::atoi(against.c_str()));
    trial.outcome = std::isnan(trial.ratio) ? TrialOutcome::Failed
                    : trial.ratio < 1       ? TrialOutcome::Faster
                                            : TrialOutcome::Slower;
    return trial;
  }
  bool timeLeft() override { return log.size() < most; }

  std::vector<std::string> log;
  std::string broken;
  size_t most = 1000;

private:
  int Start;
  std::function<double(int)> Cost;
};

} // namespace

TEST(Search, goesOnFromWhatWins) {
  Line line(3, [](int at) { return std::fabs(at - 5.0) + 1; });
  auto end = searchSchedules(line, {0, 0});
  ASSERT_TRUE(end.isOk());
  EXPECT_EQ(end->untuned, "3");
  EXPECT_EQ(end->best, "5");
  EXPECT_TRUE(end->exhausted);
  // Behind the first find each is compared with the untuned one, too; nothing
  // is tried twice, but the best is confirmed.
  EXPECT_THAT(line.log, ElementsAre("3:4", "4:5", "3:5", "5:6", "3:5"));
}

TEST(Search, whatIsNotConfirmedIsTakenBack) {
  Line line(3, [&](int at) {
    // From the fifth comparison on 5 is slow.
    return at == 5 && line.log.size() >= 5 ? 9 : std::fabs(at - 5.0) + 1;
  });
  auto end = searchSchedules(line, {0, 0});
  ASSERT_TRUE(end.isOk());
  EXPECT_EQ(end->best, "4");
  EXPECT_THAT(line.log, ElementsAre("3:4", "4:5", "3:5", "5:6", "3:5", "3:4"));
}

TEST(Search, failuresAndSlowerOnesAreNoWayOn) {
  Line line(3, [](int at) { return at == 4 ? NAN : at == 3 ? 1 : 2; });
  auto end = searchSchedules(line, {0, 0});
  ASSERT_TRUE(end.isOk());
  EXPECT_EQ(end->best, "3");
  EXPECT_THAT(line.log, ElementsAre("3:4", "3:2"));
}

TEST(Search, jumpsLeaveAHollowAndFollowFromTheSeed) {
  auto cost = [](int at) { return at == 7 ? 5.0 : at >= 10 ? 3.0 : 40.0; };
  bool found = false;
  for (uint64_t seed = 0; seed != 8; ++seed) {
    Line line(7, cost), again(7, cost);
    auto end = searchSchedules(line, {seed, 24});
    ASSERT_TRUE(end.isOk());
    EXPECT_TRUE(end->exhausted);
    found |= end->best == "10";
    ASSERT_TRUE(searchSchedules(again, {seed, 24}).isOk());
    EXPECT_EQ(again.log, line.log);
  }
  EXPECT_TRUE(found);
}

TEST(Search, timeAndErrorsEndIt) {
  auto cost = [](int at) { return 100.0 - at; };
  Line line(3, cost);
  line.most = 4;
  auto end = searchSchedules(line, {});
  ASSERT_TRUE(end.isOk());
  EXPECT_FALSE(end->exhausted);
  // The further comparisons of a find are not left out.
  EXPECT_THAT(line.log, SizeIs(6));
  EXPECT_EQ(end->best, "6");
  Line none(3, cost);
  none.most = 0;
  end = searchSchedules(none, {});
  ASSERT_TRUE(end.isOk());
  EXPECT_EQ(end->best, "3");
  EXPECT_FALSE(end->exhausted);
  Line broken(3, cost);
  broken.broken = "5";
  EXPECT_EQ(searchSchedules(broken, {}).status().message(), "the disk is full");
}
