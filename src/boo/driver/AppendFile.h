//===- AppendFile.h - A file that grows line by line ------------*- C++ -*-===//
#pragma once

#include "boo/runtime/Files.h"

#include <string>
#include <string_view>

namespace boo {

/// What was appended is on the disk and survives the end of the program,
/// however it ends. One process at a time.
class AppendFile {
public:
  /// Opens or makes the file; `what` begins the messages: "--state".
  Status open(const std::string &path, std::string what);
  bool isOpen() const { return File.isOpen(); }
  void close() { File = FileHandle(); }
  const std::string &path() const { return Path; }

  StatusOr<std::string> read() const;
  /// Drops all behind the first `bytes`; what is appended follows them.
  Status keep(size_t bytes);
  /// All of `text`, or nothing of it and the reason why.
  Status append(std::string_view text);

private:
  Status writeAll(std::string_view text);

  FileHandle File;
  std::string Path, What;
};

} // namespace boo
