//===- TrustTest.cpp ------------------------------------------------------===//

#include "boo/runtime/Trust.h"
#include "boo/runtime/testing/Fixture.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

namespace {
class TrustTest : public ::testing::Test {
protected:
  /// Makes <temp>/<top>/cache, and sets the mode of <top>.
  std::string folder(const std::string &top, mode_t mode) {
    std::filesystem::create_directories(Temp / top + "/cache");
    EXPECT_EQ(::chmod((Temp / top).c_str(), mode), 0);
    return Temp / top + "/cache";
  }
  TemporaryDirectory Temp;
};
} // namespace

TEST_F(TrustTest, FoldersOfThisUserAndBelowTmp) {
  EXPECT_TRUE(checkTrusted("/").isOk());
  EXPECT_TRUE(checkTrusted("/tmp").isOk());
  EXPECT_TRUE(checkTrusted(folder("mine", 0755)).isOk());
  EXPECT_TRUE(checkTrusted(Temp / "mine//./cache/../cache/").isOk());
  EXPECT_EQ(checkTrusted(Temp / "absent").code(), StatusCode::NotFound);
  putFile(Temp / "file", "");
  EXPECT_EQ(checkTrusted(Temp / "file").code(), StatusCode::NotFound);
}

TEST_F(TrustTest, AncestorsThatOthersMayWriteTo) {
  for (mode_t mode : {0777u, 0775u, 0757u}) {
    std::string dir = folder("m" + std::to_string(mode), mode);
    Status status = checkTrusted(dir);
    EXPECT_EQ(status.code(), StatusCode::IoError);
    EXPECT_THAT(status.message(),
                HasSubstr(Temp / "m" + std::to_string(mode) + " has mode 0"));
    EXPECT_THAT(status.message(), HasSubstr("others may write to it (chmod "
                                            "go-w " +
                                            Temp.path()));
    EXPECT_EQ(checkTrusted(dir + "/absent").code(), StatusCode::IoError);
  }
  EXPECT_TRUE(checkTrusted(folder("sticky", 01777)).isOk());
}

TEST_F(TrustTest, LinksThroughFoldersOfOthers) {
  std::string good = folder("good", 0700);
  std::string open = folder("open", 0777);
  std::filesystem::create_symlink(good, Temp / "direct");
  EXPECT_TRUE(checkTrusted(Temp / "direct").isOk());
  std::filesystem::create_symlink("open/cache", Temp / "relative");
  EXPECT_EQ(checkTrusted(Temp / "relative").code(), StatusCode::IoError);
  // The target is sound, but whoever may write to open may turn the link.
  std::filesystem::create_symlink(good, Temp / "open/link");
  EXPECT_EQ(checkTrusted(Temp / "open/link").code(), StatusCode::IoError);
  std::filesystem::create_symlink("loop", Temp / "loop");
  EXPECT_FALSE(checkTrusted(Temp / "loop").isOk());
}

TEST_F(TrustTest, FoldersOfStrangers) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "needs the right to give folders away";
  std::string dir = folder("given", 0755);
  ASSERT_EQ(::chown((Temp / "given").c_str(), 4242, 4242), 0);
  EXPECT_THAT(checkTrusted(dir).message(),
              HasSubstr(Temp / "given belongs to user 4242, neither to user 0 "
                               "nor to root"));
}

TEST_F(TrustTest, AFolderIsWalkedToOnceUntilItIsAnother) {
  std::string dir = folder("top", 0755);
  EXPECT_TRUE(checkTrusted(dir).isOk());
  ::chmod((Temp / "top").c_str(), 0777);
  EXPECT_TRUE(checkTrusted(dir).isOk());
  std::filesystem::rename(dir, dir + "2");
  EXPECT_FALSE(checkTrusted(dir).isOk());
  std::filesystem::create_directory(dir);
  EXPECT_EQ(checkTrusted(dir).code(), StatusCode::IoError);
}
