//===- ProgramLineTest.cpp - Programs that take a list of commands --------===//

#include "boo/driver/ProgramLine.h"
#include "boo/driver/GenerateCommand.h"
#include "boo/driver/NumericsCommand.h"
#include "boo/driver/PreloadCommand.h"
#include "boo/driver/tune/TuneCommand.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <set>
#include <unistd.h>

using namespace boo;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct Program {
  const char *name;
  FlagTable table;
  std::string help;
};

std::vector<Program> programs() {
  return {{"preload", preloadFlagTable(), preloadHelp()},
          {"generate", generateFlagTable(), generateHelp()},
          {"numerics", numericsFlagTable(), numericsHelp()},
          {"tune", tuneFlagTable(), tuneHelp()}};
}

TEST(Programs, helpFitsEightyColumnsAndNamesEachFlag) {
  for (const Program &program : programs()) {
    for (size_t at = 0; at < program.help.size();) {
      size_t end = program.help.find('\n', at);
      std::string line = program.help.substr(at, end - at);
      auto columns = std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      });
      EXPECT_LE(columns, 80) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
      at = end + 1;
    }
    for (const Flag &flag : program.table)
      EXPECT_THAT(program.help, HasSubstr("--" + std::string(flag.name)));
  }
}

TEST(Programs, docsNameEachFlag) {
  for (const Program &program : programs()) {
    auto docs =
        readFile(BOO_SOURCE_DIR "/docs/" + std::string(program.name) + ".md");
    ASSERT_TRUE(docs.isOk()) << docs.status().toString();
    for (const Flag &flag : program.table) {
      std::string row = "| `--" + std::string(flag.name) + "`";
      if (flag.letter)
        row += std::string(" `-") + flag.letter + "`";
      EXPECT_THAT(*docs, HasSubstr(row + " |"));
      EXPECT_EQ(flag.reason.empty(), flag.use == FlagUse::Honoured);
    }
  }
}

StatusOr<ProgramLine> parse(std::vector<std::string> tokens) {
  return parseProgram("boo preload", tokens, preloadFlagTable());
}

TEST(Programs, aCommandKeepsItsOwnLetters) {
  // -j and -o before it are the program's, behind it the operation's.
  auto line =
      parse({"-j", "3", "--math", "fast", "conv", "-j", "2", "-o", "0"});
  ASSERT_TRUE(line.isOk()) << line.status().message();
  EXPECT_EQ(line->own.text(1), "3");
  EXPECT_EQ(line->file, "");
  ASSERT_EQ(line->lines.size(), 1u);
  EXPECT_THAT(line->lines[0].tokens, ElementsAre("conv", "-j", "2", "-o", "0"));
  EXPECT_THAT(line->outside, ElementsAre("--math", "fast"));
}

TEST(Programs, longFlagsMayStandBehindACommand) {
  auto line = parse({"conv", "--max-processes=3", "-n", "1", "--device", "",
                     "--import-multiprocessing", "-c", "4", "--cache-dir=x"});
  ASSERT_TRUE(line.isOk()) << line.status().message();
  EXPECT_THAT(line->lines[0].tokens, ElementsAre("conv", "-n", "1", "-c", "4"));
  EXPECT_EQ(line->own.text(1), "3");
  EXPECT_EQ(line->own.text(0), "");
  EXPECT_TRUE(line->own.on(3));
  EXPECT_EQ(line->own.text(2), "x");
  EXPECT_FALSE(parse({"conv", "--max-processes"}).isOk());
}

TEST(Programs, flagsBesideAFile) {
  std::string path = ::testing::TempDir() + "boo-programs-" +
                     std::to_string(::getpid()) + ".txt";
  ASSERT_TRUE(writeFile(path, "conv -n 1\n# no\n\ngemm\n").isOk());
  auto line = parse({"--target=avx2", path, "-j", "3", "-F", "2", "--forw", "4",
                     "--csv", "x.csv", "-m", "--dilation_w=2"});
  ::unlink(path.c_str());
  ASSERT_TRUE(line.isOk()) << line.status().message();
  EXPECT_EQ(line->file, path);
  EXPECT_EQ(line->lines.size(), 2u);
  EXPECT_EQ(line->lines[1].number, 4u);
  EXPECT_EQ(line->own.text(1), "3");
  EXPECT_TRUE(line->own.on(3));
  EXPECT_THAT(line->outside, ElementsAre("--target=avx2", "-F", "2", "--forw",
                                         "4", "--dilation_w=2"));
  DriverFlag used[] = {DriverFlag::TargetName};
  EXPECT_THAT(idleFlags(line->driver, used, "why"),
              ElementsAre("--csv is ignored: why"));
}

TEST(Programs, emptyValuesAreValues) {
  auto line = parse({"-d", "", "conv"});
  ASSERT_TRUE(line.isOk());
  EXPECT_TRUE(line->own.given(0));
  EXPECT_EQ(line->own.text(0), "");
}

/// What is planned of a single command: names, or what is wrong.
std::vector<std::string> plan(std::vector<std::string> tokens) {
  auto line = parse(std::move(tokens));
  EXPECT_TRUE(line.isOk());
  std::vector<std::string> notes, names;
  for (const PlannedCommand &each :
       planCommands(*line, "", /*compileOnly=*/true, &notes)) {
    names.push_back(each.status.isOk() ? each.name : each.status.message());
    EXPECT_EQ(each.where, "");
    EXPECT_THAT(each.repro, HasSubstr(each.text));
  }
  return names;
}

TEST(Programs, directionsOneAfterTheOther) {
  EXPECT_THAT(plan({"conv", "-n", "2", "-F", "0", "-b", "1"}),
              ElementsAre(HasSubstr("_forward_b_2x3x"),
                          HasSubstr("_input_backward_b_2x3x"),
                          HasSubstr("_weight_backward_b_2x3x"),
                          HasSubstr("_bias_backward_b_2x3x")));
  // What one direction does not have costs that one alone; what none has is
  // told once.
  EXPECT_THAT(plan({"conv", "-F", "3", "--residual"}),
              ElementsAre(HasSubstr("_forward_"),
                          HasSubstr("only the forward direction")));
  EXPECT_THAT(plan({"conv", "-F", "0", "-H", "0"}),
              ElementsAre(HasSubstr("--in_h (-H)")));
}

} // namespace
