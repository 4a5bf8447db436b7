//===- ProgressBarTest.cpp ------------------------------------------------===//

#include "boo/driver/ProgressBar.h"

#include <gtest/gtest.h>

using namespace boo;

namespace {

Progress halfWay() {
  Progress progress;
  progress.done = 50;
  progress.total = 100;
  progress.cached = 12;
  progress.failed = 1;
  progress.worked = 37;
  progress.seconds = 3.7;
  return progress;
}

TEST(ProgressBar, tellsAllInEightyColumns) {
  EXPECT_EQ(progressLine(halfWay(), 80),
            "[===============>              ] 50/100  12 cached  1 failed  "
            "10.0/s  0:05 left");
  for (size_t columns = 1; columns != 200; ++columns)
    EXPECT_LT(progressLine(halfWay(), columns).size(), columns);
}

TEST(ProgressBar, drawsAnyFraction) {
  std::string parts[] = {"a part", "one that is left out"};
  EXPECT_EQ(barLine(0.5, parts, 20), "[=====>    ] a part");
  EXPECT_EQ(barLine(1, parts, 20), "[==========] a part");
  EXPECT_EQ(barLine(7, parts, 20), barLine(1, parts, 20));
  EXPECT_EQ(barLine(-1, parts, 20), barLine(0, parts, 20));
}

TEST(ProgressBar, leavesOutWhatIsNotKnown) {
  Progress progress;
  progress.total = 7;
  EXPECT_EQ(progressLine(progress, 20), "[>            ] 0/7");
  progress.done = progress.cached = 7;
  EXPECT_EQ(progressLine(progress, 60),
            "[========================================] 7/7  7 cached");
}

TEST(ProgressBar, durations) {
  EXPECT_EQ(durationText(-1), "0:00");
  EXPECT_EQ(durationText(7.4), "0:07");
  EXPECT_EQ(durationText(750), "12:30");
  EXPECT_EQ(durationText(3723), "1:02:03");
  EXPECT_EQ(durationText(1e300), "1000:00:00");
}

} // namespace
