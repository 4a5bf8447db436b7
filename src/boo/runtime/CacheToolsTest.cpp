//===- CacheToolsTest.cpp -------------------------------------------------===//

#include "boo/runtime/CacheTools.h"
#include "boo/runtime/Cache.h"
#include "boo/runtime/testing/Fixture.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

using namespace boo;
using namespace boo::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {
class CacheToolsTest : public ::testing::Test {
protected:
  void add(int number, const std::string &name) {
    std::string key = keyOf(number);
    auto made = Cache(Dir).obtain(
        key, name, [&](const std::string &output, const std::string &mlir) {
          BOO_RETURN_IF_ERROR(writeFile(output, fixtureBytes(key, name)));
          return writeFile(mlir, "module {}\n");
        });
    ASSERT_TRUE(made.isOk()) << made.status().message();
  }
  std::string pathOf(int number, const std::string &name) {
    return Dir + "/" + name + "/" + keyOf(number) + ".so";
  }
  void SetUp() override {
    for (int i = 0; i < 4; ++i)
      add(i, i < 2 ? "a" : "b");
  }

  TemporaryDirectory Temp;
  std::string Dir = Temp / "cache";
};
} // namespace

TEST_F(CacheToolsTest, ListsAndVerifies) {
  std::filesystem::resize_file(pathOf(1, "a"), 1000);
  auto entries = listCache(Dir);
  ASSERT_EQ(entries.size(), 4u);
  int bad = 0;
  for (const CacheEntry &entry : entries) {
    if (!entry.status.isOk()) {
      ++bad;
      EXPECT_EQ(entry.path, pathOf(1, "a"));
    } else {
      EXPECT_EQ(entry.manifest.algorithm, "fixture");
      EXPECT_GT(entry.bytes, 1000);
    }
  }
  EXPECT_EQ(bad, 1);
}

TEST_F(CacheToolsTest, TrimsTheLeastRecentlyUsedAndTheBroken) {
  std::filesystem::resize_file(pathOf(1, "a"), 1000);
  for (int i : {0, 2, 3}) {
    timespec times[2] = {{1000000 + i, 0}, {1000000, 0}};
    ::utimensat(AT_FDCWD, pathOf(i, i < 2 ? "a" : "b").c_str(), times, 0);
  }
  int64_t each = listCache(Dir)[2].bytes;
  CacheChange change = trimCache(Dir, 2 * each);
  EXPECT_EQ(change.removedEntries, 2);
  EXPECT_EQ(change.keptEntries, 2);
  auto left = listCache(Dir);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].name, "b");
  EXPECT_EQ(left[1].name, "b");
  EXPECT_FALSE(std::filesystem::exists(Dir + "/a"));
  EXPECT_EQ(trimCache(Dir, 100 * each).removedEntries, 0);
}

TEST_F(CacheToolsTest, ClearRemovesOnlyItsOwn) {
  putFile(Dir + "/readme.txt", "mine");
  putFile(Dir + "/a/notes.so", "mine");
  std::filesystem::create_directories(Dir + "/nothing-in-it");
  std::filesystem::create_directories(Temp / "elsewhere");
  std::filesystem::rename(pathOf(3, "b"),
                          Temp / "elsewhere/" + keyOf(3) + ".so");
  std::filesystem::create_directory_symlink(Temp / "elsewhere", Dir + "/link");
  CacheChange change = clearCache(Dir);
  EXPECT_EQ(change.removedEntries, 3);
  EXPECT_EQ(change.keptEntries, 0);
  EXPECT_THAT(listDirectory(Dir),
              ElementsAre("a", "link", "locks", "nothing-in-it", "readme.txt"));
  EXPECT_THAT(listDirectory(Dir + "/a"), ElementsAre("notes.so"));
  EXPECT_TRUE(std::filesystem::exists(Temp / "elsewhere/" + keyOf(3) + ".so"));
}

TEST_F(CacheToolsTest, ArchivesComeBack) {
  std::filesystem::resize_file(pathOf(1, "a"), 1000);
  std::string file = Temp / "cache.tar", other = Temp / "other";
  auto out = exportCache(Dir, file);
  ASSERT_TRUE(out.isOk()) << out.status().message();
  EXPECT_EQ(out->entries, 3);
  ASSERT_EQ(out->notes.size(), 1u);

  auto in = importCache(other, file);
  ASSERT_TRUE(in.isOk()) << in.status().message();
  EXPECT_EQ(in->entries, 3);
  EXPECT_THAT(in->notes, ::testing::IsEmpty());
  EXPECT_EQ(listCache(other).size(), 3u);
  for (const CacheEntry &entry : listCache(other)) {
    EXPECT_TRUE(entry.status.isOk()) << entry.status.message();
    EXPECT_TRUE(loadArtifact(entry.path, entry.key).isOk());
  }
  auto again = importCache(other, file);
  ASSERT_TRUE(again.isOk());
  EXPECT_EQ(again->entries, 0);
  EXPECT_EQ(again->present, 3);
  EXPECT_THAT(listDirectory(Temp.path()),
              ElementsAre("cache", "cache.tar", "other"));
}

TEST_F(CacheToolsTest, DamagedArchivesPublishNothingDamaged) {
  std::string file = Temp / "cache.tar";
  ASSERT_TRUE(exportCache(Dir, file).isOk());
  std::string bytes = *readFile(file);
  for (size_t at = 0; at < bytes.size(); at += 1777) {
    std::string damaged = bytes;
    damaged[at] = char(damaged[at] ^ 4);
    putFile(file, damaged);
    std::string other = Temp / "other";
    auto in = importCache(other, file);
    for (const CacheEntry &entry : listCache(other))
      EXPECT_TRUE(entry.status.isOk()) << at << entry.status.message();
    std::filesystem::remove_all(other);
    if (at + 1024 > bytes.size())
      break; // within the closing blocks
    putFile(file, bytes.substr(0, at));
    EXPECT_FALSE(importCache(other, file).isOk()) << at;
  }
}

TEST(CacheTools, Sizes) {
  EXPECT_EQ(*parseSize("0"), 0);
  EXPECT_EQ(*parseSize("100M"), 100 << 20);
  EXPECT_EQ(*parseSize("1.5GiB"), int64_t(3) << 29);
  EXPECT_EQ(*parseSize("64 kb"), 64 << 10);
  for (const char *bad : {"", "M", "-1", "1X", "1MM", "nan", "1e300", "inf"})
    EXPECT_FALSE(parseSize(bad).isOk()) << bad;
}
