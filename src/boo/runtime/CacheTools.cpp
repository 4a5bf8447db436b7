//===- CacheTools.cpp -----------------------------------------------------===//

#include "boo/runtime/CacheTools.h"
#include "boo/runtime/Artifact.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Key.h"
#include "boo/runtime/Temporary.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

/// Folders that can hold entries. A link to a folder is not the cache's own.
static std::vector<std::string> entryFolders(const std::string &dir) {
  std::vector<std::string> names;
  for (const std::string &name : listDirectory(dir)) {
    struct stat info;
    if (safeName(name) == name &&
        ::lstat((dir + "/" + name).c_str(), &info) == 0 &&
        S_ISDIR(info.st_mode))
      names.push_back(name);
  }
  return names;
}

/// The key if `file` is `<key><suffix>`, else "".
static std::string keyOfFile(const std::string &file, std::string_view suffix) {
  if (!file.ends_with(suffix))
    return "";
  std::string key = file.substr(0, file.size() - suffix.size());
  return isKey(key) ? key : "";
}

static CacheEntry inspect(const std::string &dir, const std::string &name,
                          const std::string &key) {
  CacheEntry entry;
  entry.name = name;
  entry.key = key;
  entry.path = dir + "/" + name + "/" + key + ".so";
  struct stat info;
  if (::lstat(entry.path.c_str(), &info) == 0) {
    entry.bytes = info.st_size;
    entry.ageSeconds = std::max<int64_t>(0, ::time(nullptr) - info.st_mtime);
    entry.lastUse = std::max(info.st_atime, info.st_mtime);
  }
  std::string mlir = dir + "/" + name + "/" + key + ".mlir";
  if (::lstat(mlir.c_str(), &info) == 0)
    entry.bytes += info.st_size;
  auto file = readArtifact(entry.path, key);
  if (file.isOk())
    entry.manifest = std::move(file->manifest);
  else
    entry.status = file.status();
  return entry;
}

std::vector<CacheEntry> boo::listCache(const std::string &dir) {
  std::vector<CacheEntry> entries;
  for (const std::string &name : entryFolders(dir))
    for (const std::string &file : listDirectory(dir + "/" + name))
      if (std::string key = keyOfFile(file, ".so"); !key.empty())
        entries.push_back(inspect(dir, name, key));
  return entries;
}

/// Removes what belongs to no entry any more, and the folder if that leaves it
/// empty. `emptied` says that an entry was removed from it: a folder that never
/// held anything of BOO's may be anybody's.
static void tidyFolder(const std::string &dir, const std::string &name,
                       bool emptied) {
  std::string folder = dir + "/" + name;
  emptied |= removeAbandoned(folder) > 0;
  for (const std::string &file : listDirectory(folder)) {
    std::string key = keyOfFile(file, ".mlir");
    if (!key.empty() &&
        ::access((folder + "/" + key + ".so").c_str(), F_OK) != 0)
      emptied |= ::unlink((folder + "/" + file).c_str()) == 0;
  }
  // Only now does the link to the newest module show whether it dangles.
  struct stat info;
  std::string link = folder + "/" + name + ".mlir";
  if (::lstat(link.c_str(), &info) == 0 && S_ISLNK(info.st_mode) &&
      ::stat(link.c_str(), &info) != 0)
    emptied |= ::unlink(link.c_str()) == 0;
  if (emptied)
    ::rmdir(folder.c_str());
}

CacheChange boo::trimCache(const std::string &dir, int64_t maxBytes) {
  std::vector<CacheEntry> entries = listCache(dir);
  std::sort(entries.begin(), entries.end(), [](const auto &a, const auto &b) {
    if (a.status.isOk() != b.status.isOk())
      return !a.status.isOk();
    return a.lastUse < b.lastUse;
  });
  int64_t total = 0;
  for (const CacheEntry &entry : entries)
    total += entry.bytes;
  CacheChange change;
  std::set<std::string> emptied;
  for (const CacheEntry &entry : entries) {
    bool remove = !entry.status.isOk() || total > maxBytes;
    if (remove && ::unlink(entry.path.c_str()) == 0) {
      emptied.insert(entry.name);
      total -= entry.bytes;
      ++change.removedEntries;
      change.removedBytes += entry.bytes;
    } else {
      ++change.keptEntries;
      change.keptBytes += entry.bytes;
    }
  }
  removeAbandoned(dir);
  for (const std::string &name : entryFolders(dir))
    tidyFolder(dir, name, emptied.count(name) != 0);
  return change;
}

CacheChange boo::clearCache(const std::string &dir) {
  return trimCache(dir, -1);
}

StatusOr<int64_t> boo::parseSize(std::string_view text) {
  double value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, size_t(text.data() + text.size() - end));
  while (!unit.empty() && unit.front() == ' ')
    unit.remove_prefix(1);
  int shift = 0;
  constexpr std::string_view letters = "KMGT";
  if (!unit.empty()) {
    size_t at = letters.find(char(unit.front() & ~0x20));
    if (at != std::string_view::npos) {
      shift = 10 * int(at + 1);
      unit.remove_prefix(1);
      if (!unit.empty() && unit.front() == 'i' && unit.size() == 2)
        unit.remove_prefix(1);
    }
  }
  bool unitIsGood = unit.empty() || unit == "B" || unit == "b";
  double bytes = value * double(int64_t(1) << shift);
  if (error != std::errc() || !unitIsGood || !(value >= 0) || bytes > 0x1p62)
    return invalidArgument("bad size '" + std::string(text) +
                           "': expected a number of bytes, with K, M, G or T "
                           "for powers of 1024");
  return int64_t(bytes);
}
