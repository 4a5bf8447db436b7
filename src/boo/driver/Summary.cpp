//===- Summary.cpp - What a file of commands came to ----------------------===//

#include "boo/driver/Summary.h"
#include "boo/driver/commands/Flags.h"

#include <algorithm>

using namespace boo;

void Summary::add(const std::vector<RunResult> &results, bool fromState) {
  bool bad = std::any_of(results.begin(), results.end(),
                         [](const RunResult &r) { return r.failed(); });
  ++(bad ? failed : passed);
  skipped += fromState;
  if (!fromState)
    for (const RunResult &result : results) {
      cached += result.cache == "hit";
      compiled += std::isfinite(result.compileMs);
    }
}

static std::string durationText(double seconds) {
  char text[40];
  int64_t whole = int64_t(seconds);
  if (seconds < 600)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld",
                  (long long)whole / 3600, (long long)whole / 60 % 60,
                  (long long)whole % 60);
  return text;
}

std::string Summary::text() const {
  const std::string rule = std::string(80, '-') + "\n";
  std::string text = std::to_string(done()) + " of " + std::to_string(lines) +
                     " commands ran, " + std::to_string(failed) + " failed" +
                     (interrupted ? " (interrupted)\n" : "\n");
  char table[200];
  std::snprintf(table, sizeof table,
                "%9s%9s%9s%9s%9s%10s%12s\n%9zu%9zu%9zu%9zu%9zu%10zu%12s\n",
                "passed", "failed", "skipped", "not run", "cached", "compiled",
                "time", passed, failed, skipped, lines - done(), cached,
                compiled, durationText(seconds).c_str());
  text += table;
  if (failures.empty())
    return text;
  text += rule;
  for (const Failure &failure : failures) {
    text += wrapText(failure.what, 2, 0) + "  " + wrapText(failure.why, 2, 2);
    // One line, however long: it is there to be copied.
    text += "  repeat with: " + failure.repro + "\n" + rule;
  }
  return text;
}
