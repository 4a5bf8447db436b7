//===- ProgramLine.h - Programs that take a list of commands ----*- C++ -*-===//
//
// `boo preload`, `boo generate` and `boo numerics` are called alike:
//
//   boo PROGRAM [FLAGS] FILE [FLAGS]      a file as --commands-file takes it
//   boo PROGRAM [FLAGS] COMMAND …         one command of `boo driver`
//
// FLAGS are the program's own, those of the driver, and beside a FILE those of
// operations: all but the program's own are appended to each line, and win.
// Behind a COMMAND letters are the operation's; long flags may be any.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/CompileFlags.h"
#include "boo/driver/commands/CommandText.h"

namespace boo {

struct ProgramLine {
  FlagValues own;
  DriverValues driver; ///< those given beside the commands
  std::string file;    ///< "" when a command was given
  std::vector<FileLine> lines;
  std::vector<std::string> outside; ///< goes behind each line
  bool help = false;                ///< nothing else was looked at
};

/// `program` is what messages call it. Errors are usage errors.
StatusOr<ProgramLine> parseProgram(std::string_view program,
                                   std::span<const std::string> tokens,
                                   FlagTable own);

/// A launch of a line with all that is needed to compile it, or why it is not
/// to be had.
struct PlannedCommand {
  std::string where; ///< "line 7", or "" for a single command
  std::string text;  ///< the command without flags of the driver
  std::string name;  ///< func_name, or the text of a line that is wrong
  std::string repro; ///< the line of `boo driver` that repeats it
  CommandLine line;
  CommandGraph command;
  CompileOptions options;
  Status status;
};
/// All launches of all lines: most lines have one, those whose directions are
/// launched apart several. `notes` gets what is to be said once of flags
/// without effect.
std::vector<PlannedCommand> planCommands(const ProgramLine &program,
                                         const std::string &cacheDir,
                                         bool compileOnly,
                                         std::vector<std::string> *notes);

/// Whether the call is for one launch, with which all is wrong that is wrong
/// with the launch.
inline bool isSingle(const ProgramLine &program,
                     std::span<const PlannedCommand> commands) {
  return program.file.empty() && commands.size() == 1;
}

/// For each flag of the driver that was given and is not in `used`: "--time
/// (-t) is ignored: WHY".
std::vector<std::string> idleFlags(const DriverValues &driver,
                                   std::span<const DriverFlag> used,
                                   std::string_view why);

/// Help on those flags of the driver.
std::string describeDriverFlags(std::span<const DriverFlag> flags);

/// "boo: error: …" on stderr; the exit status, 2 for what is wrong in the call.
int programError(const Status &status);
/// Each different note once, on stderr.
void printNotes(std::vector<std::string> notes);

/// "Failures:", and for each failed command `name  :  reason` and the line that
/// repeats it; nothing when there is none.
struct ProgramFailure {
  std::string where, name, reason, repro;
};
std::string failureList(std::span<const ProgramFailure> failures);
ProgramFailure failureOf(const PlannedCommand &command, const Status &status);

} // namespace boo
