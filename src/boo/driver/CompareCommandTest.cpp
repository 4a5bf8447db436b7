//===- CompareCommandTest.cpp - What counts as slower ---------------------===//

#include "boo/driver/CompareCommand.h"
#include "boo/driver/CompletionCommand.h"
#include "boo/driver/TimingComparison.h"
#include "boo/driver/testing/DriverFixture.h"

using namespace boo;
using testing::HasSubstr;
using testing::Not;

/// Runs of which four fifths lie within `spread` of the median.
static Timing timing(const std::string &command, double median, double spread,
                     int64_t count = 100) {
  Timing t;
  t.command = command;
  t.backend = "boo";
  t.mean = t.median = median;
  t.p10 = median - spread;
  t.p90 = median + spread;
  t.count = count;
  return t;
}

static TimingPair compareOne(const Timing &before, const Timing &after,
                             double threshold = 0.05) {
  TimingComparison all = compareTimings({before}, {after}, threshold);
  return all.pairs.empty() ? TimingPair() : all.pairs[0];
}

TEST(TimingComparison, sureAndLargeIsSlower) {
  Timing before = timing("a", 100, 2);
  EXPECT_EQ(compareOne(before, timing("a", 110, 2)).verdict,
            PairVerdict::Slower);
  EXPECT_EQ(compareOne(before, timing("a", 90, 2)).verdict,
            PairVerdict::Faster);
  // Sure, but small; large, but with a spread as large.
  EXPECT_EQ(compareOne(before, timing("a", 104, 1)).verdict, PairVerdict::Same);
  EXPECT_EQ(compareOne(timing("a", 100, 60), timing("a", 110, 60)).verdict,
            PairVerdict::Same);
  EXPECT_EQ(compareOne(before, timing("a", 104, 1), 0.01).verdict,
            PairVerdict::Slower);
  EXPECT_EQ(compareOne(before, timing("a", 200, 0, 1)).verdict,
            PairVerdict::Unsure);
}

TEST(TimingComparison, figuresAreThoseOfTheFormula) {
  // s = 2 * 2 / 2.563, n = 30: by hand.
  TimingPair pair = compareOne(timing("a", 100, 2), timing("a", 101, 2));
  double error = 1.2533 * 4 / 2.563 / std::sqrt(30.0);
  double z = 1 / (error * std::sqrt(2.0));
  EXPECT_NEAR(pair.p, 0.5 * std::erfc(z / std::sqrt(2.0)), 1e-12);
  EXPECT_NEAR(pair.ratio, 1.01, 1e-12);
  EXPECT_NEAR(std::log(pair.high / pair.ratio),
              1.96 * std::hypot(error / 100, error / 101), 1e-12);
}

TEST(TimingComparison, manyPairsNeedStrongerProof) {
  // p of about 0.002: enough alone, too little among a hundred.
  Timing before = timing("a", 100, 11), after = timing("a", 108.4, 11);
  TimingPair alone = compareOne(before, after);
  EXPECT_GT(alone.p, 0.0001);
  EXPECT_LT(alone.p, 0.01);
  EXPECT_EQ(alone.verdict, PairVerdict::Slower);
  std::vector<Timing> first(100, before), second(100, after);
  TimingComparison all = compareTimings(first, second, 0.05);
  EXPECT_EQ(all.timed, 100u);
  for (const TimingPair &pair : all.pairs)
    EXPECT_EQ(pair.verdict, PairVerdict::Same);
}

TEST(TimingComparison, failuresAndPartnersMissing) {
  Timing good = timing("a", 100, 2), bad = good, other = timing("b", 50, 1);
  bad.error = "kernel error";
  bad.mean = bad.median = NAN;
  EXPECT_EQ(compareOne(good, bad).verdict, PairVerdict::Broken);
  EXPECT_EQ(compareOne(bad, good).verdict, PairVerdict::Mended);
  EXPECT_EQ(compareOne(bad, bad).verdict, PairVerdict::Failed);
  TimingComparison all = compareTimings({good, other}, {good, good}, 0.05);
  EXPECT_EQ(all.pairs.size(), 1u);
  ASSERT_EQ(all.onlyBefore.size(), 1u);
  EXPECT_EQ(all.onlyBefore[0].command, "b");
  EXPECT_EQ(all.onlyAfter.size(), 1u);
  all = compareTimings({good, other}, {timing("a", 200, 2), other}, 0.05);
  EXPECT_NEAR(all.meanRatio, std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(all.spread, std::exp(std::log(2.0) / std::sqrt(2.0)), 1e-12);
}

namespace {
class CompareCommand : public DriverFixture {
protected:
  Outcome compare(const std::string &arguments) {
    Outcome result;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    result.status = compareCommand(*splitCommand(arguments));
    result.out = testing::internal::GetCapturedStdout();
    result.err = testing::internal::GetCapturedStderr();
    return result;
  }
  std::string table(const std::string &name, const std::string &rows) {
    return file(name, "arguments,boo mean,boo stddev,boo num_dispatches,boo "
                      "error\n" +
                          rows);
  }
};
} // namespace

TEST_F(CompareCommand, tableAndStatus) {
  std::string a = table("a.csv", "conv -n 1,100,1,50,\nconv -n 2,10,1,50,\n"
                                 "conv -n 3,5,1,50,\n");
  std::string b = table("b.csv", "conv -n 1,150,1,50,\nconv -n 2,10,1,50,\n"
                                 "conv -n 4,5,1,50,\n");
  std::string csv = Folder + "/c.csv";
  Outcome o = compare(a + " " + b + " --csv " + csv);
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.out, HasSubstr("     100.0      150.0  1.500  1.49 to 1.51 "
                               "SLOWER  conv -n 1\n"));
  EXPECT_THAT(o.out, HasSubstr("2 pairs, 1 SLOWER; geometric mean of 2 ratios "
                               "1.225"));
  EXPECT_THAT(o.out, HasSubstr("SLOWER [boo]: conv -n 1: 1.50 times as long"));
  EXPECT_THAT(o.err, HasSubstr("only in the first table: [boo] conv -n 3"));
  EXPECT_THAT(o.err, HasSubstr("only in the second table: [boo] conv -n 4"));
  EXPECT_THAT(*readFile(csv), HasSubstr("conv -n 1,boo,100,150,1.5,"));
  for (const std::string &line : linesOf(o.out))
    EXPECT_LE(line.size(), 80u) << line;
  EXPECT_EQ(compare(b + " " + a).status, 0);
  EXPECT_EQ(compare(a + " " + b + " --threshold 0.6").status, 0);
}

TEST_F(CompareCommand, aCommandThatFailsNowIsARegression) {
  std::string a = table("a.csv", "conv -n 1,100,1,50,\n");
  std::string b =
      table("b.csv", "conv -n 1,N.A.,N.A.,N.A.,killed by SIGSEGV\n");
  Outcome o = compare(a + " " + b);
  EXPECT_EQ(o.status, 1);
  EXPECT_THAT(o.out, HasSubstr("BROKEN [boo]: conv -n 1: killed by SIGSEGV"));
}

TEST_F(CompareCommand, errorsNameFileAndLine) {
  std::string a = table("a.csv", "conv -n 1,100,1,50,\n");
  std::string torn = table("torn.csv", "conv -n 1,10");
  Outcome o = compare(a + " " + torn);
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, HasSubstr(torn + ": line 2 has 2 cells"));
  EXPECT_THAT(compare(a + " /nonexistent").err, HasSubstr("/nonexistent"));
  EXPECT_EQ(compare(a).status, 2);
  EXPECT_EQ(compare(a + " " + a + " --threshold -1").status, 2);
  std::string other = table("other.csv", "gemm,100,1,50,\n");
  EXPECT_THAT(compare(a + " " + other).err, HasSubstr("no command in common"));
  EXPECT_EQ(compare("--help").status, 0);
  for (const std::string &line : linesOf(compare("--help").out))
    EXPECT_LE(line.size(), 80u) << line;
}

TEST(Completion, scriptHasTheLists) {
  for (const char *shell : {"bash", "zsh"}) {
    std::string script = completionScript(shell, {"driver", "cache"});
    for (const char *word : {"driver cache ", "convbfp16", "--fil_layout",
                             "--commands-file", "reference", "complete -o"})
      EXPECT_THAT(script, HasSubstr(word)) << shell;
  }
  std::vector<std::string> none, bash = {"bash"}, csh = {"csh"};
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(completionCommand(bash, none), 0);
  EXPECT_EQ(completionCommand(csh, none), 2);
  EXPECT_EQ(completionCommand(none, none), 2);
  testing::internal::GetCapturedStderr();
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("_boo()"));
}
