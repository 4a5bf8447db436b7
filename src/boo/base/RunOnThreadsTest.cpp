//===- RunOnThreadsTest.cpp -----------------------------------------------===//

#include "boo/base/RunOnThreads.h"

#include <atomic>
#include <gtest/gtest.h>
#include <mutex>
#include <pthread.h>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

using namespace boo;

TEST(RunOnThreads, EachThreadWorks) {
  for (int64_t threads : {0, 1, 2, 5}) {
    std::mutex mutex;
    std::set<pthread_t> seen;
    std::atomic<int64_t> begun{0};
    runOnThreads(threads, [&] {
      for (++begun; begun < threads;) // so that none is used twice
        ::usleep(100);
      std::lock_guard lock(mutex);
      seen.insert(::pthread_self());
    });
    EXPECT_EQ(seen.size(), size_t(std::max<int64_t>(threads, 1)));
    EXPECT_EQ(seen.count(::pthread_self()), 1u);
  }
}

TEST(RunOnThreads, WithoutThreadsTheCallerDoesAll) {
  pid_t child = ::fork();
  if (child == 0) {
    // No system has room for such a stack.
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, size_t(1) << 50);
    ::pthread_setattr_default_np(&attributes);
    std::atomic<int> left{10}, done{0};
    runOnThreads(4, [&] {
      while (left-- > 0)
        ++done;
    });
    ::_exit(done == 10 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}
