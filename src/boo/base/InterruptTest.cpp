//===- InterruptTest.cpp --------------------------------------------------===//

#include "boo/base/Interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

using namespace boo;

namespace {

TEST(Interrupt, isNotedAndTheOldHandlerComesBack) {
  struct sigaction before, after;
  ::sigaction(SIGINT, nullptr, &before);
  {
    SignalScope scope;
    EXPECT_FALSE(interrupted());
    ::raise(SIGINT);
    EXPECT_TRUE(interrupted());
  }
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(Interrupt, staysIgnoredInABackgroundJob) {
  auto *before = std::signal(SIGINT, SIG_IGN);
  {
    SignalScope scope;
    ::raise(SIGINT);
    EXPECT_FALSE(interrupted());
  }
  std::signal(SIGINT, before);
}

} // namespace
