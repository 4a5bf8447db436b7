//===- Session.h - One call of `boo driver` ---------------------*- C++ -*-===//
#pragma once

#include "boo/driver/LineRun.h"
#include "boo/driver/Report.h"
#include "boo/driver/Summary.h"

#include <set>

namespace boo {

class StateFile;
struct ParsedLine;

/// Runs commands and reports each. The only command of a call runs in this
/// process unless it has a --timeout; all others run in workers (FileRun.h).
class Session {
public:
  /// `flags` are those that concern all commands. An error is a usage error.
  Status open(const DriverValues &flags);
  /// Empties the file of --csv, if any, and begins it.
  Status openTable(const DriverValues &flags);

  /// The launches of the only command of this call.
  int runSingle(const std::vector<ParsedLine> &launches);
  /// The lines of a commands file.
  int runFile(const std::vector<ParsedLine> &lines, StateFile &state);

  // What follows is for those that run the lines. `where` is "line 7", or "".

  const SessionOptions &options() const { return Options; }
  const std::vector<std::string> &backends() const { return Backends; }
  void note(const std::string &message);
  /// A command is sound and begins, on `backend`.
  void begin(const CommandLine &line, const std::string &backend,
             const std::vector<std::string> &notes);
  /// `line` is NULL for one that could not be parsed.
  void report(const CommandLine *line, const RunResult &result,
              const std::string &where);
  /// All of a line's results have been reported.
  void finish(const std::vector<RunResult> &results, bool fromState);
  void showProgress(size_t index, size_t count, const std::string &text);

private:
  void noteIdle(const DriverValues &flags);
  void runHere(const CommandLine &line);
  void hideProgress();
  void fail(const std::string &where, const RunResult &result);
  void printResult(const CommandLine &line, const RunResult &result);
  int exitStatus(bool single) const;

  SessionOptions Options;
  std::vector<std::string> Backends;
  bool Quiet = false, More = false, Progress = false;
  CsvReport Csv;
  Summary Totals;
  Status First; ///< the first failure's status
  std::set<std::string> Noted;
};

} // namespace boo
