//===- AppendFile.cpp -----------------------------------------------------===//

#include "boo/driver/AppendFile.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace boo;

Status AppendFile::open(const std::string &path, std::string what) {
  Path = path;
  What = std::move(what);
  File = FileHandle(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!File.isOpen())
    return systemError((What + ": open").c_str(), path);
  // A lock of this process alone: workers, which may outlive it for a moment,
  // do not hold it.
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(File.fd(), F_SETLK, &lock) == 0 ||
      (errno != EAGAIN && errno != EACCES))
    return Status::ok();
  close();
  return ioError(What + " " + path + ": another run is using it");
}

StatusOr<std::string> AppendFile::read() const {
  std::string text;
  BOO_RETURN_IF_ERROR(readAll(File.fd(), &text));
  return text;
}

Status AppendFile::keep(size_t bytes) {
  if (::ftruncate(File.fd(), off_t(bytes)) != 0 ||
      ::lseek(File.fd(), 0, SEEK_END) < 0)
    return systemError((What + ": write").c_str(), Path);
  return Status::ok();
}

Status AppendFile::append(std::string_view text) {
  off_t before = ::lseek(File.fd(), 0, SEEK_END);
  Status status = before < 0 ? systemError((What + ": write").c_str(), Path)
                             : writeAll(text);
  // The beginning of a line, as a full disk leaves it, would be read as one.
  if (!status.isOk() && before >= 0)
    (void)keep(size_t(before));
  return status;
}

Status AppendFile::writeAll(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    ssize_t n = ::write(File.fd(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return systemError((What + ": write").c_str(), Path);
    rest.remove_prefix(size_t(n));
  }
  if (::fsync(File.fd()) != 0)
    return systemError((What + ": write").c_str(), Path);
  return Status::ok();
}
