//===- Files.h - Small file operations with reasons -------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <vector>

namespace boo {

/// An open file descriptor, closed by its destructor.
class FileHandle {
public:
  explicit FileHandle(int fd = -1) : Fd(fd) {}
  FileHandle(FileHandle &&other) noexcept : Fd(std::exchange(other.Fd, -1)) {}
  FileHandle &operator=(FileHandle &&other) noexcept {
    std::swap(Fd, other.Fd);
    return *this;
  }
  ~FileHandle();

  int fd() const { return Fd; }
  bool isOpen() const { return Fd >= 0; }
  /// Leaves the descriptor to others.
  void forget() { Fd = -1; }

private:
  int Fd;
};

/// "open /a/b: Permission denied", from errno. NotFound when there is no such
/// file (any more), else IoError.
Status systemError(const char *what, const std::string &path);

/// All bytes from the start of an open file.
Status readAll(int fd, std::string *bytes);
StatusOr<std::string> readFile(const std::string &path);
/// Writes a file of mode 0600, replacing an existing one's contents. `sync`
/// waits until they are on the disk.
Status writeFile(const std::string &path, std::string_view bytes,
                 bool sync = false);

/// Makes the folder and its missing parents, mode 0700.
Status makeDirectories(const std::string &path);

/// Names in a folder, sorted, without . and ..; empty when it cannot be read.
std::vector<std::string> listDirectory(const std::string &path);

/// The part before the last slash ("." without one), and the part after it.
std::string parentPath(const std::string &path);
std::string baseName(const std::string &path);

} // namespace boo
