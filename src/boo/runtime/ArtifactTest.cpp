//===- ArtifactTest.cpp - Every way in which a file is refused ------------===//

#include "boo/runtime/Artifact.h"
#include "boo/runtime/testing/Fixture.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

using namespace boo;
using namespace boo::testing;

namespace {
class ArtifactTest : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(makeFixture(Path, Key).isOk());
    std::ifstream in(Path, std::ios::binary);
    Bytes.assign(std::istreambuf_iterator<char>(in), {});
    ASSERT_TRUE(readArtifact(Path, Key).isOk());
  }

  std::string reason(const std::string &key) const {
    auto artifact = loadArtifact(Path, key);
    return artifact.isOk() ? "accepted" : artifact.status().message();
  }
  std::string reason() const { return reason(Key); }

  /// Rewrites the manifest's text (same length) and seals again.
  void rewrite(const std::string &from, const std::string &to) {
    ASSERT_EQ(from.size(), to.size());
    std::string bytes = fixtureBytes(Key);
    bytes.replace(bytes.find(from), from.size(), to);
    putFile(Path, bytes);
    ASSERT_TRUE(sealArtifact(Path).isOk());
  }

  TemporaryDirectory Dir;
  std::string Path = Dir / "a.so", Key = keyOf(1), Bytes;
};
} // namespace

TEST_F(ArtifactTest, LoadsAndRuns) {
  auto artifact = loadArtifact(Path, Key);
  ASSERT_TRUE(artifact.isOk()) << artifact.status().message();
  EXPECT_EQ((*artifact)->manifest().key, Key);
  ASSERT_EQ((*artifact)->run().size(), 2u);
  EXPECT_EQ((*artifact)->run()[0].grid, FIXTURE_GRID);
  EXPECT_EQ((*artifact)->manifest().errors[0], "a value is NaN");
}

TEST_F(ArtifactTest, SealingTwiceChangesNothing) {
  ASSERT_TRUE(sealArtifact(Path).isOk());
  EXPECT_EQ(readFile(Path).isOk() ? *readFile(Path) : "", Bytes);
}

TEST_F(ArtifactTest, RefusesEveryTruncation) {
  for (size_t size = 0; size < Bytes.size(); size += 512) {
    putFile(Path, std::string_view(Bytes).substr(0, size));
    EXPECT_FALSE(readArtifact(Path, Key).isOk()) << size;
  }
  putFile(Path, std::string_view(Bytes).substr(0, Bytes.size() - 1));
  EXPECT_FALSE(readArtifact(Path, Key).isOk());
}

TEST_F(ArtifactTest, RefusesEveryFlippedByte) {
  // In place: some disks flush a file that was truncated and rewritten.
  FileHandle file(::open(Path.c_str(), O_RDWR | O_CLOEXEC));
  for (size_t i = 0; i < Bytes.size(); ++i) {
    char damaged = char(Bytes[i] ^ (1 << (i % 8)));
    ASSERT_EQ(::pwrite(file.fd(), &damaged, 1, off_t(i)), 1);
    EXPECT_FALSE(readArtifact(Path, Key).isOk()) << i;
    ASSERT_EQ(::pwrite(file.fd(), &Bytes[i], 1, off_t(i)), 1);
  }
  EXPECT_TRUE(readArtifact(Path, Key).isOk());
}

TEST_F(ArtifactTest, RefusesAppendedBytes) {
  putFile(Path, Bytes + "x");
  EXPECT_EQ(reason(), "the checksum does not hold: the file is damaged");
}

TEST_F(ArtifactTest, RefusesUnsealed) {
  putFile(Path, fixtureBytes(Key));
  EXPECT_EQ(reason(), "the checksum does not hold: the file is damaged");
}

TEST_F(ArtifactTest, RefusesAnotherKey) {
  EXPECT_EQ(reason(keyOf(2)), "its key is " + Key + ", not " + keyOf(2));
  EXPECT_TRUE(readArtifact(Path, "").isOk());
}

TEST_F(ArtifactTest, RefusesAnotherAbi) {
  rewrite("kernel_abi 1", "kernel_abi 2");
  EXPECT_EQ(reason(), "made for kernel ABI 2, this is ABI 1");
}

TEST_F(ArtifactTest, RefusesBadTarget) {
  rewrite("isa=generic", "isa=genreic");
  EXPECT_NE(reason().find("unknown instruction set 'genreic'"),
            std::string::npos);
}

TEST_F(ArtifactTest, RefusesMissingDispatch) {
  rewrite("run boo_dispatch_1", "run boo_dispatch_9");
  EXPECT_EQ(reason(), "no function boo_dispatch_9");
}

TEST_F(ArtifactTest, RefusesWhatOthersMayWrite) {
  ASSERT_EQ(::chmod(Path.c_str(), 0666), 0);
  EXPECT_EQ(reason(), "the file has mode 0666: others may write to it");
  ASSERT_EQ(::chmod(Path.c_str(), 0620), 0);
  EXPECT_EQ(reason(), "the file has mode 0620: others may write to it");
  ASSERT_EQ(::chmod(Path.c_str(), 0644), 0);
  EXPECT_EQ(reason(), "accepted");
  ASSERT_EQ(::chmod(Dir.path().c_str(), 0777), 0);
  EXPECT_EQ(reason(), "its folder has mode 0777: others may write to it");
}

TEST_F(ArtifactTest, RefusesStrangersFile) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "needs root, to give a file away";
  ASSERT_EQ(::chown(Path.c_str(), 12345, 12345), 0);
  EXPECT_EQ(reason(),
            "the file belongs to user 12345, neither to user 0 nor to root");
}

TEST_F(ArtifactTest, RefusesLinksFoldersAndPipes) {
  std::string link = Dir / "link.so";
  ASSERT_EQ(::symlink(Path.c_str(), link.c_str()), 0);
  EXPECT_EQ(readArtifact(link, Key).status().message(),
            "the file is a symbolic link");
  EXPECT_EQ(readArtifact(Dir.path(), Key).status().message(),
            "it is no regular file");
  std::string pipe = Dir / "pipe.so";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(readArtifact(pipe, Key).status().message(),
            "it is no regular file");
  EXPECT_EQ(readArtifact(Dir / "absent.so", Key).status().code(),
            StatusCode::NotFound);
}

TEST_F(ArtifactTest, RefusesForeignFiles) {
  putFile(Path, "#!/bin/sh\nexit 1\n" + std::string(200, '\n'));
  EXPECT_EQ(reason(), "not an ELF file");
  std::filesystem::copy_file("/proc/self/exe", Path,
                             std::filesystem::copy_options::overwrite_existing);
  ::chmod(Path.c_str(), 0755);
  EXPECT_EQ(reason(), "no section .boo.manifest");
}

TEST_F(ArtifactTest, LoadsWhatReplacedAFileStillInUse) {
  auto first = loadArtifact(Path, Key);
  ASSERT_TRUE(first.isOk());
  std::string other = Dir / "b.so";
  ASSERT_TRUE(makeFixture(other, Key, "newer").isOk());
  ASSERT_EQ(::rename(other.c_str(), Path.c_str()), 0);
  auto second = loadArtifact(Path, Key);
  ASSERT_TRUE(second.isOk()) << second.status().message();
  EXPECT_EQ((*second)->manifest().name.substr(0, 6), "newer_");
  EXPECT_NE((*first)->run()[0].fn, (*second)->run()[0].fn);
  EXPECT_EQ(listDirectory(Dir.path()), std::vector<std::string>{"a.so"});
}
