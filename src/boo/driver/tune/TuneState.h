//===- TuneState.h - What an interrupted search goes on from ----*- C++ -*-===//
//
// A JSON object a line: first {"boo_tune_state": 1, "build": "…"}, then a Trial
// with the field "kernel" for each comparison that was made. A search whose
// outcomes are known comes back to where it stopped (Search.h).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/driver/AppendFile.h"
#include "boo/driver/tune/Trial.h"

#include <map>
#include <vector>

namespace boo {

class TuneState {
public:
  /// Makes the file, or takes over what it holds. That of another `build` is an
  /// error unless `restart` empties it; a file that is no such state is one in
  /// either case, and left alone.
  Status open(const std::string &path, const std::string &build, bool restart);

  /// Trials of a kernel in the order in which they were made.
  const std::vector<Trial> &trials(const std::string &kernel);
  /// Returns when it is on the disk.
  Status add(const std::string &kernel, const Trial &trial);

private:
  Status parse(const std::string &text, const std::string &build,
               size_t *soundBytes);

  AppendFile File;
  std::map<std::string, std::vector<Trial>> Trials;
};

} // namespace boo
