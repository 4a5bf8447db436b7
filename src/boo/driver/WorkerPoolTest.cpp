//===- WorkerPoolTest.cpp - A death costs one job -------------------------===//

#include "boo/driver/WorkerPool.h"
#include "boo/base/Interrupt.h"

#include <chrono>
#include <csignal>
#include <gmock/gmock.h>
#include <map>
#include <new>
#include <numeric>
#include <unistd.h>

using namespace boo;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

namespace {
struct Record {
  std::vector<std::string> messages;
  std::string end; ///< "returned", "timed out", or how it died
};
} // namespace

/// Runs jobs 0 to count-1.
static std::map<size_t, Record>
runJobs(size_t count, int workers,
        std::function<bool(size_t, const WorkerOptions::Send &)> work,
        double timeout = 0, Status *status = nullptr) {
  std::vector<size_t> jobs(count);
  std::iota(jobs.begin(), jobs.end(), 0);
  std::map<size_t, Record> records;
  WorkerOptions options;
  options.workers = workers;
  options.work = std::move(work);
  options.timeout = [&](size_t) { return timeout; };
  options.onMessage = [&](size_t job, std::string_view message) {
    records[job].messages.emplace_back(message);
  };
  options.onEnd = [&](size_t job, const JobEnd &end) {
    EXPECT_EQ(records[job].end, "");
    records[job].end = end.returned   ? "returned"
                       : end.timedOut ? "timed out"
                                      : end.describe();
  };
  Status done = runInWorkers(jobs, options);
  EXPECT_TRUE(status || done.isOk()) << done.toString();
  if (status)
    *status = done;
  return records;
}

TEST(WorkerPool, oneWorkerServesAllJobs) {
  auto records = runJobs(5, 1, [](size_t job, auto &send) {
    send(std::to_string(::getpid()));
    send(std::string(200'000, char('a' + job)) + '\0');
    send("");
    return true;
  });
  ASSERT_THAT(records, SizeIs(5));
  for (const auto &[job, record] : records) {
    EXPECT_EQ(record.end, "returned");
    ASSERT_THAT(record.messages, SizeIs(3));
    EXPECT_EQ(record.messages[0], records[0].messages[0]);
    EXPECT_EQ(record.messages[1], std::string(200'000, char('a' + job)) + '\0');
  }
  EXPECT_NE(records[0].messages[0], std::to_string(::getpid()));
}

TEST(WorkerPool, aDeathCostsItsJobAlone) {
  for (int workers : {1, 3}) {
    auto records = runJobs(8, workers, [](size_t job, auto &send) {
      send("begun");
      if (job == 1)
        ::raise(SIGKILL);
      if (job == 2)
        ::_exit(3);
      if (job == 4) {
        // As a kernel with a wild pointer would.
        volatile int *nowhere = reinterpret_cast<int *>(16);
        ::signal(SIGSEGV, SIG_DFL); // a sanitizer would tell of it at length
        *nowhere = 1;
      }
      if (job == 5)
        std::get_new_handler()(); // what new calls when it finds no memory
      if (job == 6)
        return false; // wants no more
      send("done");
      return true;
    });
    ASSERT_THAT(records, SizeIs(8));
    EXPECT_THAT(records[1].end, HasSubstr("killed by SIGKILL"));
    EXPECT_EQ(records[2].end, "ended its process with status 3");
    EXPECT_EQ(records[4].end, "killed by SIGSEGV (bad memory access)");
    EXPECT_EQ(records[5].end, "ran out of memory");
    EXPECT_EQ(records[6].end, "returned");
    for (size_t job : {0, 3, 7}) {
      EXPECT_EQ(records[job].end, "returned");
      EXPECT_THAT(records[job].messages, ElementsAre("begun", "done"));
    }
    for (size_t job : {1, 2, 4, 5, 6})
      EXPECT_THAT(records[job].messages, ElementsAre("begun"));
  }
}

TEST(WorkerPool, aHangEndsAtItsTimeout) {
  auto begin = std::chrono::steady_clock::now();
  auto records = runJobs(
      3, 1,
      [](size_t job, auto &send) {
        send("begun");
        while (job == 1)
          ::usleep(1000);
        return true;
      },
      0.2);
  EXPECT_EQ(records[0].end, "returned");
  EXPECT_EQ(records[1].end, "timed out");
  EXPECT_THAT(records[1].messages, ElementsAre("begun"));
  EXPECT_EQ(records[2].end, "returned");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(WorkerPool, jobsRunAtOnce) {
  // Each waits for the other.
  int there[2], back[2];
  ASSERT_TRUE(::pipe(there) == 0 && ::pipe(back) == 0);
  auto records = runJobs(
      2, 2,
      [&](size_t job, auto &) {
        char c = 'x';
        int out = job ? back[1] : there[1], in = job ? there[0] : back[0];
        return ::write(out, &c, 1) == 1 && ::read(in, &c, 1) == 1;
      },
      20);
  EXPECT_EQ(records[0].end, "returned");
  EXPECT_EQ(records[1].end, "returned");
  for (int fd : {there[0], there[1], back[0], back[1]})
    ::close(fd);
}

TEST(WorkerPool, aWorkerThatWantsNoMoreIsReplaced) {
  // The next job is not to be sent to a process that is about to end.
  for (int i = 0; i != 20; ++i) {
    auto records = runJobs(2, 1, [](size_t job, auto &) { return job != 0; });
    EXPECT_EQ(records[0].end, "returned");
    EXPECT_EQ(records[1].end, "returned");
  }
}

TEST(WorkerPool, interruptTellsWorkersAndBeginsNoMore) {
  SignalScope signals;
  auto records = runJobs(3, 1, [](size_t job, auto &send) {
    ::kill(::getppid(), SIGINT);
    while (!interrupted()) // told by the program
      ::usleep(1000);
    send("stopped");
    return true;
  });
  EXPECT_TRUE(interrupted());
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_THAT(records[0].messages, ElementsAre("stopped"));
  EXPECT_EQ(records[0].end, "returned");
}

TEST(WorkerPool, whoDoesNotListenIsKilled) {
  SignalScope signals;
  auto begin = std::chrono::steady_clock::now();
  auto records = runJobs(2, 1, [](size_t, auto &send) {
    send("begun");
    ::kill(::getppid(), SIGINT);
    for (;;)
      ::usleep(1000);
    return true;
  });
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].end, "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}
