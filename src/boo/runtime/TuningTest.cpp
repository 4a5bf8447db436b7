//===- TuningTest.cpp -----------------------------------------------------===//

#include "boo/runtime/Tuning.h"
#include "boo/abi/CompilerAbi.h"
#include "boo/runtime/Files.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <filesystem>

using namespace boo;
using ::testing::HasSubstr;

static const char *const Entry =
    R"({"graph": "boo.graph 1\n%0", "target": "avx512", "math": "default", )"
    R"("schedule": "m_tile=7 n_vectors=4"})";

TEST(Tuning, FindsWhatMatchesInEveryField) {
  auto table = TuningTable::parse(std::string("# measured\n\n") + Entry + "\n");
  ASSERT_TRUE(table.isOk()) << table.status().message();
  EXPECT_EQ(table->size(), 1u);
  const char *graph = "boo.graph 1\n%0";
  EXPECT_EQ(table->find(graph, Isa::Avx512, "default"), "m_tile=7 n_vectors=4");
  EXPECT_EQ(table->find(graph, Isa::Avx2, "default"), "");
  EXPECT_EQ(table->find(graph, Isa::Avx512, "strict"), "");
  EXPECT_EQ(table->find("boo.graph 1\n%1", Isa::Avx512, "default"), "");
}

TEST(Tuning, TheLastOfEqualEntriesCounts) {
  std::string later = Entry;
  later.replace(later.find("m_tile=7"), 8, "m_tile=9");
  auto table = TuningTable::parse(Entry + ("\n" + later));
  ASSERT_TRUE(table.isOk()) << table.status().message();
  EXPECT_EQ(table->find("boo.graph 1\n%0", Isa::Avx512, "default"),
            "m_tile=9 n_vectors=4");
}

TEST(Tuning, WhatIsPrintedIsFound) {
  TuningEntry entry;
  entry.graph = "boo.graph 1\n%0 \"quoted\"";
  entry.isa = Isa::Avx2;
  entry.math = "fast";
  entry.schedule = "algorithm=winograd-4x4 m_tile=7";
  entry.untunedUs = 12.34567;
  std::string line = printTuningEntry(entry);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_THAT(line, HasSubstr("\"untuned_us\":12.346"));
  auto table = TuningTable::parse(line);
  ASSERT_TRUE(table.isOk()) << table.status().message();
  EXPECT_EQ(table->find(entry.graph, Isa::Avx2, "fast"), entry.schedule);
}

TEST(Tuning, AnErrorNamesTheLine) {
  auto message = [](const std::string &text) {
    auto table = TuningTable::parse("\n" + text);
    return table.isOk() ? "" : table.status().message();
  };
  EXPECT_THAT(message("{"), HasSubstr("line 2: expected a JSON object"));
  EXPECT_THAT(message("[]"), HasSubstr("line 2: expected a JSON object"));
  EXPECT_THAT(message(R"({"graph": 1})"), HasSubstr("a string 'graph'"));
  std::string other = Entry;
  other.replace(other.find("avx512"), 6, "avx513");
  EXPECT_THAT(message(other), HasSubstr("line 2: unknown instruction set"));
  other = Entry;
  other.replace(other.find("default"), 7, "exactly");
  EXPECT_THAT(message(other), HasSubstr("exactly"));
  other = Entry;
  other.replace(other.find("m_tile=7"), 8, "m_tile:\\n");
  EXPECT_THAT(message(other), HasSubstr("'schedule' must be fields"));
}

TEST(Tuning, FilesAreNamed) {
  EXPECT_THAT(TuningTable::read("/none/such.jsonl").status().message(),
              HasSubstr("/none/such.jsonl"));
  EXPECT_THAT(TuningTable::read("/none/such.mlir").status().message(),
              HasSubstr("/none/such.mlir"));
  std::string path = ::testing::TempDir() + "tuning-test-" +
                     std::to_string(getpid()) + ".jsonl";
  ASSERT_TRUE(writeFile(path, "?").isOk());
  EXPECT_THAT(TuningTable::read(path).status().message(),
              HasSubstr(path + ": line 1"));
  std::filesystem::remove(path);
}

TEST(Tuning, TransformLibrariesAreReadAsTheyAre) {
  std::string path = ::testing::TempDir() + "tuning-test-" +
                     std::to_string(getpid()) + ".mlir";
  ASSERT_TRUE(writeFile(path, "module {}\n").isOk());
  auto table = TuningTable::read(path);
  ASSERT_TRUE(table.isOk()) << table.status().message();
  EXPECT_EQ(table->transforms(), "module {}\n");
  EXPECT_EQ(table->size(), 0u);
  for (const std::string &text : {std::string(), std::string("a\0b", 3)}) {
    ASSERT_TRUE(writeFile(path, text).isOk());
    EXPECT_THAT(TuningTable::read(path).status().message(),
                HasSubstr(path + ": no text"));
  }
  std::filesystem::remove(path);
}

TEST(Tuning, WhatComesWithBooMayBeLeftAside) {
  auto shipped = TuningTable::readShipped();
  ASSERT_TRUE(shipped.isOk()) << shipped.status().message();
  ASSERT_GT(shipped->size(), 0u);
  auto text = readFile(BOO_SHIPPED_TUNING);
  ASSERT_TRUE(text.isOk()) << text.status().message();
  std::string line = text->substr(0, text->find('\n'));
  auto first = TuningTable::parse(line);
  ASSERT_TRUE(first.isOk()) << first.status().message();
  auto entry = nlohmann::json::parse(line);
  auto isa = parseIsa(entry["target"].get<std::string>());
  std::string graph = entry["graph"], math = entry["math"];
  EXPECT_EQ(shipped->find(graph, *isa, math),
            BOO_OPTIONAL_ENTRY + first->find(graph, *isa, math));
  EXPECT_EQ(shipped->find("boo.graph 1\n", *isa, math), "");
}
