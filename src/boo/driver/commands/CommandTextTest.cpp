//===- CommandTextTest.cpp ------------------------------------------------===//

#include "boo/driver/commands/CommandText.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;

TEST(CommandText, splitsAsAShell) {
  EXPECT_THAT(*splitCommand("conv -n 1  -H\t2"),
              ElementsAre("conv", "-n", "1", "-H", "2"));
  EXPECT_THAT(*splitCommand("a 'b c' \"d \\\" $e\" f\\ g ''"),
              ElementsAre("a", "b c", "d \" $e", "f g", ""));
  EXPECT_THAT(*splitCommand("conv -# 2 -$ 1 -! 4"),
              ElementsAre("conv", "-#", "2", "-$", "1", "-!", "4"));
  EXPECT_THAT(*splitCommand(""), ElementsAre());
  EXPECT_FALSE(splitCommand("a 'b").isOk());
  EXPECT_FALSE(splitCommand("a \\").isOk());
}

TEST(CommandText, joinSplitsAgain) {
  for (std::vector<std::string> tokens : std::vector<std::vector<std::string>>{
           {"conv", "-!", "3", "-#2", "-$", "-^", "-%", "-@"},
           {"a b", "it's", "", "\"", "\\", "x\ty", "#"},
           {"", "--tail", "clamp:0:6,relu"}}) {
    EXPECT_EQ(*splitCommand(joinCommand(tokens)), tokens)
        << joinCommand(tokens);
  }
  std::vector<std::string> plain = {"conv", "-!", "3", "--in_layout", "NHWC"};
  EXPECT_EQ(joinCommand(plain), "conv -! 3 --in_layout NHWC");
  std::vector<std::string> quoted{"aten::relu", "['float']", "it's $5"};
  EXPECT_EQ(joinCommand(quoted), R"(aten::relu "['float']" 'it'"'"'s $5')");
  EXPECT_EQ(*splitCommand(joinCommand(quoted)), quoted);
}

TEST(CommandText, commandsFile) {
  auto lines = splitCommandsFile("\xef\xbb\xbf# comment\r\n"
                                 "conv -n 1 -# 2\r\n"
                                 "\n"
                                 "   # another\n"
                                 "  conv 'open\n"
                                 "conv -n 2",
                                 false);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].number, 2u);
  EXPECT_THAT(lines[0].tokens, ElementsAre("conv", "-n", "1", "-#", "2"));
  EXPECT_EQ(lines[1].number, 5u);
  EXPECT_FALSE(lines[1].status.isOk());
  EXPECT_EQ(lines[2].number, 6u);
}

TEST(CommandText, tabs) {
  auto lines =
      splitCommandsFile("conv\t-n\t1\t\t--tail\trelu \nconv -n 2\n", true);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0].tokens,
              ElementsAre("conv", "-n", "1", "--tail", "relu"));
  EXPECT_THAT(lines[1].tokens, ElementsAre("conv", "-n", "2"));
}

TEST(CommandText, missingFile) {
  EXPECT_FALSE(readCommandsFile("/nonexistent/file").isOk());
}
