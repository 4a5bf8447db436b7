//===- Cache.cpp ----------------------------------------------------------===//

#include "boo/runtime/Cache.h"
#include "boo/base/Log.h"
#include "boo/runtime/FileLock.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Key.h"
#include "boo/runtime/Temporary.h"
#include "boo/runtime/Trust.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

using namespace boo;

double boo::nowMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Cache::Cache(std::string dir, std::vector<std::string> tiers)
    : Dir(std::move(dir)), Tiers(std::move(tiers)) {}

/// Says "used today" for gc, which removes what was not used for longest; the
/// disk is left alone when it already says so.
static void noteUse(const std::string &path) {
  constexpr time_t hour = 60 * 60;
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 ||
      ::time(nullptr) - info.st_atime < hour)
    return;
  timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  ::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

static std::optional<CachedArtifact> tryEntry(const std::string &path,
                                              const std::string &key) {
  double start = nowMs();
  // An entry that is replaced between check and load is worth another look.
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto artifact = loadArtifact(path, key);
    if (artifact.isOk()) {
      BOO_LOG(Debug, "cache hit: " + path);
      return CachedArtifact{std::move(*artifact),
                            {CacheOutcome::Hit, 0, nowMs() - start, path}};
    }
    if (artifact.status().code() == StatusCode::NotFound)
      return std::nullopt;
    if (attempt == 2 ||
        artifact.status().message().find("was replaced") == std::string::npos) {
      std::string message = "cache entry " + path +
                            " is not used: " + artifact.status().message();
      warnOnce(message, message);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

static void warnUncached(const std::string &dir, const Status &why) {
  warnOnce("uncached " + dir,
           "kernels are compiled without caching: " + why.message() +
               "; BOO_CACHE_DIR names another folder");
}

/// Whether entries can be taken from there; a warning says why not.
static bool canReadTier(const std::string &dir, bool isOwn) {
  Status trusted = checkTrusted(dir);
  if (trusted.isOk() || trusted.code() == StatusCode::NotFound)
    return trusted.isOk();
  if (isOwn)
    warnUncached(dir, trusted);
  else
    warnOnce("tier " + dir, "the cache in " + dir +
                                " is ignored: " + trusted.message() +
                                "; BOO_CACHE_PATH need not name it");
  return false;
}

/// Makes it if need be. In a folder like /tmp a stranger may be first.
static Status openOwnTier(const std::string &dir) {
  Status trusted = checkTrusted(dir);
  if (trusted.code() != StatusCode::NotFound)
    return trusted;
  BOO_RETURN_IF_ERROR(makeDirectories(dir));
  return checkTrusted(dir);
}

std::string
Cache::search(const std::string &key, const std::string &name,
              const std::function<bool(const std::string &)> &accept) const {
  std::string safe = safeName(name), file = "/" + key + ".so";
  for (size_t tier = 0; tier <= Tiers.size(); ++tier) {
    const std::string &dir = tier == 0 ? Dir : Tiers[tier - 1];
    if (!canReadTier(dir, tier == 0))
      continue;
    std::string path = dir + "/" + safe + file;
    bool found = accept(path);
    if (!found) {
      // Another front end may have given it another name.
      for (const std::string &other : listDirectory(dir)) {
        path = dir + "/" + other + file;
        if (other != safe && ::access(path.c_str(), F_OK) == 0)
          found = accept(path);
        if (found)
          break;
      }
    }
    if (found) {
      if (tier == 0)
        noteUse(path);
      return path;
    }
  }
  return "";
}

std::optional<CachedArtifact> Cache::find(const std::string &key,
                                          const std::string &name) const {
  std::optional<CachedArtifact> found;
  search(key, name, [&](const std::string &path) {
    found = tryEntry(path, key);
    return found.has_value();
  });
  return found;
}

bool Cache::contains(const std::string &key, const std::string &name) const {
  return !search(key, name, [&](const std::string &path) {
            return readArtifact(path, key).isOk();
          }).empty();
}

namespace {
struct KeyMutexes {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<std::mutex>> byPath;
};
} // namespace

static KeyMutexes *&keyMutexes() {
  static auto *table = new KeyMutexes;
  return table;
}

/// Threads of this process that want one key take turns even where file locks
/// do not work.
static std::shared_ptr<std::mutex> mutexOf(const std::string &path) {
  // In a child of fork() the holders do not exist and would never unlock: it
  // begins anew, and waits for its parent at the file lock.
  [[maybe_unused]] static const int forkHandler =
      ::pthread_atfork(nullptr, nullptr, [] { keyMutexes() = new KeyMutexes; });
  KeyMutexes &table = *keyMutexes();
  std::lock_guard guard(table.mutex);
  std::erase_if(table.byPath,
                [](const auto &item) { return item.second.expired(); });
  std::weak_ptr<std::mutex> &known = table.byPath[path];
  std::shared_ptr<std::mutex> mutex = known.lock();
  if (!mutex)
    known = mutex = std::make_shared<std::mutex>();
  return mutex;
}

/// 256 files, and in each a byte of its own for most keys.
static StatusOr<FileLock> lockKey(const std::string &dir,
                                  const std::string &key) {
  BOO_RETURN_IF_ERROR(makeDirectories(dir + "/locks"));
  return FileLock::acquire(dir + "/locks/" + key.substr(0, 2) + ".lock",
                           std::strtoll(key.substr(2, 7).c_str(), nullptr, 16),
                           "kernel " + key);
}

static bool isDiskFull(const std::string &folder) {
  struct statvfs info;
  if (::statvfs(folder.c_str(), &info) != 0)
    return false;
  // Where files are not counted, as on btrfs, both numbers of them are 0.
  bool noFiles = info.f_files > 0 && info.f_favail == 0;
  return noFiles || info.f_bavail * info.f_frsize < (1 << 20);
}

StatusOr<std::string> boo::makeEntryFolder(const std::string &dir,
                                           const std::string &name) {
  std::string folder = dir + "/" + safeName(name);
  BOO_RETURN_IF_ERROR(makeDirectories(folder));
  struct stat info;
  if (::stat(folder.c_str(), &info) == 0 && info.st_uid == ::geteuid() &&
      (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    BOO_LOG(Warning, "others could write to " + folder + ": no longer");
    if (::chmod(folder.c_str(), 0700) != 0)
      return systemError("change the mode of", folder);
  }
  return folder;
}

/// Renames a module in the entry's folder to its final name, and links to it.
static Status renameModule(const std::string &folder, const std::string &name,
                           const std::string &key, const std::string &mlir) {
  std::string entry = folder + "/" + key + ".mlir";
  if (::rename(mlir.c_str(), entry.c_str()) != 0)
    return systemError("rename to", entry);
  // A link is replaced by a rename too: readers never find it missing.
  std::string link = folder + "/" + temporaryName();
  std::string newest = folder + "/" + safeName(name) + ".mlir";
  if (::symlink((key + ".mlir").c_str(), link.c_str()) == 0 &&
      ::rename(link.c_str(), newest.c_str()) == 0)
    return Status::ok();
  Status status = systemError("link", newest);
  ::unlink(link.c_str());
  return status;
}

Status boo::publishFiles(const std::string &dir, const std::string &name,
                         const std::string &key, const std::string &artifact,
                         const std::string &mlir) {
  BOO_ASSIGN_OR_RETURN(std::string folder, makeEntryFolder(dir, name));
  if (!mlir.empty() && ::access(mlir.c_str(), F_OK) == 0)
    BOO_RETURN_IF_ERROR(renameModule(folder, name, key, mlir));
  // The contents were synced by sealing. The folder is not: should a crash
  // forget the name, the entry is compiled again.
  std::string entry = folder + "/" + key + ".so";
  if (::rename(artifact.c_str(), entry.c_str()) != 0)
    return systemError("rename to", entry);
  return Status::ok();
}

bool boo::hasModule(const std::string &dir, const std::string &name,
                    const std::string &key) {
  std::string path = dir + "/" + safeName(name) + "/" + key + ".mlir";
  return ::access(path.c_str(), R_OK) == 0;
}

Status boo::publishModule(const std::string &dir, const std::string &name,
                          const std::string &key, std::string_view text) {
  BOO_RETURN_IF_ERROR(openOwnTier(dir));
  BOO_ASSIGN_OR_RETURN(std::string folder, makeEntryFolder(dir, name));
  removeAbandoned(folder);
  std::string mlir = folder + "/" + temporaryName() + ".mlir";
  Status status = writeFile(mlir, text);
  if (status.isOk())
    status = renameModule(folder, name, key, mlir);
  if (!status.isOk())
    ::unlink(mlir.c_str());
  return status;
}

namespace {
/// Removes its files unless they were renamed away.
struct TemporaryFiles {
  std::string artifact, mlir;
  explicit TemporaryFiles(const std::string &folder) {
    std::string base = folder + "/" + temporaryName();
    artifact = base + ".so";
    mlir = base + ".mlir";
  }
  ~TemporaryFiles() {
    ::unlink(artifact.c_str());
    ::unlink(mlir.c_str());
  }
};
} // namespace

/// Compiles, seals, and checks that the result is what was asked for, so that
/// nothing unusable is ever published.
static Status compileAndSeal(const TemporaryFiles &files,
                             const std::string &key, const CompileFn &compile) {
  BOO_RETURN_IF_ERROR(compile(files.artifact, files.mlir));
  BOO_RETURN_IF_ERROR(sealArtifact(files.artifact));
  auto file = readArtifact(files.artifact, key);
  if (file.isOk() || file.status().code() == StatusCode::IoError)
    return file.status();
  return internalError("the compiler made an artifact that cannot be used: " +
                       file.status().message());
}

StatusOr<CachedArtifact> Cache::publish(const std::string &key,
                                        const std::string &name,
                                        const CompileFn &compile) const {
  double start = nowMs();
  BOO_ASSIGN_OR_RETURN(std::string folder, makeEntryFolder(Dir, name));
  removeAbandoned(folder);
  TemporaryFiles files(folder);
  // Its presence keeps a concurrent `boo cache clear` from removing the folder.
  BOO_RETURN_IF_ERROR(writeFile(files.artifact, ""));
  Status status = compileAndSeal(files, key, compile);
  if (!status.isOk()) {
    if (isDiskFull(folder))
      return ioError("no space left: " + status.message());
    return status;
  }
  BOO_RETURN_IF_ERROR(publishFiles(Dir, name, key, files.artifact, files.mlir));
  double compiled = nowMs();
  std::string path = folder + "/" + key + ".so";
  BOO_LOG(Info, "compiled " + safeName(name) + " in " +
                    std::to_string(int(compiled - start)) + " ms: " + path);
  auto found = tryEntry(path, key);
  if (!found)
    return ioError("the entry that was just published cannot be loaded");
  found->report.cache = CacheOutcome::Miss;
  found->report.compileMs = compiled - start;
  return std::move(*found);
}

StatusOr<CachedArtifact> Cache::obtain(const std::string &key,
                                       const std::string &name,
                                       const CompileFn &compile,
                                       bool recompile) const {
  if (!recompile)
    if (auto found = find(key, name))
      return std::move(*found);
  std::shared_ptr<std::mutex> mutex = mutexOf(Dir + "/" + key);
  std::lock_guard guard(*mutex);
  if (Status status = openOwnTier(Dir); !status.isOk()) {
    warnUncached(Dir, status);
    return compileUncached(key, compile);
  }
  auto lock = lockKey(Dir, key);
  if (!lock.isOk())
    BOO_LOG(Debug, "no lock: " + lock.status().message());
  // Whoever held the lock may have made the entry.
  if (!recompile)
    if (auto found = find(key, name))
      return std::move(*found);
  auto made = publish(key, name, compile);
  if (made.isOk() || (made.status().code() != StatusCode::IoError &&
                      made.status().code() != StatusCode::NotFound))
    return made;
  warnUncached(Dir, made.status());
  return compileUncached(key, compile);
}

static StatusOr<CachedArtifact> compileIn(const std::string &parent,
                                          const std::string &key,
                                          const CompileFn &compile) {
  double start = nowMs();
  removeAbandoned(parent);
  std::string folder = parent + "/" + temporaryName() + "-XXXXXX";
  if (!::mkdtemp(folder.data()))
    return systemError("create a folder in", parent);
  struct Remove {
    const std::string &folder;
    ~Remove() { removeFlatDirectory(folder); }
  } remove{folder};
  TemporaryFiles files(folder);
  BOO_RETURN_IF_ERROR(compileAndSeal(files, key, compile));
  double compiled = nowMs();
  BOO_ASSIGN_OR_RETURN(std::shared_ptr<const Artifact> artifact,
                       loadArtifact(files.artifact, key));
  return CachedArtifact{
      std::move(artifact),
      {CacheOutcome::Off, compiled - start, nowMs() - compiled, ""}};
}

StatusOr<CachedArtifact> boo::compileUncached(const std::string &key,
                                              const CompileFn &compile) {
  Status first;
  // A folder can be full, read-only or mounted noexec.
  std::vector<std::string> tried;
  for (const std::string &parent :
       {env().tmpDir, std::string("/tmp"), std::string("/var/tmp"),
        std::string("/dev/shm")}) {
    if (std::find(tried.begin(), tried.end(), parent) != tried.end())
      continue;
    tried.push_back(parent);
    auto made = compileIn(parent, key, compile);
    bool folderFailed =
        !made.isOk() &&
        (made.status().code() == StatusCode::IoError ||
         made.status().code() == StatusCode::NotFound || isDiskFull(parent));
    if (!folderFailed)
      return made;
    BOO_LOG(Debug,
            "cannot compile in " + parent + ": " + made.status().message());
    if (first.isOk())
      first = made.status();
  }
  return first;
}
