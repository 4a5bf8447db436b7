//===- CacheTest.cpp - One process, every state of the disk ---------------===//

#include "boo/runtime/Cache.h"
#include "boo/runtime/Key.h"
#include "boo/runtime/Temporary.h"
#include "boo/runtime/testing/Fixture.h"

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

using namespace boo;
using namespace boo::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace {
class CacheTest : public ::testing::Test {
protected:
  /// Copies the hand-written artifact and counts.
  CompileFn compiler(const std::string &key) {
    return [this, key](const std::string &output, const std::string &mlir) {
      ++Compiled;
      BOO_RETURN_IF_ERROR(writeFile(output, fixtureBytes(key)));
      return writeFile(mlir, "module {}\n");
    };
  }
  StatusOr<CachedArtifact> get(const std::string &dir, bool recompile = false) {
    return Cache(dir, Tiers).obtain(Key, "name", compiler(Key), recompile);
  }
  /// Obtains, and expects it to work with this outcome.
  void expect(const std::string &dir, CacheOutcome outcome) {
    auto got = get(dir);
    ASSERT_TRUE(got.isOk()) << got.status().message();
    EXPECT_EQ(got->report.cache, outcome);
    EXPECT_EQ(got->artifact->manifest().key, Key);
  }

  /// What is written to stderr meanwhile.
  static std::string capture(const std::function<void()> &action) {
    ::testing::internal::CaptureStderr();
    action();
    return ::testing::internal::GetCapturedStderr();
  }

  TemporaryDirectory Temp;
  std::string Dir = Temp / "cache", Key = keyOf(7);
  std::string Entry = Dir + "/name/" + Key + ".so";
  std::vector<std::string> Tiers;
  std::atomic<int> Compiled{0};
};

/// A tmpfs, where root may mount one.
class SmallDisk {
public:
  SmallDisk(const std::string &path, const char *options) : Path(path) {
    std::filesystem::create_directories(path);
    Mounted = ::mount("tmpfs", path.c_str(), "tmpfs", 0, options) == 0;
  }
  ~SmallDisk() {
    if (Mounted)
      ::umount2(Path.c_str(), MNT_DETACH);
  }
  bool isMounted() const { return Mounted; }

private:
  std::string Path;
  bool Mounted;
};
} // namespace

TEST_F(CacheTest, LayoutAndModes) {
  expect(Dir, CacheOutcome::Miss);
  EXPECT_THAT(listDirectory(Dir), ElementsAre("locks", "name"));
  EXPECT_THAT(listDirectory(Dir + "/name"),
              ElementsAre(Key + ".mlir", Key + ".so", "name.mlir"));
  EXPECT_EQ(std::filesystem::read_symlink(Dir + "/name/name.mlir"),
            Key + ".mlir");
  for (const std::string &folder : {Dir, Dir + "/name", Dir + "/locks"}) {
    struct stat info;
    ASSERT_EQ(::stat(folder.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u) << folder;
  }
  expect(Dir, CacheOutcome::Hit);
  EXPECT_EQ(Compiled, 1);
}

TEST_F(CacheTest, UnusableEntriesAreReplaced) {
  auto damage = [&](int kind) {
    switch (kind) {
    case 0:
      std::filesystem::resize_file(Entry, 100);
      break;
    case 1:
      putFile(Entry, "");
      break;
    case 2:
      ::chmod(Entry.c_str(), 0666);
      break;
    case 3: // an entry of another key, copied here
      ::unlink(Entry.c_str());
      ASSERT_TRUE(makeFixture(Entry, keyOf(8)).isOk());
      break;
    case 4: {
      std::string bytes = fixtureBytes(Key);
      bytes.replace(bytes.find("kernel_abi 1"), 12, "kernel_abi 9");
      ::unlink(Entry.c_str());
      putFile(Entry, bytes);
      ASSERT_TRUE(sealArtifact(Entry).isOk());
      break;
    }
    case 5:
      ::unlink(Entry.c_str());
      ::symlink("/etc/passwd", Entry.c_str());
      break;
    case 6:
      if (::geteuid() == 0)
        ASSERT_EQ(::chown(Entry.c_str(), 4242, 4242), 0);
      else
        ::unlink(Entry.c_str());
      break;
    default:
      ::chmod((Dir + "/name").c_str(), 0777);
    }
  };
  expect(Dir, CacheOutcome::Miss);
  for (int kind = 0; kind < 8; ++kind) {
    SCOPED_TRACE(kind);
    damage(kind);
    expect(Dir, CacheOutcome::Miss);
    expect(Dir, CacheOutcome::Hit);
  }
  EXPECT_EQ(Compiled, 9);
}

TEST_F(CacheTest, TiersAreReadAndNeverWritten) {
  std::string tier = Temp / "tier";
  expect(tier, CacheOutcome::Miss);
  Tiers = {Temp / "absent", tier};
  expect(Dir, CacheOutcome::Hit);
  EXPECT_FALSE(std::filesystem::exists(Dir));
  std::filesystem::rename(tier + "/name", tier + "/renamed");
  expect(Dir, CacheOutcome::Hit);
  EXPECT_EQ(Compiled, 1);
}

TEST_F(CacheTest, RecompileAlwaysCompiles) {
  expect(Dir, CacheOutcome::Miss);
  auto again = get(Dir, /*recompile=*/true);
  ASSERT_TRUE(again.isOk());
  EXPECT_EQ(again->report.cache, CacheOutcome::Miss);
  EXPECT_EQ(Compiled, 2);
}

TEST_F(CacheTest, FailedCompilesLeaveNothing) {
  auto fail = [](const std::string &output, const std::string &) {
    putFile(output, "half a file");
    return Status(StatusCode::CompileError, "pass x: no");
  };
  auto got = Cache(Dir).obtain(Key, "name", fail);
  ASSERT_FALSE(got.isOk());
  EXPECT_EQ(got.status().message(), "pass x: no");
  auto nonsense = [](const std::string &output, const std::string &) {
    putFile(output, "not an artifact");
    return Status::ok();
  };
  EXPECT_EQ(Cache(Dir).obtain(Key, "name", nonsense).status().code(),
            StatusCode::InvalidArgument);
  EXPECT_EQ(Cache(Dir).obtain(Key, "name", compiler(keyOf(9))).status().code(),
            StatusCode::Internal);
  EXPECT_THAT(listDirectory(Dir + "/name"), IsEmpty());
}

TEST_F(CacheTest, NoFolderMeansNoCaching) {
  putFile(Temp / "file", "");
  expect(Temp / "file/cache", CacheOutcome::Off);
  expect(Temp / "file/cache", CacheOutcome::Off);
  EXPECT_EQ(Compiled, 2);
}

TEST_F(CacheTest, AFolderBelowOneThatOthersMayWriteToMeansNoCaching) {
  std::string open = Temp / "open", dir = open + "/sub/cache";
  expect(dir, CacheOutcome::Miss); // once it was sound
  std::filesystem::rename(dir, open + "/cache");
  ::chmod(open.c_str(), 0777);
  std::string output = capture([&] {
    expect(open + "/cache", CacheOutcome::Off);
    expect(open + "/cache", CacheOutcome::Off);
    expect(open + "/absent/cache", CacheOutcome::Off);
  });
  EXPECT_THAT(output, HasSubstr("boo: warning: kernels are compiled without "
                                "caching: " +
                                open +
                                " has mode 0777: others may write to "
                                "it (chmod go-w " +
                                open + "); BOO_CACHE_DIR names another"));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 2); // one a folder
  EXPECT_FALSE(std::filesystem::exists(open + "/absent"));
}

TEST_F(CacheTest, ATierBelowAFolderThatOthersMayWriteToIsIgnored) {
  std::string open = Temp / "open", tier = open + "/tier";
  expect(open + "/first", CacheOutcome::Miss);
  std::filesystem::rename(open + "/first", tier);
  ::chmod(open.c_str(), 0777);
  Tiers = {tier};
  std::string output = capture([&] {
    expect(Dir, CacheOutcome::Miss);
    expect(Dir, CacheOutcome::Hit);
  });
  EXPECT_THAT(output, HasSubstr("boo: warning: the cache in " + tier +
                                " is ignored: " + open + " has mode 0777"));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1);
}

TEST_F(CacheTest, ReadOnlyFolderMeansNoCaching) {
  std::filesystem::create_directories(Dir);
  SmallDisk disk(Dir, "ro,size=64k");
  if (!disk.isMounted() && ::geteuid() == 0)
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  if (!disk.isMounted())
    ::chmod(Dir.c_str(), 0500);
  expect(Dir, CacheOutcome::Off);
  ::chmod(Dir.c_str(), 0700);
}

TEST_F(CacheTest, FullDiskMeansNoCaching) {
  SmallDisk disk(Dir, "size=64k,mode=0700");
  if (!disk.isMounted())
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  std::ofstream(Dir + "/filler") << std::string(64 << 10, 'x');
  expect(Dir, CacheOutcome::Off);
  std::filesystem::resize_file(Dir + "/filler", 56 << 10);
  expect(Dir, CacheOutcome::Off);
  EXPECT_FALSE(std::filesystem::exists(Entry));
  std::filesystem::remove(Dir + "/filler");
  // Free again, and nothing half-written is in the way.
  auto made = get(Dir);
  ASSERT_TRUE(made.isOk()) << made.status().message();
  EXPECT_EQ(made->report.cache, CacheOutcome::Miss);
}

TEST_F(CacheTest, FileSizeLimitIsAnErrorAndLeavesNothing) {
  pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto got = get(Dir); // fails in the cache and in every other folder
    ::_exit(!got.isOk() && got.status().code() == StatusCode::IoError ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_THAT(listDirectory(Dir + "/name"), IsEmpty());
}

TEST_F(CacheTest, DeadMakersFilesAreRemoved) {
  expect(Dir, CacheOutcome::Miss);
  pid_t child = ::fork();
  if (child == 0) {
    putFile(Dir + "/name/" + temporaryName() + ".so", "half");
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  std::string mine = temporaryName() + ".so";
  putFile(Dir + "/name/" + mine, "half");
  EXPECT_EQ(listDirectory(Dir + "/name").size(), 5u);
  EXPECT_EQ(removeAbandoned(Dir + "/name"), 1);
  EXPECT_TRUE(std::filesystem::exists(Dir + "/name/" + mine));
  EXPECT_FALSE(isTemporaryName(Key + ".so"));
  EXPECT_FALSE(isTemporaryName(".boo-"));
}

TEST_F(CacheTest, ThreadsCompileAKeyOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { failed += !get(Dir).isOk(); });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(Compiled, 1);
  EXPECT_EQ(failed, 0);
}

TEST_F(CacheTest, AChildForkedDuringACompileFindsItsResult) {
  std::atomic<bool> compiling{false}, goOn{false};
  std::thread compile([&] {
    auto slow = [&](const std::string &output, const std::string &mlir) {
      for (compiling = true; !goOn;)
        ::usleep(1000);
      return compiler(Key)(output, mlir);
    };
    EXPECT_TRUE(Cache(Dir).obtain(Key, "name", slow).isOk());
  });
  while (!compiling)
    ::usleep(1000);
  pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30); // should it wait for the thread that is not there
    auto got = get(Dir);
    ::_exit(got.isOk() && got->report.cache == CacheOutcome::Hit ? 0 : 1);
  }
  goOn = true;
  compile.join();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(CacheTest, ModulesAloneLieWhereEntriesHaveThem) {
  std::string dir = Dir, key = keyOf(1);
  EXPECT_FALSE(hasModule(dir, "name", key));
  ASSERT_TRUE(publishModule(dir, "name", key, "module {}\n").isOk());
  EXPECT_TRUE(hasModule(dir, "name", key));
  EXPECT_EQ(*readFile(dir + "/name/name.mlir"), "module {}\n");
  EXPECT_FALSE(Cache(dir).contains(key, "name"));
  // A newer one takes the link.
  ASSERT_TRUE(publishModule(dir, "name", keyOf(2), "// 2\n").isOk());
  EXPECT_EQ(*readFile(dir + "/name/name.mlir"), "// 2\n");
  EXPECT_EQ(listDirectory(dir + "/name").size(), 3u);
}

TEST(Key, EveryInputCounts) {
  KeyInputs base{"graph", Target(), "strict", false, "", "", "builds"};
  std::set<std::string> keys = {computeKey(base)};
  auto other = [&](auto change) {
    KeyInputs inputs = base;
    change(inputs);
    EXPECT_TRUE(keys.insert(computeKey(inputs)).second);
    EXPECT_TRUE(isKey(computeKey(inputs)));
  };
  other([](KeyInputs &i) { i.graph += " "; });
  other([](KeyInputs &i) { i.target.isa = Isa::Avx2; });
  other([](KeyInputs &i) { i.target.l2Bytes += 1; });
  other([](KeyInputs &i) { i.target.cores += 1; });
  other([](KeyInputs &i) { i.math = "fast"; });
  other([](KeyInputs &i) { i.constantsPacked = true; });
  other([](KeyInputs &i) { i.tuningEntry = "builds", i.builds = ""; });
  other([](KeyInputs &i) { i.transforms = "module {}"; });
  other([](KeyInputs &i) { i.builds += "2"; });
}

TEST(Key, SafeNames) {
  EXPECT_EQ(safeName("conv_2d_float32_1x1s"), "conv_2d_float32_1x1s");
  for (const std::string &name :
       {std::string("bnorm:[8, 64]"), std::string("../../etc"), std::string(),
        std::string("locks"), std::string(".hidden"), std::string("-rf"),
        std::string(456, 'a'), std::string("nul\0", 4), std::string("ä")}) {
    std::string safe = safeName(name);
    EXPECT_NE(safe, name);
    EXPECT_LE(safe.size(), 200u);
    EXPECT_EQ(safe.find('/'), std::string::npos);
    EXPECT_EQ(safeName(safe), safe);
  }
  EXPECT_NE(safeName("a b"), safeName("a:b"));
}
