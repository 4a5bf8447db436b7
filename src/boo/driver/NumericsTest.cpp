//===- NumericsTest.cpp - Verdicts of `boo numerics` ----------------------===//

#include "boo/driver/Numerics.h"
#include "boo/driver/NumericsCommand.h"
#include "boo/driver/Report.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <random>

using namespace boo;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace {

/// A row as of a kernel with normal errors of this mean and spread, beside a
/// yardstick of spread 1.
NumericsRow rowOf(double mean, double stddev, const std::string &algorithm,
                  int samples = 4000) {
  NumericsRow row;
  row.where = "line 3";
  row.name = "name";
  row.result.command = "conv -n 1";
  row.result.algorithm = algorithm;
  row.result.verified = true;
  std::mt19937 engine;
  std::normal_distribution<> normal;
  for (int i = 0; i != samples; ++i) {
    double direct = normal(engine), kernel = mean + stddev * normal(engine);
    row.figures.kernelReference.add(kernel, 0, 1e-4, 1e-5);
    row.figures.directReference.add(direct, 0, 1e-4, 1e-5);
    row.figures.kernelDirect.add(kernel, direct, 1e-4, 1e-5);
  }
  return row;
}

std::string verdictOf(NumericsRow row, const NumericsCriteria &criteria = {},
                      bool statistical = true) {
  judgeNumerics(criteria, statistical, row);
  return row.verdict();
}

TEST(Numerics, meanAndSpreadAreJudged) {
  EXPECT_EQ(verdictOf(rowOf(0, 1, "direct")), "PASS");
  EXPECT_EQ(verdictOf(rowOf(0.1, 1.1, "direct")), "PASS");
  EXPECT_EQ(verdictOf(rowOf(0, 1.3, "direct")), "FAIL (stddev)");
  EXPECT_EQ(verdictOf(rowOf(0.4, 1, "direct")), "FAIL (mean bias)");
  EXPECT_EQ(verdictOf(rowOf(-2, 1.5, "direct")), "FAIL (mean bias, stddev)");
  EXPECT_EQ(verdictOf(rowOf(0, 3, "winograd-4x4")), "PASS");
  EXPECT_EQ(verdictOf(rowOf(0, 4.2, "winograd-4x4")), "FAIL (stddev)");
  EXPECT_EQ(verdictOf(rowOf(0.5, 3, "rows")), "PASS");
  EXPECT_EQ(verdictOf(rowOf(0, 5, "rows")), "FAIL (stddev)");
  // Neither of f64 nor of a handful of results.
  EXPECT_EQ(verdictOf(rowOf(9, 9, "direct"), {}, false), "PASS");
  EXPECT_EQ(verdictOf(rowOf(9, 9, "direct", 20)), "PASS");
}

TEST(Numerics, criteriaCanBeSet) {
  NumericsCriteria loose;
  loose.stddevRtol = 2;
  loose.meanRtol = 0.5;
  EXPECT_EQ(verdictOf(rowOf(0.4, 1.9, "direct"), loose), "PASS");
  EXPECT_EQ(verdictOf(rowOf(0, 2.2, "direct"), loose), "FAIL (stddev)");
  loose.stddevAtol = 0.5;
  EXPECT_EQ(verdictOf(rowOf(0, 2.2, "direct"), loose), "PASS");
}

TEST(Numerics, checksAndNansCount) {
  NumericsRow row = rowOf(0, 1, "direct");
  row.figures.kernelReference.add(NAN, 1, 1e-4, 1e-5);
  EXPECT_EQ(verdictOf(row), "FAIL (NaN mismatch)");
  row = rowOf(0, 1, "direct");
  row.result.verified = false;
  row.result.failedCheck = "block";
  EXPECT_EQ(verdictOf(row), "FAIL (structured test)");
  row.result.failedCheck = "random";
  EXPECT_EQ(verdictOf(row), "FAIL (error)");
  EXPECT_EQ(verdictOf(NumericsRow()), "ERROR");
}

TEST(Numerics, theLoosestOfSeveralAlgorithmsCounts) {
  EXPECT_EQ(spreadRule("direct").factor, 1.2);
  EXPECT_EQ(spreadRule("direct + winograd-4x4").factor, 4);
  EXPECT_TRUE(spreadRule("direct + winograd-4x4").judgesMean);
  EXPECT_FALSE(spreadRule("direct + rows").judgesMean);
  EXPECT_FALSE(spreadRule("something-new").judgesMean);
}

TEST(Numerics, differences) {
  Differences d;
  d.add(1.5, 1, 0.1, 0);
  d.add(2, 2.5, 0.1, 0);
  d.add(INFINITY, INFINITY, 0.1, 0);
  d.add(NAN, NAN, 0.1, 0);
  EXPECT_EQ(d.count, 4);
  EXPECT_EQ(d.notClose, 2);
  EXPECT_EQ(d.nanMismatches, 0);
  EXPECT_EQ(d.maxAbs, 0.5);
  EXPECT_EQ(d.maxRel, 0.5);
  EXPECT_EQ(d.mean(), 0);
  EXPECT_EQ(d.histogram.zeros(), 1);
  EXPECT_EQ(d.histogram.at(-1), 2);
  d.add(INFINITY, 1, 0.1, 0);
  d.add(1, INFINITY, 0.1, 0);
  d.add(NAN, 1, 0.1, 0);
  EXPECT_EQ(d.notClose, 5);
  EXPECT_EQ(d.nanMismatches, 1);
  EXPECT_EQ(d.maxAbs, INFINITY);
}

TEST(Numerics, referencesAreKeptUpToALimit) {
  ReferenceCache cache(1000);
  int computed = 0;
  auto get = [&](const std::string &key, size_t count) {
    auto outputs = cache.get(key, [&]() {
      ++computed;
      return StatusOr<std::vector<ReferenceOutput>>(
          {{std::vector<double>(count, 1), {}}});
    });
    return (*outputs)->front().values.size();
  };
  EXPECT_EQ(get("a", 45), 45u);
  EXPECT_EQ(get("b", 45), 45u);
  EXPECT_EQ(get("a", 45), 45u);
  EXPECT_EQ(computed, 2);
  get("c", 45); // of a and b the older use goes
  get("a", 45);
  EXPECT_EQ(computed, 3);
  get("b", 45);
  EXPECT_EQ(computed, 4);
  EXPECT_EQ(get("too large", 4000), 4000u);
  auto failed = cache.get("d", [] {
    return StatusOr<std::vector<ReferenceOutput>>(internalError("no"));
  });
  EXPECT_FALSE(failed.isOk());
  EXPECT_EQ(cache.hits(), 2);
}

TEST(Numerics, reports) {
  std::vector<NumericsRow> rows = {rowOf(0, 1, "direct"), rowOf(1, 1, "direct"),
                                   NumericsRow()};
  for (NumericsRow &row : rows)
    judgeNumerics({}, true, row);
  rows[2].name =
      "a name that goes on beyond the last of the eighty columns, a,b";
  rows[2].result.status = invalidArgument("no \"such\" thing");
  std::string table = numericsTable(rows);
  EXPECT_THAT(table, HasSubstr("\n      3 FAIL "));
  EXPECT_THAT(table, HasSubstr("1 of 3 commands passed\n"));
  for (size_t at = 0; at < table.size(); at = table.find('\n', at) + 1)
    EXPECT_LE(table.find('\n', at) - at, 80u);

  std::string csv = numericsCsv(rows);
  EXPECT_THAT(csv, StartsWith("name,boo vs. direct pass,boo vs. direct max abs "
                              "diff,boo vs. direct max rel diff,"));
  EXPECT_THAT(csv, HasSubstr("\"a name that goes on beyond the last of the "
                             "eighty columns, a,b\",NA,NA,NA,"));
  auto json = nlohmann::json::parse(numericsJson(rows, true));
  EXPECT_EQ(json["name"]["numerics_pass"], true);
  EXPECT_EQ(json["name"]["boo vs. reference"]["pass"], false);
  EXPECT_EQ(json["name (2)"]["verdict"], "FAIL (mean bias)");
  EXPECT_GT(json["name"]["histogram"]["boo"]["2^-1"], 500);
  EXPECT_EQ(json[rows[2].name]["direct vs. reference"]["max abs diff"], "NA");
  EXPECT_THAT(numericsLines(rows[0], true, true), HasSubstr(" ########"));
}

TEST(Numerics, wrongCalls) {
  struct {
    std::vector<std::string> arguments;
    const char *says;
  } cases[] = {
      {{"conv", "-n", "x"}, "--batchsize (-n) takes an integer"},
      {{"-o", "table.txt", "conv"}, "must end in .json or .csv"},
      {{"--reference-budget", "0", "conv"}, "more than 0 seconds"},
      {{"none.txt"}, "neither a file nor a command"},
  };
  for (const auto &each : cases) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(numericsCommand(each.arguments), 2) << each.says;
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr(each.says));
  }
}

} // namespace
