//===- Files.cpp ----------------------------------------------------------===//

#include "boo/runtime/Files.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

FileHandle::~FileHandle() {
  if (Fd >= 0)
    ::close(Fd);
}

Status boo::systemError(const char *what, const std::string &path) {
  int error = errno;
  std::string message = std::string(what) + " " + path + ": ";
  char buffer[256];
  message += ::strerror_r(error, buffer, sizeof(buffer));
  bool absent = error == ENOENT || error == ENOTDIR || error == ESTALE;
  return {absent ? StatusCode::NotFound : StatusCode::IoError,
          std::move(message)};
}

Status boo::readAll(int fd, std::string *bytes) {
  struct stat info;
  if (::fstat(fd, &info) != 0)
    return systemError("stat", "file");
  bytes->resize(size_t(info.st_size));
  size_t done = 0;
  while (done < bytes->size()) {
    ssize_t n =
        ::pread(fd, bytes->data() + done, bytes->size() - done, off_t(done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return systemError("read", "file");
    if (n == 0)
      return ioError("the file shrank while it was read");
    done += size_t(n);
  }
  return Status::ok();
}

StatusOr<std::string> boo::readFile(const std::string &path) {
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.isOpen())
    return systemError("open", path);
  std::string bytes;
  Status status = readAll(file.fd(), &bytes);
  if (!status.isOk())
    return status.withContext(path);
  return bytes;
}

Status boo::writeFile(const std::string &path, std::string_view bytes,
                      bool sync) {
  FileHandle file(::open(path.c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                         0600));
  if (!file.isOpen())
    return systemError("create", path);
  while (!bytes.empty()) {
    ssize_t n = ::write(file.fd(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return systemError("write", path);
    bytes.remove_prefix(size_t(n));
  }
  if (sync && ::fsync(file.fd()) != 0)
    return systemError("sync", path);
  return Status::ok();
}

Status boo::makeDirectories(const std::string &path) {
  for (size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end);
    std::string part = path.substr(0, end);
    if (end != std::string::npos)
      ++end;
    struct stat info;
    if (::mkdir(part.c_str(), 0700) == 0)
      continue;
    // A parent on a read-only disk gives EROFS, one of a stranger EACCES, even
    // if it exists.
    int error = errno;
    if (::stat(part.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      errno = error == EEXIST ? ENOTDIR : error;
      return systemError("create folder", part);
    }
  }
  return Status::ok();
}

std::vector<std::string> boo::listDirectory(const std::string &path) {
  std::vector<std::string> names;
  DIR *dir = ::opendir(path.c_str());
  if (!dir)
    return names;
  while (const dirent *entry = ::readdir(dir)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..")
      names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

std::string boo::parentPath(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string boo::baseName(const std::string &path) {
  return path.substr(path.rfind('/') + 1);
}
