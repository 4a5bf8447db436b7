//===- PreloadCommandTest.cpp - What a call of `boo preload` may be -------===//

#include "boo/driver/PreloadCommand.h"
#include "boo/runtime/Files.h"

#include <filesystem>
#include <gmock/gmock.h>

using namespace boo;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace {

struct Outcome {
  int status;
  std::string out, err;
};

class PreloadCommand : public ::testing::Test {
protected:
  PreloadCommand() {
    std::string pattern = ::testing::TempDir() + "boo-preload-XXXXXX";
    Dir = ::mkdtemp(pattern.data());
  }
  ~PreloadCommand() override { std::filesystem::remove_all(Dir); }

  Outcome preload(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--cache-dir", Dir + "/cache"});
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.status = preloadCommand(arguments);
    outcome.out = ::testing::internal::GetCapturedStdout();
    outcome.err = ::testing::internal::GetCapturedStderr();
    return outcome;
  }
  std::string file(const std::string &name, const std::string &text) {
    std::string path = Dir + "/" + name;
    EXPECT_TRUE(writeFile(path, text).isOk());
    return path;
  }

  std::string Dir;
};

TEST_F(PreloadCommand, wrongCalls) {
  std::string list = file("list.txt", "conv -n 1\n");
  struct {
    std::vector<std::string> arguments;
    const char *says;
  } cases[] = {
      {{}, "which commands? boo preload FILE, or boo preload conv"},
      {{Dir + "/none.txt"}, "none.txt' is neither a file nor a command"},
      {{"convbf16"},
       "is neither a file nor a command; did you mean 'convbfp16'?"},
      {{file("empty.txt", "# nothing\n\n")}, "there is no command in"},
      {{list, list}, "one FILE is taken"},
      {{list, "-j", "0"}, "--max-processes (-j) 0: must lie between 1 and"},
      {{list, "-j", "x"}, "--max-processes (-j) takes an integer"},
      {{list, "-d", "cuda"}, "kernels are made for the CPU"},
      {{list, "--no-cache"}, "--no-cache leaves nothing to preload"},
      {{list, "--max-proc"}, "--max-processes (-j) needs a value"},
      {{list, "--bogus"}, "unknown flag '--bogus'"},
      {{"conv", "-n", "1", "-c", "x"}, "--in_channels (-c) takes an integer"},
      {{"conv", "-n", "-1"}, "--batchsize (-n)"},
  };
  for (const auto &each : cases) {
    Outcome outcome = preload(each.arguments);
    EXPECT_EQ(outcome.status, 2) << each.says;
    EXPECT_THAT(outcome.err,
                AllOf(StartsWith("boo: error: "), HasSubstr(each.says)));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(PreloadCommand, aBadLineCostsThatLineAlone) {
  std::string list = file("list.tsv", "conv\t-n\tx\nconvolution -n 1\n"
                                      "conv -n 1 --json\nconv 'open\n");
  Outcome outcome = preload({list, "-m", "--iree-opt-level=O3"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(
      outcome.out,
      AllOf(StartsWith("4 commands: 0 compiled, 0 cached, 4 failed\nFailures:\n"
                       "line 1: conv -n x  :  invalid argument: --batchsize"),
            HasSubstr("\n  repeat with: boo driver conv -n x\n"),
            HasSubstr("line 2: convolution -n 1  :  invalid argument: unknown "
                      "command"),
            HasSubstr("line 3: conv -n 1 --json  :  "),
            HasSubstr("line 4: conv 'open  :  ")));
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("--import-multiprocessing (-m) '1' is ignored"),
                    HasSubstr("--iree-opt-level=O3 is ignored")));
}

TEST_F(PreloadCommand, directionsAreCommandsOfTheirOwn) {
  std::string list = file("list.txt", "# sums\nconv -n 1 -F 5 --target none\n");
  EXPECT_THAT(preload({list}).out,
              AllOf(StartsWith("2 commands: 0 compiled, 0 cached, 2 failed\n"),
                    HasSubstr("line 2: conv_2d_float32_forward_1x3x32x32"),
                    HasSubstr("line 2: conv_2d_float32_weight_backward_1x3x"),
                    HasSubstr("repeat with: boo driver conv -n 1 -F 4 ")));
}

TEST_F(PreloadCommand, flagsBesideTheFileWin) {
  // So that the line is refused, which shows who won.
  std::string list = file("list.txt", "conv -n 1 -c 4 -k 8 --math fast\n");
  EXPECT_THAT(preload({list, "--math", "slow", "-c", "6"}).out,
              HasSubstr("line 1: conv_2d_float32_forward_1x6x32x32_nchw"));
  EXPECT_THAT(preload({"--math", "slow", list}).out,
              HasSubstr("--math=slow: expected strict, default or fast"));
}

TEST_F(PreloadCommand, aFolderThatCannotBeWrittenTo) {
  std::string list = file("list.txt", "conv -n 1\n");
  Outcome outcome = preload({list, "-o", list});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("boo: error: the cache: "));
}

} // namespace
