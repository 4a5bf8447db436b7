//===- FileLockTest.cpp ---------------------------------------------------===//

#include "boo/runtime/FileLock.h"
#include "boo/runtime/testing/Fixture.h"

#include <atomic>
#include <gmock/gmock.h>
#include <thread>

using namespace boo;
using namespace boo::testing;
using namespace std::chrono_literals;

namespace {
class FileLockTest : public ::testing::Test {
protected:
  /// Takes the lock while another holder keeps it for `held`, and returns what
  /// is said meanwhile.
  std::string waitFor(std::chrono::milliseconds held,
                      std::chrono::milliseconds patience) {
    auto holder = FileLock::acquire(Path, 1, "the first");
    EXPECT_TRUE(holder.isOk());
    ::testing::internal::CaptureStderr();
    std::atomic<bool> isFree{false};
    std::thread waiter([&] {
      auto lock = FileLock::acquire(Path, 1, "key abc", patience);
      EXPECT_TRUE(lock.isOk());
      EXPECT_TRUE(isFree);
    });
    std::this_thread::sleep_for(held);
    isFree = true;
    *holder = FileLock();
    waiter.join();
    return ::testing::internal::GetCapturedStderr();
  }

  TemporaryDirectory Temp;
  std::string Path = Temp / "ab.lock";
};
} // namespace

TEST_F(FileLockTest, ALongWaitIsToldOnce) {
  EXPECT_EQ(waitFor(400ms, 50ms), "boo: warning: key abc: waiting for the "
                                  "process that holds " +
                                      Path + "\n");
}

TEST_F(FileLockTest, AShortWaitIsNot) { EXPECT_EQ(waitFor(50ms, 60000ms), ""); }

TEST_F(FileLockTest, OtherBytesAreOtherLocks) {
  auto first = FileLock::acquire(Path, 1, "first");
  auto second = FileLock::acquire(Path, 2, "second");
  EXPECT_TRUE(first.isOk() && second.isOk());
  EXPECT_EQ(FileLock::acquire(Temp / "absent/ab.lock", 1, "x").status().code(),
            StatusCode::NotFound);
}
