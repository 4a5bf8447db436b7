//===- CsvTest.cpp - Tables, and the times they hold ----------------------===//

#include "boo/driver/records/Csv.h"
#include "boo/driver/records/Timings.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;
using testing::HasSubstr;

using Cells = std::vector<std::string>;

TEST(Csv, cellsComeBack) {
  std::vector<Cells> rows = {{"\xef\xbb\xbf"}, // no mark of the file's
                             {"a", "", "c,d"},
                             {"say \"x\"", "two\nlines", "\r"},
                             {"", ""},
                             {""},
                             {"é"}};
  std::string text;
  for (const Cells &cells : rows)
    text += csvLine(cells);
  auto parsed = parseCsv(text);
  ASSERT_TRUE(parsed.isOk()) << parsed.status().toString();
  ASSERT_EQ(parsed->size(), rows.size());
  for (size_t i = 0; i != rows.size(); ++i)
    EXPECT_EQ((*parsed)[i].cells, rows[i]);
  EXPECT_EQ((*parsed)[3].line, 5u); // a cell of two lines came before
}

TEST(Csv, lineEndsAndBlankLines) {
  auto parsed = parseCsv("\xef\xbb\xbf"
                         "a,b\r\n\r\n\"c\",d\r\n\ne");
  ASSERT_TRUE(parsed.isOk()) << parsed.status().toString();
  ASSERT_EQ(parsed->size(), 3u);
  EXPECT_THAT((*parsed)[0].cells, ElementsAre("a", "b"));
  EXPECT_THAT((*parsed)[1].cells, ElementsAre("c", "d"));
  EXPECT_THAT((*parsed)[2].cells, ElementsAre("e"));
  EXPECT_EQ((*parsed)[2].line, 5u);
  EXPECT_TRUE(parseCsv("")->empty());
}

TEST(Csv, quotesOutOfPlaceAreErrors) {
  EXPECT_EQ(parseCsv("a\n\"b\nc").status().message(),
            "line 2: a quotation mark is never closed");
  EXPECT_THAT(parseCsv("a\nb\"c\n").status().message(),
              HasSubstr("line 2: a quotation mark inside a cell"));
  EXPECT_FALSE(parseCsv("\"a\"b\n").isOk());
}

TEST(Timings, readsBothDriversTables) {
  auto own = parseTimings(
      "arguments,boo min,boo mean,boo stddev,boo num_dispatches,boo median,"
      "boo p10,boo p90,boo threads,boo verified,boo error,x y mean\n"
      "conv -n 1,1,2,0.5,10,1.9,1.5,2.5,4,true,,untimed\n"
      "conv -n 2,N.A.,N.A.,N.A.,N.A.,N.A.,N.A.,N.A.,0,,\"bad, very\",3\n"
      "conv -n 3,1,2,0.5,10,1.9,1.5,2.5,4,false,,3\n");
  ASSERT_TRUE(own.isOk()) << own.status().toString();
  ASSERT_EQ(own->size(), 6u);
  const Timing &first = own->front();
  EXPECT_EQ(first.command, "conv -n 1");
  EXPECT_EQ(first.backend, "boo");
  EXPECT_EQ(first.count, 10);
  EXPECT_EQ(first.middle(), 1.9);
  EXPECT_EQ(first.threads, "4");
  EXPECT_TRUE(first.timed());
  EXPECT_EQ((*own)[1].backend, "x y");
  EXPECT_FALSE((*own)[1].timed());
  EXPECT_EQ((*own)[2].error, "bad, very");
  EXPECT_FALSE((*own)[2].timed());
  EXPECT_EQ((*own)[3].middle(), 3);
  EXPECT_EQ((*own)[4].error, "not verified");
}

TEST(Timings, errorsTellWhere) {
  auto message = [](const char *text) {
    return parseTimings(text).status().message();
  };
  EXPECT_EQ(message(""), "it is empty");
  EXPECT_THAT(message("name,boo mean\n"), HasSubstr("not 'arguments'"));
  EXPECT_THAT(message("arguments,b\n"), HasSubstr("no column '… mean'"));
  EXPECT_THAT(message("arguments,boo mean\nconv\n"),
              HasSubstr("line 2 has 1 cells, the first line 2"));
  for (const char *bad : {"1.5us", "-1", "inf", "nan", "1e999"})
    EXPECT_THAT(
        parseTimings(std::string("arguments,boo mean\n\nconv,") + bad + "\n")
            .status()
            .message(),
        HasSubstr("line 3, column 'boo mean': '" + std::string(bad) + "'"));
}
