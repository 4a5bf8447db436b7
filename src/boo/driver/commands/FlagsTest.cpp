//===- FlagsTest.cpp ------------------------------------------------------===//

#include "boo/driver/commands/Flags.h"
#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Nearest.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <set>

using namespace boo;
using testing::HasSubstr;

static constexpr Flag TestFlags[] = {
    {"in_h", 'H', "32", FlagKind::Int, FlagUse::Honoured, "height", ""},
    {"in_height", 0, "", FlagKind::Text, FlagUse::Honoured, "", ""},
    {"fil_d", '@', "3", FlagKind::Int, FlagUse::Honoured, "", ""},
    {"verify", 'V', "0", FlagKind::Switch, FlagUse::Honoured, "", ""},
    {"pad_val", '!', "0", FlagKind::Real, FlagUse::Refused, "", "always 0"},
    {"wall", '_', "0", FlagKind::Int, FlagUse::Noted, "", "always"},
};

static StatusOr<FlagValues> parse(std::vector<std::string> tokens) {
  FlagTable tables[] = {TestFlags};
  BOO_ASSIGN_OR_RETURN(auto found, parseFlags(tokens, tables));
  FlagValues values(TestFlags);
  for (const Occurrence &each : found)
    if (!each.isPositional())
      values.add(each.flag, each.value);
  return values;
}

TEST(Flags, everySpelling) {
  for (std::vector<std::string> tokens :
       std::vector<std::vector<std::string>>{{"--in_h", "7"},
                                             {"--in-h", "7"},
                                             {"--in_h=7"},
                                             {"-H", "7"},
                                             {"-H7"},
                                             {"-H=7"},
                                             {"-H", "+7"},
                                             {"-H", "1", "-H", "7"}}) {
    auto values = parse(tokens);
    ASSERT_TRUE(values.isOk()) << values.status().toString();
    EXPECT_EQ(values->integer(0), 7) << tokens[0];
  }
  EXPECT_EQ(parse({"--fil", "9"})->integer(2), 9);
  EXPECT_EQ(parse({"-@9"})->integer(2), 9);
  EXPECT_EQ(parse({"-H", "-7"})->integer(0), -7);
  EXPECT_EQ(parse({"-H-7"})->integer(0), -7);
  EXPECT_EQ(parse({"-!", "-1.5e3"})->real(4), -1500);
  EXPECT_EQ(parse({})->integer(0), 32);
}

TEST(Flags, switchStandsAloneOrTakes01) {
  EXPECT_FALSE(parse({})->on(3));
  EXPECT_TRUE(parse({"--verify"})->on(3));
  EXPECT_TRUE(parse({"-V", "1"})->on(3));
  EXPECT_FALSE(parse({"-V", "0"})->on(3));
  EXPECT_FALSE(parse({"-V0"})->on(3));
  EXPECT_TRUE(parse({"-V", "conv"})->on(3));
  EXPECT_FALSE(parse({"--verify=2"}).isOk());
}

TEST(Flags, errorsNameTheFlag) {
  auto message = [](std::vector<std::string> tokens) {
    auto values = parse(tokens);
    EXPECT_FALSE(values.isOk());
    return values.isOk() ? std::string() : values.status().message();
  };
  EXPECT_THAT(message({"--in_q", "3"}), HasSubstr("did you mean '--in_h'?"));
  EXPECT_THAT(message({"-h", "3"}), HasSubstr("did you mean -H, --in_h?"));
  EXPECT_THAT(message({"-M"}), HasSubstr("unknown flag '-M'"));
  EXPECT_THAT(message({"--in"}),
              HasSubstr("several flags: --in_h, --in_height"));
  EXPECT_THAT(message({"-H"}), HasSubstr("--in_h (-H) needs a value"));
  EXPECT_THAT(message({"-H", "-V"}), HasSubstr("needs a value"));
  EXPECT_THAT(message({"-H", "3x"}), HasSubstr("not '3x'"));
  EXPECT_THAT(message({"-H", "9223372036854775808"}), HasSubstr("integer"));
  EXPECT_THAT(message({"--=3"}), HasSubstr("unknown flag"));
}

TEST(Flags, notedAndRefused) {
  std::vector<std::string> notes;
  EXPECT_TRUE(parse({"-_", "0", "-!", "0"})->checkUse(&notes).isOk());
  EXPECT_TRUE(notes.empty());
  EXPECT_TRUE(parse({"-_", "1"})->checkUse(&notes).isOk());
  EXPECT_THAT(notes,
              testing::ElementsAre("--wall (-_) '1' is ignored: always"));
  Status status = parse({"-!", "2"})->checkUse(&notes);
  EXPECT_EQ(status.code(), StatusCode::Unsupported);
  EXPECT_EQ(status.message(), "--pad_val (-!) '2' is not supported: always 0");
}

TEST(Flags, tablesAreConsistent) {
  // A command reads its family's table and the driver's at once.
  std::vector<FlagTable> families = allFlagTables();
  families.pop_back();
  for (FlagTable family : families) {
    std::set<std::string> names;
    std::set<char> letters;
    for (FlagTable table : {family, driverFlagTable()})
      for (const Flag &flag : table) {
        EXPECT_TRUE(names.insert(std::string(flag.name)).second) << flag.name;
        if (flag.letter)
          EXPECT_TRUE(letters.insert(flag.letter).second) << flag.letter;
        EXPECT_FALSE(flag.help.empty()) << flag.name;
        EXPECT_EQ(flag.reason.empty(), flag.use == FlagUse::Honoured)
            << flag.name;
        int64_t integer;
        if (flag.kind == FlagKind::Int && !flag.defaultValue.empty())
          EXPECT_TRUE(parseInteger(flag.defaultValue, &integer)) << flag.name;
      }
  }
}

TEST(Flags, helpFitsEightyColumns) {
  std::vector<std::string> texts = {driverHelp()};
  for (const CommandInfo &info : allCommands())
    texts.push_back(commandHelp(info));
  for (const std::string &text : texts) {
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find('\n', at);
      std::string line = text.substr(at, end - at);
      // Bytes that go on with a letter beyond ASCII take no column.
      auto columns = std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
      });
      EXPECT_LE(columns, 80) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
      at = end + 1;
    }
    for (const Flag &flag : driverFlagTable())
      if (text.starts_with("boo driver"))
        EXPECT_THAT(text, HasSubstr("--" + std::string(flag.name)));
  }
}

TEST(Flags, docsNameEachFlag) {
  std::string docs;
  for (const char *page : {"driver.md", "commands.md"}) {
    auto text = readFile(std::string(BOO_SOURCE_DIR "/docs/") + page);
    ASSERT_TRUE(text.isOk()) << text.status().toString();
    docs += *text;
  }
  // A bare comparison: the whole of the docs would be printed otherwise.
  auto has = [&](const std::string &part) {
    return docs.find(part) != docs.npos;
  };
  for (FlagTable table : allFlagTables())
    for (const Flag &flag : table) {
      std::string row = "| `--" + std::string(flag.name) + "`";
      if (flag.letter)
        row += std::string(" `-") + flag.letter + "`";
      EXPECT_TRUE(has(row + " |")) << row;
    }
  for (const CommandInfo &info : allCommands())
    EXPECT_TRUE(has("`" + std::string(info.spelling))) << info.spelling;
}

TEST(Nearest, finds) {
  std::string_view names[] = {"driver", "cache", "devices"};
  EXPECT_EQ(nearest("drivr", names), "driver");
  EXPECT_EQ(nearest("CACHE", names), "cache");
  EXPECT_EQ(nearest("ceche", names), "cache");
  EXPECT_EQ(nearest("zzz", names), "");
  EXPECT_EQ(nearest(std::string(100000, 'a'), names), "");
}
