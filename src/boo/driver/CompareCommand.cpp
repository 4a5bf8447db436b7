//===- CompareCommand.cpp - `boo compare` ---------------------------------===//

#include "boo/driver/CompareCommand.h"
#include "boo/driver/TimingComparison.h"
#include "boo/driver/commands/Flags.h"
#include "boo/driver/records/Csv.h"
#include "boo/runtime/Files.h"

#include <CLI/CLI.hpp>
#include <cstdio>

using namespace boo;

static int usageError(const std::string &message) {
  std::fprintf(stderr, "boo: error: %s\n", message.c_str());
  return 2;
}

template <typename... Args>
static std::string format(const char *pattern, Args... args) {
  char text[200];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

static std::string figure(const char *pattern, double value) {
  return std::isfinite(value) ? format(pattern, value) : "-";
}

/// Four significant digits in few columns.
static std::string time(double us) {
  return figure(us < 10     ? "%.3f"
                : us < 100  ? "%.2f"
                : us < 1000 ? "%.1f"
                            : "%.0f",
                us);
}

/// Cuts the text to so many columns; letters beyond ASCII count by bytes.
static std::string cut(const std::string &text, size_t columns) {
  return text.size() <= columns ? text : text.substr(0, columns - 3) + "...";
}

static void printTable(const TimingComparison &all) {
  std::printf("%10s %10s %6s %13s %-7s command\n", "before us", "after us",
              "ratio", "95 %", "");
  for (const TimingPair &pair : all.pairs) {
    std::string range = std::isfinite(pair.low)
                            ? format("%.2f to %.2f", pair.low, pair.high)
                            : "-";
    std::string name = pair.before.command;
    if (pair.before.backend != "boo")
      name = "[" + pair.before.backend + "] " + name;
    std::printf(
        "%10s %10s %6s %13s %-7s %s\n", time(pair.before.middle()).c_str(),
        time(pair.after.middle()).c_str(), figure("%.3f", pair.ratio).c_str(),
        range.c_str(), std::string(verdictName(pair.verdict)).c_str(),
        cut(name, 29).c_str());
  }
}

static size_t count(const TimingComparison &all, PairVerdict verdict) {
  return size_t(std::count_if(
      all.pairs.begin(), all.pairs.end(),
      [&](const TimingPair &pair) { return pair.verdict == verdict; }));
}

static void printSummary(const TimingComparison &all) {
  std::printf("%zu pairs", all.pairs.size());
  for (PairVerdict verdict :
       {PairVerdict::Slower, PairVerdict::Broken, PairVerdict::Faster,
        PairVerdict::Mended, PairVerdict::Unsure, PairVerdict::Failed})
    if (size_t n = count(all, verdict))
      std::printf(", %zu %s", n, std::string(verdictName(verdict)).c_str());
  if (std::isfinite(all.meanRatio))
    std::printf("; geometric mean of %zu ratios %.3f", all.timed,
                all.meanRatio);
  if (std::isfinite(all.spread))
    std::printf(" (times or by %.3f)", all.spread);
  std::printf("\n");
  for (const TimingPair &pair : all.pairs) {
    if (!pair.regressed())
      continue;
    std::string text = std::string(verdictName(pair.verdict)) + " [" +
                       pair.after.backend + "]: " + pair.after.command;
    text += pair.verdict == PairVerdict::Slower
                ? format(": %.2f times as long (p = %.1g)", pair.ratio, pair.p)
                : ": " + pair.after.error;
    std::fputs(wrapText(text, 2, 0).c_str(), stdout);
  }
}

/// What does not show in the table.
static void printNotes(const TimingComparison &all) {
  auto note = [](const std::string &text) {
    std::fputs(("boo: note: " + wrapText(text, 2, 11)).c_str(), stderr);
  };
  for (const Timing &each : all.onlyBefore)
    note("only in the first table: [" + each.backend + "] " + each.command);
  for (const Timing &each : all.onlyAfter)
    note("only in the second table: [" + each.backend + "] " + each.command);
  size_t differ = size_t(std::count_if(
      all.pairs.begin(), all.pairs.end(), [](const TimingPair &pair) {
        return std::isfinite(pair.ratio) &&
               pair.before.threads != pair.after.threads;
      }));
  if (differ)
    note(std::to_string(differ) +
         " pairs ran with different numbers of threads");
  if (size_t unsure = count(all, PairVerdict::Unsure))
    note(std::to_string(unsure) + " ratios are of single runs, which prove "
                                  "nothing: leave --iter away");
}

static Status writeCsv(const std::string &path, const TimingComparison &all) {
  auto cell = [](double value) { return figure("%.6g", value); };
  std::string text = csvLine(std::vector<std::string>{
      "arguments", "backend", "before_us", "after_us", "ratio", "ratio_low",
      "ratio_high", "p", "verdict"});
  for (const TimingPair &pair : all.pairs)
    text += csvLine(std::vector<std::string>{
        pair.before.command, pair.before.backend, cell(pair.before.middle()),
        cell(pair.after.middle()), cell(pair.ratio), cell(pair.low),
        cell(pair.high), cell(pair.p), std::string(verdictName(pair.verdict))});
  Status status = writeFile(path, text);
  return status.isOk() ? status : status.withContext("--csv");
}

static StatusOr<std::vector<Timing>> readTimings(const std::string &path) {
  BOO_ASSIGN_OR_RETURN(std::string text, readFile(path));
  auto timings = parseTimings(text);
  if (!timings.isOk())
    return timings.status().withContext(path);
  return timings;
}

int boo::compareCommand(std::span<const std::string> arguments) {
  std::string beforePath, afterPath, csv;
  double threshold = 0.05;
  CLI::App app("Compares the times of two tables that boo driver --csv wrote.",
               "boo compare");
  app.add_option("BEFORE", beforePath, "the earlier table")->required();
  app.add_option("AFTER", afterPath, "the later one")->required();
  app.add_option("--threshold", threshold,
                 "the least change that counts, 0.05 being 5 %\n[0.05]");
  app.add_option("--csv", csv, "write the comparison to this file");
  app.footer("A pair is SLOWER when its median grew by more than the threshold "
             "and a z\ntest at 1 % over all pairs (Bonferroni) rejects that it "
             "did not grow. A\ncommand that ran before and fails now is "
             "BROKEN.\n\nExit status: 0 neither SLOWER nor BROKEN; 1 some are; "
             "2 a usage error.\n\nExample:\n"
             "  boo driver --commands-file convs.txt -t 1 --csv before.csv\n"
             "  boo driver --commands-file convs.txt -t 1 --csv after.csv\n"
             "  boo compare before.csv after.csv");
  // CLI11 takes the arguments from the back.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!(threshold >= 0 && threshold < 100))
    return usageError("--threshold must lie between 0 and 100; 0.05 is 5 %");
  auto before = readTimings(beforePath), after = readTimings(afterPath);
  if (!before.isOk())
    return usageError(before.status().message());
  if (!after.isOk())
    return usageError(after.status().message());
  TimingComparison all = compareTimings(*before, *after, threshold);
  if (all.pairs.empty())
    return usageError("the tables have no command in common");
  printTable(all);
  printSummary(all);
  std::fflush(stdout);
  printNotes(all);
  bool regressed =
      std::any_of(all.pairs.begin(), all.pairs.end(),
                  [](const TimingPair &pair) { return pair.regressed(); });
  if (Status status = csv.empty() ? Status::ok() : writeCsv(csv, all);
      !status.isOk()) {
    std::fprintf(stderr, "boo: error: %s\n", status.message().c_str());
    return 1;
  }
  return regressed ? 1 : 0;
}
