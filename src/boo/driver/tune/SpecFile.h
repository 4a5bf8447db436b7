//===- SpecFile.h - The tuning entries that a search writes -----*- C++ -*-===//
#pragma once

#include "boo/driver/AppendFile.h"
#include "boo/runtime/Tuning.h"

namespace boo {

/// The file of -o, which BOO_TUNING_SPEC_PATH takes at any time: entries are
/// appended whole. Those that it had stay; of equal ones the last counts.
class SpecFile {
public:
  /// Makes the file or goes on with it. One that holds something else than
  /// tuning entries is an error, and left alone.
  Status open(const std::string &path);
  const std::string &path() const { return File.path(); }

  /// Appends an entry unless the file has it already.
  Status add(const TuningEntry &entry);
  /// Removes the last entry for this kernel if it has this schedule.
  Status withdraw(const TuningEntry &entry);

private:
  AppendFile File;
  std::string Text; ///< all of it
};

} // namespace boo
