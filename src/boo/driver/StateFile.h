//===- StateFile.h - The file of --state ------------------------*- C++ -*-===//
#pragma once

#include "boo/driver/AppendFile.h"
#include "boo/driver/records/StateText.h"

#include <map>
#include <vector>

namespace boo {

/// Lines that are done, on the disk: what was added survives the end of the
/// program, however it ends. One process at a time.
class StateFile {
public:
  /// Makes the file, or takes over what it holds. A file of another `head` is
  /// an error, unless `restart` empties it; one that holds something else is an
  /// error in either case.
  Status open(const std::string &path, const StateHead &head, bool restart);
  bool isOpen() const { return File.isOpen(); }

  /// The results of a command that is done; of one that stands in the file of
  /// commands several times, those of each in turn. Empty when there are none.
  std::vector<RunResult> take(const std::string &key);
  /// Returns when it is on the disk.
  Status add(const StateEntry &entry);

private:
  Status read(const StateHead &head, bool restart);

  AppendFile File;
  std::multimap<std::string, std::vector<RunResult>> Done;
};

} // namespace boo
