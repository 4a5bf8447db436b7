//===- AppendFileTest.cpp - Lines that are there, or are not --------------===//

#include "boo/driver/AppendFile.h"

#include <csignal>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace boo;
using testing::HasSubstr;

namespace {
class AppendFileTest : public testing::Test {
protected:
  AppendFileTest() : Path(testing::TempDir() + "boo-append-XXXXXX") {
    ::close(::mkstemp(Path.data()));
  }
  ~AppendFileTest() override { ::unlink(Path.c_str()); }

  std::string Path;
};
} // namespace

TEST_F(AppendFileTest, growsBehindWhatIsKept) {
  ASSERT_TRUE(writeFile(Path, "one\ntw").isOk());
  AppendFile file;
  ASSERT_TRUE(file.open(Path, "--state").isOk());
  EXPECT_EQ(*file.read(), "one\ntw");
  ASSERT_TRUE(file.keep(4).isOk());
  ASSERT_TRUE(file.append("three\n").isOk());
  EXPECT_EQ(*readFile(Path), "one\nthree\n");
}

TEST_F(AppendFileTest, oneProcessAtATime) {
  AppendFile file;
  ASSERT_TRUE(file.open(Path, "--state").isOk());
  pid_t child = ::fork();
  if (child == 0) {
    AppendFile other;
    std::string message = other.open(Path, "--state").message();
    ::_exit(message.find("another run is using it") == message.npos);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(AppendFileTest, aFullDiskLeavesNoHalfLine) {
  AppendFile file;
  ASSERT_TRUE(file.open(Path, "--output (-o)").isOk());
  ASSERT_TRUE(file.append("one\n").isOk());
  rlimit before{}, small{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 8;
  auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  Status status = file.append("two is too long\n");
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_THAT(status.message(), HasSubstr("--output (-o): write"));
  EXPECT_EQ(*readFile(Path), "one\n");
  EXPECT_TRUE(file.append("two\n").isOk());
  EXPECT_EQ(*readFile(Path), "one\ntwo\n");
}
