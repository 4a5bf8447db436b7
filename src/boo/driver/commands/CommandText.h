//===- CommandText.h - Command lines as text --------------------*- C++ -*-===//
//
// Splits and joins command lines as a shell does (Python's shlex), and reads
// files of them.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <span>
#include <string>
#include <vector>

namespace boo {

/// Splits at blanks; quotes and backslashes as in POSIX shells. No comments.
StatusOr<std::vector<std::string>> splitCommand(std::string_view text);

/// One command line that splits into these tokens again.
std::string joinCommand(std::span<const std::string> tokens);

/// One line of a commands file.
struct FileLine {
  size_t number = 0; ///< from 1
  std::string text;  ///< as it stands there
  std::vector<std::string> tokens;
  Status status; ///< why it could not be split
};

/// Lines of a commands file. Blank lines and those whose first character is #
/// are left out. With `tabs` (a .tsv file) lines split at tabs; one without a
/// tab splits as a command.
std::vector<FileLine> splitCommandsFile(std::string_view text, bool tabs);

/// Reads `path`, "-" being stdin.
StatusOr<std::vector<FileLine>> readCommandsFile(const std::string &path);

} // namespace boo
