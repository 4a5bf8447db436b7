//===- Session.h - One call of `boo driver` ---------------------*- C++ -*-===//
#pragma once

#include "boo/driver/Report.h"
#include "boo/driver/commands/CommandText.h"

#include <set>

namespace boo {

/// Runs commands one after the other, reports each, and sums up at the end.
class Session {
public:
  /// `flags` are those that concern all commands. An error is a usage error.
  Status open(const DriverValues &flags);

  /// The only command of this call.
  int runSingle(const CommandLine &line);
  /// The lines of a commands file, each followed by the flags `outside` it.
  int runFile(const std::vector<FileLine> &lines,
              std::span<const std::string> outside);

private:
  struct Failure {
    std::string what, why, repro;
  };

  /// False when Ctrl-C cut it short.
  bool runLine(const CommandLine &line, const std::string &where);
  bool runLaunch(const CommandLine &line, const std::string &where);
  /// A command that never came to run.
  void rejectLine(const std::string &text, const Status &status,
                  const std::string &where);
  void report(const CommandLine &line, const RunResult &result);
  void fail(const std::string &where, const RunResult &result);
  void note(const std::string &message);
  void writeCsv(const std::vector<RunResult> &results);
  void showProgress(size_t index, size_t count, const std::string &text);
  void hideProgress();
  void printSummary(size_t done, size_t count) const;
  int exitStatus(bool single) const;

  SessionOptions Options;
  std::vector<std::string> Backends;
  bool Quiet = false, More = false, Progress = false;
  CsvReport Csv;
  std::vector<Failure> Failures;
  Status First; ///< the first failure's status
  std::set<std::string> Noted;
};

} // namespace boo
