//===- TuneReport.cpp - What `boo tune` prints ----------------------------===//

#include "boo/driver/tune/TuneReport.h"
#include "boo/driver/ProgressBar.h"

#include <algorithm>
#include <cstdio>

using namespace boo;

template <typename... Args>
static std::string format(const char *pattern, Args... args) {
  char text[240];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string boo::commandText(const TunedKernel &kernel) {
  return kernel.where + (kernel.where.empty() ? "" : ": ") + kernel.command;
}

/// Whether the pair of the latest trial was found to be faster before.
static bool isSecondLook(const TunedKernel &kernel) {
  const Trial &last = kernel.trials.back();
  return std::any_of(kernel.trials.begin(), kernel.trials.end() - 1,
                     [&](const Trial &trial) {
                       return trial.schedule == last.schedule &&
                              trial.against == last.against &&
                              trial.outcome == TrialOutcome::Faster;
                     });
}

std::string boo::trialText(const TunedKernel &kernel) {
  const Trial &last = kernel.trials.back();
  std::string change = scheduleChange(last.schedule, last.against) + "\n";
  if (last.outcome == TrialOutcome::Failed)
    return "  failed: " + last.why.substr(0, last.why.find('\n')) + ": " +
           change;
  std::string ratio = format("  %.2f of %.2f us: ", last.ratio, last.againstUs);
  if (isSecondLook(kernel))
    return last.outcome == TrialOutcome::Faster
               ? ""
               : ratio + "not confirmed, taken back: " + change;
  return kernel.best() == &last ? ratio + change : "";
}

static std::string triedText(const TunedKernel &kernel) {
  return format("%zu tried, %zu failed%s%s\n", kernel.tried(), kernel.failed(),
                kernel.exhausted ? ", nothing left to try" : "",
                kernel.fromState ? " (in earlier runs)" : "");
}

/// A word on times that the next run will not repeat.
static std::string noiseText(const TunedKernel &kernel) {
  double least = INFINITY, most = 0;
  for (const Trial &trial : kernel.trials)
    if (trial.against == kernel.trials.front().against &&
        std::isfinite(trial.againstUs)) {
      least = std::min(least, trial.againstUs);
      most = std::max(most, trial.againstUs);
    }
  if (most <= 1.5 * least)
    return "";
  return format("  this machine is not quiet: the same kernel took from %.2f "
                "to %.2f us\n",
                least, most);
}

std::string boo::endText(const TunedKernel &kernel) {
  if (!kernel.status.isOk())
    return "  FAILED: " + kernel.status.message() + "\n";
  if (const Trial *best = kernel.best())
    return format("  tuned: %.2f us -> %.2f us (%.2f); ", best->againstUs,
                  best->us, best->ratio) +
           triedText(kernel) + noiseText(kernel);
  std::string found = "  nothing clearly faster";
  if (std::isfinite(kernel.untunedUs()))
    found += format(" than %.2f us", kernel.untunedUs());
  return found + "; " + triedText(kernel) + noiseText(kernel);
}

/// "7" of "line 7".
static std::string lineNumber(const TunedKernel &kernel) {
  size_t blank = kernel.where.find(' ');
  return blank == std::string::npos ? "" : kernel.where.substr(blank + 1);
}

static std::string row(const TunedKernel &kernel) {
  auto figure = [](double us, const char *absent) {
    return std::isfinite(us) ? format("%.2f", us) : std::string(absent);
  };
  const Trial *best = kernel.best();
  std::string text =
      format("%7s %11s %11s %6s %6zu %6zu  ", lineNumber(kernel).c_str(),
             figure(kernel.untunedUs(), "-").c_str(),
             figure(best ? best->us : NAN, "-").c_str(),
             figure(best ? best->ratio : NAN, "-").c_str(), kernel.tried(),
             kernel.failed());
  std::string command = kernel.command;
  if (kernel.alsoNeeded != 0)
    command = format("(and %zu more) ", kernel.alsoNeeded) + command;
  constexpr size_t columns = 80;
  if (text.size() + command.size() >= columns)
    command = command.substr(0, columns - 4 - text.size()) + "...";
  return text + command + "\n";
}

std::string boo::tuneTable(std::span<const TunedKernel> kernels) {
  std::string text =
      format("%7s %11s %11s %6s %6s %6s  %s\n", "line", "untuned us",
             "tuned us", "ratio", "tried", "failed", "command");
  for (const TunedKernel &kernel : kernels)
    text += row(kernel);
  return text;
}

std::string boo::tuneBar(const TuneRun &run, double budget, size_t columns) {
  size_t ended = 0, tried = 0, failed = 0, faster = 0;
  for (const TunedKernel &kernel : run.kernels()) {
    ended += kernel.ended;
    tried += kernel.tried();
    failed += kernel.failed();
    faster += kernel.best() != nullptr;
  }
  size_t all = run.kernels().size();
  double spent = std::min(run.seconds(), budget);
  std::string parts[] = {
      format("%zu/%zu kernels", ended, all),
      format("%zu faster", faster),
      format("%zu tried", tried),
      format("%zu failed", failed),
      durationText(budget - spent) + " left",
  };
  // Kernels with nothing left to try leave their time to the others.
  double fraction = std::max(double(ended) / double(std::max<size_t>(all, 1)),
                             spent / budget);
  return barLine(fraction, parts, columns);
}
