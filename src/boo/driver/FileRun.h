//===- FileRun.h - Lines of commands in workers -----------------*- C++ -*-===//
#pragma once

#include "boo/driver/Session.h"
#include "boo/driver/StateFile.h"

namespace boo {

/// A line of a commands file with the flags beside it: parsed, or the reason
/// why not.
struct ParsedLine {
  std::string where; ///< "line 7"; "" for the only command of a call
  std::string text;  ///< as it stands there, but for blanks
  std::optional<CommandLine> line;
  Status status;
};

/// Runs each line on each backend in a worker, so that a crash, a hang or the
/// want of memory costs that run alone, and reports all to `session` in the
/// order of lines and backends. Lines that `state` (if open) has are not run.
/// The error tells that no worker could be made.
Status runLines(Session &session, const std::vector<ParsedLine> &lines,
                StateFile &state);

/// What must agree for the results of a --state file to be taken over: program,
/// compiler, environment, backends, what is measured, and `flags`: those given
/// beside the file that bear on results.
StateHead stateHead(const Session &session, std::span<const std::string> flags);

} // namespace boo
