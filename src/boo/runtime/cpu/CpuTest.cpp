//===- CpuTest.cpp - CPU features and threads -----------------------------===//

#include "boo/runtime/Files.h"
#include "boo/runtime/cpu/CpuInfo.h"
#include "boo/runtime/cpu/Threads.h"

#include <atomic>
#include <chrono>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace boo;
using ::testing::HasSubstr;

TEST(CpuInfo, HostTargetRunsHere) {
  EXPECT_TRUE(canRun(hostTarget()).isOk());
  EXPECT_GT(hostTarget().l1Bytes, 0);
  EXPECT_GE(hostTarget().l2Bytes, hostTarget().l1Bytes);
  EXPECT_GE(hostTarget().cores, 1);
  EXPECT_LE(hostTarget().cores, cpuInfo().onlineCpus);
  EXPECT_EQ(*targetFor("host"), hostTarget());
}

TEST(CpuInfo, EveryUnusableFeatureHasAReason) {
  ASSERT_FALSE(cpuInfo().features.empty());
  for (const CpuFeature &feature : cpuInfo().features)
    EXPECT_EQ(feature.usable, feature.reason.empty()) << feature.name;
}

TEST(CpuInfo, TargetsByName) {
  auto generic = targetFor("generic");
  ASSERT_TRUE(generic.isOk());
  EXPECT_EQ(generic->isa, Isa::Generic);
  EXPECT_FALSE(generic->avx512Fp16);
  EXPECT_EQ(generic->l2Bytes, hostTarget().l2Bytes);
  EXPECT_THAT(targetFor("neon").status().message(),
              HasSubstr("unknown target 'neon': expected host"));
  for (const char *name : {"avx2", "avx512", "amx"}) {
    auto target = targetFor(name);
    EXPECT_EQ(target.isOk(), *parseIsa(name) <= hostTarget().isa) << name;
    if (!target.isOk())
      EXPECT_THAT(target.status().message(),
                  HasSubstr("this machine cannot run " + std::string(name)));
    EXPECT_TRUE(targetFor(name, /*compileOnly=*/true).isOk());
  }
}

TEST(Threads, RangesAreBalancedAndCoverTheGrid) {
  for (int64_t grid : {0, 1, 5, 64, 1000})
    for (int64_t workers : {1, 2, 3, 7, 64, 100}) {
      int64_t next = 0, least = grid, most = 0;
      for (int64_t worker = 0; worker < workers; ++worker) {
        TileRange range = tileRange(grid, worker, workers);
        EXPECT_EQ(range.begin, next);
        next = range.end;
        least = std::min(least, range.end - range.begin);
        most = std::max(most, range.end - range.begin);
      }
      EXPECT_EQ(next, grid);
      EXPECT_LE(most - least, 1);
    }
}

namespace {
struct Seen {
  std::atomic<int> tiles{0}, calls{0};
  std::atomic<bool> early{false};
};
} // namespace

// Each step counts tiles; the second must find all of the first counted.
static int32_t countTiles(const boo_args *args, const boo_tile *tile) {
  auto *seen = static_cast<Seen *>(args->workspace);
  seen->tiles += int(tile->end - tile->begin);
  ++seen->calls;
  return 0;
}
static int32_t expectAll(const boo_args *args, const boo_tile *) {
  auto *seen = static_cast<Seen *>(args->workspace);
  if (seen->tiles != 37)
    seen->early = true;
  return 0;
}
static int32_t failAtLastTile(const boo_args *, const boo_tile *tile) {
  return tile->end == 37 ? 9 : 0;
}

TEST(Threads, StepsAreSeparatedByBarriers) {
  for (int threads : {1, 2, 5}) {
    Seen seen;
    boo_args args{};
    args.workspace = &seen;
    Step steps[] = {{countTiles, 37, &args},
                    {expectAll, 37, &args},
                    {countTiles, 0, &args}};
    for (int round = 0; round < 100; ++round) {
      seen.tiles = 0;
      EXPECT_EQ(runSteps(steps, threads, nullptr, 0).code, 0);
    }
    EXPECT_FALSE(seen.early) << threads;
  }
}

namespace {
struct Visits {
  std::atomic<int> tiles[64] = {};
  std::atomic<int64_t> all{0};
  int64_t ofFirst = 0; ///< tiles of worker 0
};
} // namespace

// Worker 0 does not come back from its first call before others have done all
// the rest, or a long time has passed.
static int32_t stayAtFirst(const boo_args *args, const boo_tile *tile) {
  auto *visits = static_cast<Visits *>(args->workspace);
  for (int64_t i = tile->begin; i != tile->end; ++i)
    ++visits->tiles[i];
  visits->all += tile->end - tile->begin;
  if (tile->worker != 0)
    return 0;
  for (int ms = 0; ms != 20000 && visits->all != 64; ++ms)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  visits->ofFirst += tile->end - tile->begin;
  return 0;
}

TEST(Threads, OthersDoWhatASlowWorkerLeaves) {
  for (int round = 0; round != 20; ++round) {
    Visits visits;
    boo_args args{};
    args.workspace = &visits;
    Step steps[] = {{stayAtFirst, 64, &args}};
    EXPECT_EQ(runSteps(steps, 2, nullptr, 0).code, 0);
    EXPECT_LE(visits.ofFirst, 8);
    for (const auto &count : visits.tiles)
      EXPECT_EQ(count, 1);
  }
}

// Tiles are done once whoever does them, in many short steps one after the
// other.
static int32_t visit(const boo_args *args, const boo_tile *tile) {
  auto *visits = static_cast<Visits *>(args->workspace);
  for (int64_t i = tile->begin; i != tile->end; ++i)
    ++visits->tiles[i];
  return 0;
}

TEST(Threads, EachTileIsDoneOnceInEachStep) {
  for (int threads : {2, 3, 5, 8})
    for (int64_t grid : {1, 2, 3, 7, 8, 9, 37, 64}) {
      Visits visits;
      boo_args args{};
      args.workspace = &visits;
      std::vector<Step> steps(50, {visit, grid, &args});
      EXPECT_EQ(runSteps(steps, threads, nullptr, 0).code, 0);
      for (int64_t i = 0; i != 64; ++i)
        EXPECT_EQ(visits.tiles[i], i < grid ? 50 : 0) << threads << " " << grid;
    }
}

static int32_t sleepAWhile(const boo_args *, const boo_tile *) {
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  return 0;
}

TEST(Threads, EachStepsTimeIsTold) {
  boo_args args{};
  Seen seen;
  args.workspace = &seen;
  Step steps[] = {
      {sleepAWhile, 2, &args}, {countTiles, 0, &args}, {sleepAWhile, 1, &args}};
  for (int threads : {1, 2}) {
    double us[] = {-1, -1, -1};
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(runSteps(steps, threads, nullptr, 0, us).code, 0);
    std::chrono::duration<double, std::micro> all =
        std::chrono::steady_clock::now() - begin;
    EXPECT_GE(us[0], 3000) << threads;
    EXPECT_GE(us[1], 0) << threads;
    EXPECT_GE(us[2], 3000) << threads;
    EXPECT_LE(us[0] + us[1] + us[2], all.count()) << threads;
  }
}

TEST(Threads, AnErrorEndsTheRunWithoutHanging) {
  for (int threads : {1, 2, 5})
    for (int round = 0; round < 200; ++round) {
      Seen seen;
      boo_args args{};
      args.workspace = &seen;
      Step steps[] = {{countTiles, 37, &args},
                      {failAtLastTile, 37, &args},
                      {failAtLastTile, 37, &args},
                      {countTiles, 37, &args}};
      StepError error = runSteps(steps, threads, nullptr, 0);
      EXPECT_EQ(error.step, 1);
      EXPECT_EQ(error.code, 9);
      EXPECT_EQ(seen.tiles, 37);
    }
}

TEST(Threads, OneTileOrOneThreadNeedsNoTeam) {
  Seen seen;
  boo_args args{};
  args.workspace = &seen;
  Step one[] = {{countTiles, 1, &args}};
  EXPECT_EQ(runSteps(one, 8, nullptr, 0).code, 0);
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(runSteps({}, 8, nullptr, 0).code, 0);
  EXPECT_GE(defaultThreads(), 1);
  EXPECT_THAT(openMpRuntime(), HasSubstr("gomp"));
}

TEST(Threads, AChildOfOneThreadHasATeamOfItsOwn) {
  if (listDirectory("/proc/self/task").size() != 1)
    GTEST_SKIP() << "an earlier test's workers live in this process";
  pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20); // a hang is a failure
    Visits visits;
    boo_args args{};
    args.workspace = &visits;
    Step steps[] = {{stayAtFirst, 64, &args}};
    bool ok = !inForkedChild() && runSteps(steps, 2, nullptr, 0).code == 0 &&
              visits.all == 64 && visits.ofFirst <= 8;
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
