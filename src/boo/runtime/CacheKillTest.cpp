//===- CacheKillTest.cpp - Many processes, and some that die --------------===//

#include "boo/base/Env.h"
#include "boo/runtime/Cache.h"
#include "boo/runtime/Temporary.h"
#include "boo/runtime/testing/Fixture.h"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace boo;
using namespace boo::testing;

/// Writes the artifact in pieces, as a compiler would, and notes the key.
static CompileFn slowCompiler(const std::string &key, const std::string &log) {
  return [=](const std::string &output, const std::string &mlir) {
    FileHandle notes(
        ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    std::string line = key + "\n";
    if (::write(notes.fd(), line.data(), line.size()) < 0)
      return ioError("log");
    BOO_RETURN_IF_ERROR(writeFile(mlir, "module {}\n"));
    std::string bytes = fixtureBytes(key);
    FileHandle file(::open(output.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    for (size_t at = 0; at < bytes.size(); at += 2048) {
      if (::write(file.fd(), bytes.data() + at,
                  std::min<size_t>(2048, bytes.size() - at)) < 0)
        return ioError("write");
      ::usleep(100);
    }
    return Status::ok();
  };
}

/// Every file under an entry's name must be whole, whatever happened.
static void expectOnlyWholeEntries(const std::string &folder) {
  for (const std::string &name : listDirectory(folder)) {
    if (isTemporaryName(name) || !name.ends_with(".so"))
      continue;
    auto file = readArtifact(folder + "/" + name, name.substr(0, 32));
    EXPECT_TRUE(file.isOk()) << name << ": " << file.status().message();
  }
}

TEST(CacheRace, EightProcessesCompileEachOfAHundredKeysOnce) {
  TemporaryDirectory temp;
  std::string dir = temp / "cache", log = temp / "log";
  std::vector<pid_t> children;
  for (unsigned process = 0; process < 8; ++process) {
    pid_t child = ::fork();
    if (child == 0) {
      std::vector<int> keys(100);
      for (int i = 0; i < 100; ++i)
        keys[size_t(i)] = i;
      std::shuffle(keys.begin(), keys.end(), std::mt19937(process));
      int failed = 0;
      Cache cache(dir);
      for (int number : keys) {
        std::string key = keyOf(number);
        auto got = cache.obtain(key, "name", slowCompiler(key, log));
        failed += !got.isOk() || got->artifact->manifest().key != key ||
                  got->report.cache == CacheOutcome::Off;
      }
      ::_exit(failed);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  std::map<std::string, int> compiled;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);)
    ++compiled[line];
  EXPECT_EQ(compiled.size(), 100u);
  for (const auto &[key, count] : compiled)
    EXPECT_EQ(count, 1) << key;
  expectOnlyWholeEntries(dir + "/name");
  EXPECT_EQ(listDirectory(dir + "/name").size(), 201u);
}

TEST(CacheKill, KilledCompilesLeaveTheCacheWhole) {
  // BOO_SOAK_KILLS makes this the long form that `./dev soak kills` runs.
  int64_t kills = env().soakKills > 0 ? env().soakKills : 30;
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  TemporaryDirectory temp;
  std::string dir = temp / "cache", log = temp / "log";
  for (int64_t round = 0; round < kills; ++round) {
    pid_t child = ::fork();
    if (child == 0) {
      for (int number = 0;; number = (number + 1) % 10) {
        std::string key = keyOf(number);
        auto got = Cache(dir).obtain(key, "name", slowCompiler(key, log),
                                     /*recompile=*/true);
        if (!got.isOk())
          ::_exit(1);
      }
    }
    ::usleep(useconds_t(random() % 20000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
    expectOnlyWholeEntries(dir + "/name");
    // The dead process's lock is free: this would wait for ever otherwise.
    ::alarm(20);
    std::string key = keyOf(int(random() % 10));
    auto got = Cache(dir).obtain(key, "name", slowCompiler(key, log));
    ::alarm(0);
    ASSERT_TRUE(got.isOk()) << got.status().message();
    ASSERT_NE(got->report.cache, CacheOutcome::Off);
  }
  // Publishing cleans up: only the last killed process may have left files.
  ASSERT_TRUE(Cache(dir)
                  .obtain(keyOf(0), "name", slowCompiler(keyOf(0), log), true)
                  .isOk());
  for (const std::string &name : listDirectory(dir + "/name"))
    EXPECT_FALSE(isTemporaryName(name)) << name;
}
