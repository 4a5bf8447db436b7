//===- StateText.h - What --state keeps -------------------------*- C++ -*-===//
//
// Text with a JSON object a line: first one that names build and flags, then
// one for each line of the commands file that is done. A program that is killed
// while it appends leaves a line without its newline, which does not count.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/records/RunResult.h"

namespace boo {

/// What must agree for results to be taken over.
struct StateHead {
  std::string build; ///< of program and compiler
  std::string flags; ///< all that bears on the results, of all lines

  bool operator==(const StateHead &) const = default;
};

/// A line that is done.
struct StateEntry {
  std::string key;                ///< stateKey() of its command
  std::vector<RunResult> results; ///< one for each backend, in their order
};

struct StateText {
  StateHead head;
  std::vector<StateEntry> entries;
  size_t soundBytes = 0; ///< up to the end of the last whole line
};

/// Tells commands apart by all their bytes: a hash.
std::string stateKey(std::string_view command);

/// Lines with their newlines.
std::string printStateHead(const StateHead &head);
std::string printStateEntry(const StateEntry &entry);

/// The error tells the line at fault. A text without a whole line is empty, and
/// has no head.
StatusOr<StateText> parseState(std::string_view text);

} // namespace boo
