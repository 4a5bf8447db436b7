//===- Trust.cpp ----------------------------------------------------------===//

#include "boo/runtime/Trust.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

Status boo::checkOwner(const struct stat &info, const std::string &what) {
  uid_t self = ::geteuid();
  if (info.st_uid != self && info.st_uid != 0)
    return ioError(what + " belongs to user " + std::to_string(info.st_uid) +
                   ", neither to user " + std::to_string(self) +
                   " nor to root");
  if (info.st_mode & (S_IWGRP | S_IWOTH)) {
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%04o", unsigned(info.st_mode & 07777));
    return ioError(what + " has mode " + mode + ": others may write to it");
  }
  return Status::ok();
}

static Status checkFolder(struct stat info, const std::string &path) {
  if (!S_ISDIR(info.st_mode)) {
    errno = ENOTDIR;
    return systemError("open folder", path);
  }
  // Others may add to a sticky folder, and not move or remove what is ours.
  if (info.st_mode & S_ISVTX)
    info.st_mode &= ~mode_t(S_IWGRP | S_IWOTH);
  bool ownerFits = info.st_uid == ::geteuid() || info.st_uid == 0;
  Status status = checkOwner(info, path);
  if (!status.isOk() && ownerFits)
    return ioError(status.message() + " (chmod go-w " + path + ")");
  return status;
}

static StatusOr<std::string> readLink(const std::string &path) {
  char target[4096];
  ssize_t n = ::readlink(path.c_str(), target, sizeof(target));
  if (n < 0 || n == ssize_t(sizeof(target)))
    return systemError("read link", path);
  return std::string(target, size_t(n));
}

/// Resolves `dir` as the system does, and checks each step. realpath would name
/// only the folders at the end of links, not those that hold the links.
static Status walkTo(const std::string &dir) {
  std::string rest = dir, here; // "" is the root
  if (!dir.starts_with('/')) {
    char folder[4096];
    if (!::getcwd(folder, sizeof(folder)))
      return systemError("find the current folder for", dir);
    rest = std::string(folder) + "/" + dir;
  }
  struct stat info;
  if (::stat("/", &info) != 0)
    return systemError("stat", "/");
  BOO_RETURN_IF_ERROR(checkFolder(info, "/"));
  for (int links = 0; !rest.empty();) {
    size_t end = std::min(rest.find('/'), rest.size());
    std::string part = rest.substr(0, end);
    rest.erase(0, end + 1);
    if (part.empty() || part == ".")
      continue;
    if (part == "..") {
      here.erase(std::min(here.rfind('/'), here.size()));
      continue;
    }
    std::string path = here + "/" + part;
    if (::lstat(path.c_str(), &info) != 0)
      return systemError("stat", path);
    if (!S_ISLNK(info.st_mode)) {
      BOO_RETURN_IF_ERROR(checkFolder(info, path));
      here = path;
      continue;
    }
    info.st_mode &= ~mode_t(S_IWGRP | S_IWOTH); // a link's mode says nothing
    BOO_RETURN_IF_ERROR(checkOwner(info, "the link " + path));
    if (++links > 40)
      return ioError(path + " is one of too many links");
    BOO_ASSIGN_OR_RETURN(std::string target, readLink(path));
    if (target.starts_with('/'))
      here.clear();
    rest = target + "/" + rest;
  }
  return Status::ok();
}

namespace {
/// What a walk found, and the folder at its end.
struct Walked {
  dev_t device;
  ino_t inode;
  Status status;
};
} // namespace

static std::mutex walkedMutex;

// A child of fork() must not find the mutex held by a thread that does not
// exist there.
[[maybe_unused]] static const int forkHandler =
    ::pthread_atfork([] { walkedMutex.lock(); }, [] { walkedMutex.unlock(); },
                     [] { walkedMutex.unlock(); });

Status boo::checkTrusted(const std::string &dir) {
  struct stat info;
  // Nothing is remembered of a folder that does not exist: who makes it first
  // is not known yet.
  if (::stat(dir.c_str(), &info) != 0)
    return walkTo(dir);
  std::lock_guard lock(walkedMutex);
  static auto *walked = new std::map<std::string, Walked>;
  auto known = walked->find(dir);
  if (known != walked->end() && known->second.device == info.st_dev &&
      known->second.inode == info.st_ino)
    return known->second.status;
  Status status = walkTo(dir);
  walked->insert_or_assign(dir, Walked{info.st_dev, info.st_ino, status});
  return status;
}
