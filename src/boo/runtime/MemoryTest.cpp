//===- MemoryTest.cpp -----------------------------------------------------===//

#include "boo/runtime/Memory.h"
#include "boo/runtime/testing/Fixture.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

namespace {
/// A made-up /proc and /sys: 1000 kB are available.
class MemoryTest : public ::testing::Test {
protected:
  MemoryTest() {
    put("/proc/meminfo", "MemTotal: 4000 kB\nMemAvailable:    1000 kB\n");
  }
  void put(const std::string &path, const std::string &text) {
    std::filesystem::create_directories(parentPath(Root.path() + path));
    putFile(Root.path() + path, text);
  }
  void group(const std::string &path, const std::string &max,
             const std::string &current) {
    put("/sys/fs/cgroup" + path + "/memory.max", max + "\n");
    put("/sys/fs/cgroup" + path + "/memory.current", current + "\n");
  }
  int64_t available() const { return availableMemory(Root.path()); }

  TemporaryDirectory Root;
};
} // namespace

TEST_F(MemoryTest, WithoutGroupsTheMachineDecides) {
  EXPECT_EQ(available(), 1000 << 10);
  put("/proc/self/cgroup", "0::/a\n");
  EXPECT_EQ(available(), 1000 << 10);
  put("/proc/meminfo", "MemTotal: 4000 kB\n");
  EXPECT_EQ(available(), -1);
  EXPECT_TRUE(checkMemory(INT64_MAX, "a test", Root.path()).isOk());
}

TEST_F(MemoryTest, TheTightestGroupOnTheWayUpDecides) {
  put("/proc/self/cgroup", "0::/a/b/c\n");
  group("/a/b/c", "max", "500");
  EXPECT_EQ(available(), 1000 << 10);
  group("/a/b", "100000", "40000");
  EXPECT_EQ(available(), 60000);
  group("/a", "100000", "70000");
  EXPECT_EQ(available(), 30000);
  group("", "100000", "200000");
  EXPECT_EQ(available(), 0);
  group("", "9000000", "1");
  EXPECT_EQ(available(), 30000);
}

TEST_F(MemoryTest, PagesOfFilesMakeRoom) {
  put("/proc/self/cgroup", "0::/\n");
  group("", "100000", "90000");
  put("/sys/fs/cgroup/memory.stat",
      "anon 1\ninactive_file 20000\nactive_file 5000\n");
  EXPECT_EQ(available(), 35000);
}

TEST_F(MemoryTest, GroupsOfVersion1AndOfTheHost) {
  put("/proc/self/cgroup", "5:cpu,memory:/docker/1\n1:name=systemd:/x\n0::/\n");
  std::string mount = "/sys/fs/cgroup/memory";
  put(mount + "/memory.limit_in_bytes", "9223372036854771712\n");
  put(mount + "/memory.usage_in_bytes", "5000\n");
  EXPECT_EQ(available(), 1000 << 10);
  put(mount + "/memory.limit_in_bytes", "300000\n");
  put(mount + "/memory.stat", "inactive_file 7\ntotal_inactive_file 1000\n");
  EXPECT_EQ(available(), 296000);
  put(mount + "/docker/1/memory.limit_in_bytes", "40000\n");
  put(mount + "/docker/1/memory.usage_in_bytes", "10000\n");
  EXPECT_EQ(available(), 30000);
  put("/proc/self/cgroup", "5:memory:/../../x\n");
  EXPECT_EQ(available(), 296000);
}

TEST_F(MemoryTest, RefusalsNameWhatIsShort) {
  EXPECT_TRUE(checkMemory(1000 << 10, "a test", Root.path()).isOk());
  EXPECT_THAT(
      checkMemory(2048000, "a test", Root.path()).message(),
      HasSubstr("a test needs 2048000 bytes (1 MiB), and the machine has "
                "1024000 bytes (0 MiB) available"));
  put("/proc/self/cgroup", "0::/a\n");
  group("/a", "100000", "70000");
  Status status = checkMemory(40000, "a test", Root.path());
  EXPECT_EQ(status.code(), StatusCode::OutOfMemory);
  EXPECT_THAT(status.message(), HasSubstr("the control group's memory limit "
                                          "leaves 30000 bytes"));
}

TEST(Memory, OfThisMachine) {
  EXPECT_GT(availableMemory(), 0);
  EXPECT_TRUE(checkMemory(1 << 20, "a test").isOk());
  EXPECT_EQ(checkMemory(int64_t(1) << 50, "a test").code(),
            StatusCode::OutOfMemory);
}
