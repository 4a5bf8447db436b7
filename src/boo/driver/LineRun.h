//===- LineRun.h - A command line, run and told of --------------*- C++ -*-===//
#pragma once

#include "boo/driver/RunCommand.h"

#include <functional>

namespace boo {

/// Who is told of a run: first that the command is sound and begins, with notes
/// about flags that have no effect, then the result. One that is rejected does
/// not begin.
struct LineListener {
  std::function<void(const std::vector<std::string> &notes)> onBegin;
  std::function<void(RunResult result)> onResult;
};

/// Runs `line` on `backend`. False when a kernel did what it must not, so that
/// this process' memory may be damaged.
bool runLine(const CommandLine &line, const std::string &backend,
             const SessionOptions &options, const LineListener &listener);

/// An error of a command that never came to run, as a result of its own.
RunResult failedResult(std::string command, std::string backend, Status status);
/// The same where no backend could run it.
RunResult rejectedResult(std::string command, std::string backend,
                         Status status);

} // namespace boo
