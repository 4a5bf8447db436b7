//===- CacheCommandTest.cpp - `boo cache` and `boo devices` ---------------===//

#include "boo/driver/CacheCommand.h"
#include "boo/driver/DevicesCommand.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

using namespace boo;
using ::testing::HasSubstr;

namespace {
struct Result {
  int status;
  std::string out, err;
};

class CacheCommandTest : public ::testing::Test {
protected:
  CacheCommandTest() {
    std::string pattern = "/tmp/boo-test-XXXXXX";
    Dir = ::mkdtemp(pattern.data());
  }
  ~CacheCommandTest() override { std::filesystem::remove_all(Dir); }

  static Result run(int (*command)(std::span<const std::string>),
                    const std::vector<std::string> &arguments) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Result result;
    result.status = command(arguments);
    result.out = ::testing::internal::GetCapturedStdout();
    result.err = ::testing::internal::GetCapturedStderr();
    return result;
  }
  Result cache(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--cache-dir", Dir});
    return run(cacheCommand, arguments);
  }
  /// A file where an entry would be, which is none.
  void addBroken() {
    std::filesystem::create_directories(Dir + "/name");
    std::ofstream(Dir + "/name/0123456789abcdef0123456789abcdef.so") << "x";
  }

  std::string Dir;
};
} // namespace

TEST_F(CacheCommandTest, EmptyCache) {
  EXPECT_EQ(cache({"path"}).out, Dir + "\n");
  EXPECT_EQ(cache({"ls"}).out, "0 entries, 0 B in " + Dir + "\n");
  EXPECT_EQ(cache({"ls", "--json"}).out, "");
  EXPECT_EQ(cache({"verify"}).out, "0 of 0 entries verified\n");
  EXPECT_EQ(cache({"gc", "--max-size", "1G"}).status, 0);
  EXPECT_EQ(cache({"clear"}).status, 0);
}

TEST_F(CacheCommandTest, BrokenEntriesAreShownAndCollected) {
  addBroken();
  Result verify = cache({"verify"});
  EXPECT_EQ(verify.status, 1);
  EXPECT_THAT(verify.out, HasSubstr("too short for an ELF header\n"
                                    "0 of 1 entries verified\n"));
  auto line = nlohmann::json::parse(cache({"ls", "--json"}).out);
  EXPECT_EQ(line["name"], "name");
  EXPECT_TRUE(line["algorithm"].is_null());
  EXPECT_THAT(line["error"].get<std::string>(), HasSubstr("too short"));
  EXPECT_EQ(cache({"gc"}).status, 0);
  EXPECT_EQ(cache({"verify"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(Dir + "/name"));
}

TEST_F(CacheCommandTest, ArchiveOfNothing) {
  std::string file = Dir + "/archive.tar";
  EXPECT_EQ(cache({"export", file}).out, "exported 0 entries\n");
  EXPECT_EQ(cache({"import", file}).out, "imported 0 entries\n");
  EXPECT_EQ(cache({"import", Dir + "/absent.tar"}).status, 1);
}

TEST_F(CacheCommandTest, UsageErrors) {
  for (const std::vector<std::string> &arguments :
       {std::vector<std::string>{},
        {"unknown"},
        {"gc", "--max-size", "lots"},
        {"gc", "--max-size"},
        {"export"},
        {"ls", "--nonsense"}}) {
    Result result = cache(arguments);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err, "");
  }
  EXPECT_EQ(run(cacheCommand, {"--help"}).status, 0);
}

TEST_F(CacheCommandTest, UnknownNameIsNamed) {
  Result result = cache({"verfy"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err, "boo: error: boo cache: there is no subcommand "
                        "'verfy'; did you mean 'verify'? (there are ls, "
                        "verify, gc, clear, path, export, import)\n");
  result = run(cacheCommand, {"--cache-dir", Dir, "foo"});
  EXPECT_THAT(result.err, HasSubstr("subcommand 'foo' (there are ls"));
}

TEST_F(CacheCommandTest, HelpFitsEightyColumns) {
  std::vector<std::string> texts = {run(devicesCommand, {"--help"}).out,
                                    run(cacheCommand, {"--help"}).out};
  for (const char *name :
       {"ls", "verify", "gc", "clear", "path", "export", "import"}) {
    texts.push_back(run(cacheCommand, {name, "--help"}).out);
    EXPECT_THAT(texts[1], HasSubstr("\n  " + std::string(name) + " "));
  }
  for (const std::string &text : texts) {
    EXPECT_THAT(text, HasSubstr("--help"));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      EXPECT_LE(line.size(), 80u) << line;
  }
}

TEST_F(CacheCommandTest, Devices) {
  auto all = nlohmann::json::parse(run(devicesCommand, {"--json"}).out);
  EXPECT_GT(all["cpu"]["features"].size(), 10u);
  EXPECT_EQ(all["targets"]["generic"], "usable");
  EXPECT_GE(all["threads"]["default"], 1);
  EXPECT_THAT(run(devicesCommand, {}).out, HasSubstr("\ntarget    isa="));
  EXPECT_EQ(run(devicesCommand, {"--nonsense"}).status, 2);
}
