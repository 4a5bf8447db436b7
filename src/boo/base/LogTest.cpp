//===- LogTest.cpp --------------------------------------------------------===//

#include "boo/base/Log.h"

#include <gtest/gtest.h>

using namespace boo;

TEST(Log, LevelsAndOnce) {
  setLogLevel(LogLevel::Warning);
  ::testing::internal::CaptureStderr();
  bool evaluated = false;
  BOO_LOG(Info, (evaluated = true, "not shown"));
  BOO_LOG(Warning, "shown");
  warnOnce("topic", "first");
  warnOnce("topic", "second");
  setLogLevel(LogLevel::Error);
  warnOnce("other topic", "too low");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "boo: warning: shown\nboo: warning: first\n");
  EXPECT_FALSE(evaluated);
}
