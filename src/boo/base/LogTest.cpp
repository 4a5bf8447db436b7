//===- LogTest.cpp --------------------------------------------------------===//

#include "boo/base/Log.h"

#include <atomic>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

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

TEST(Log, AChildForkedDuringAWarningCanWarn) {
  setLogLevel(LogLevel::Error);
  std::atomic<bool> stop{false};
  std::thread others([&] {
    for (int i = 0; !stop; ++i)
      warnOnce("topic " + std::to_string(i % 1000), "");
  });
  int failed = 0;
  for (int i = 0; i < 200; ++i) {
    pid_t child = ::fork();
    if (child == 0) {
      ::alarm(10); // a hang is a failure
      warnOnce("of the child", "");
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    failed += !WIFEXITED(status);
    if (failed)
      break;
  }
  stop = true;
  others.join();
  setLogLevel(LogLevel::Warning);
  EXPECT_EQ(failed, 0);
}
