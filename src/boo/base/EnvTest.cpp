//===- EnvTest.cpp --------------------------------------------------------===//

#include "boo/base/Env.h"

#include <gmock/gmock.h>
#include <map>
#include <unistd.h>

using namespace boo;

static Env read(const std::map<std::string, std::string> &variables,
                std::string *error = nullptr) {
  Status status;
  Env env = readEnv(
      [&](const char *name) {
        auto entry = variables.find(name);
        return entry == variables.end() ? nullptr : entry->second.c_str();
      },
      &status);
  if (error)
    *error = status.message();
  else
    EXPECT_TRUE(status.isOk()) << status.message();
  return env;
}

TEST(Env, Defaults) {
  Env env = read({{"HOME", "/home/a"}});
  EXPECT_TRUE(env.cacheOn);
  EXPECT_FALSE(env.useBackwardKernels);
  EXPECT_EQ(env.cacheDir, "/home/a/.cache/turbine_kernels/boo");
  EXPECT_EQ(env.math, "default");
  EXPECT_EQ(env.ompNumThreads, 0);
  EXPECT_EQ(env.logLevel, LogLevel::Warning);
  EXPECT_FALSE(env.tuningSpec.has_value());
}

TEST(Env, CacheFolderWithoutHome) {
  constexpr const char *below = "/.cache/turbine_kernels/boo";
  std::string own = "/tmp/boo-" + std::to_string(::geteuid());
  EXPECT_EQ(defaultCacheDir("/home/a", "/home/b"),
            std::string("/home/a") + below);
  EXPECT_EQ(defaultCacheDir("", "/tmp"), std::string("/tmp") + below);
  // Accounts of services have homes that do not exist, or are no folders.
  for (const char *home : {"", "/nonexistent", "tmp", "/dev/null"})
    EXPECT_EQ(defaultCacheDir("", home), own + below) << home;
  EXPECT_NE(read({}).cacheDir, std::string("/tmp") + below);
  EXPECT_THAT(read({}).cacheDir, ::testing::EndsWith(below));
}

TEST(Env, CacheSwitchTakesEverySpelling) {
  for (const char *on : {"1", "yes", "ON", "True"})
    EXPECT_TRUE(read({{"BOO_CACHE_ON", on}}).cacheOn) << on;
  for (const char *off : {"0", "no", "Off", "FALSE"})
    EXPECT_FALSE(read({{"BOO_CACHE_ON", off}}).cacheOn) << off;
  std::string error;
  EXPECT_TRUE(read({{"BOO_USE_BACKWARD_KERNELS", "1"}}).useBackwardKernels);
  EXPECT_TRUE(read({{"BOO_CACHE_ON", "maybe"}}, &error).cacheOn);
  EXPECT_EQ(error, "BOO_CACHE_ON=maybe: expected 1 or 0, yes or no, on or off, "
                   "true or false");
}

TEST(Env, ListsAndNumbers) {
  Env env = read({{"BOO_CACHE_DIR", "/c//"},
                  {"BOO_CACHE_PATH", "/a::/b:"},
                  {"BOO_TUNING_SPEC_PATH", ""},
                  {"OMP_NUM_THREADS", " 4,2"}});
  EXPECT_EQ(env.cacheDir, "/c");
  EXPECT_EQ(env.cachePath, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(env.tuningSpec, "");
  EXPECT_EQ(env.ompNumThreads, 4);
  EXPECT_EQ(read({{"OMP_NUM_THREADS", "-3"}}).ompNumThreads, 0);
  EXPECT_EQ(read({{"OMP_NUM_THREADS", "many"}}).ompNumThreads, 0);
}

TEST(Env, LogLevel) {
  EXPECT_EQ(read({{"TURBINE_DEBUG", "asserts,log_level=DEBUG"}}).logLevel,
            LogLevel::Debug);
  EXPECT_EQ(read({{"TURBINE_DEBUG", "log_level=DEBUG"},
                  {"TURBINE_LOG_LEVEL", "info"}})
                .logLevel,
            LogLevel::Info);
  std::string error;
  read({{"TURBINE_LOG_LEVEL", "loud"}}, &error);
  EXPECT_EQ(error, "TURBINE_LOG_LEVEL=loud: expected ERROR, WARNING, INFO or "
                   "DEBUG");
  read({{"BOO_MATH", "exact"}}, &error);
  EXPECT_EQ(error, "BOO_MATH=exact: expected strict, default or fast");
}
