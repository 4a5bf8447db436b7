//===- CacheTools.h - Looking after a cache folder --------------*- C++ -*-===//
//
// What `boo cache` does. Nothing here touches a file that is not recognised as
// the cache's own: <name>/<key>.so, <name>/<key>.mlir, the link
// <name>/<name>.mlir, and temporaries of dead processes. Other processes may
// use the cache meanwhile: what they lose is a miss for them.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/abi/Manifest.h"

namespace boo {

struct CacheEntry {
  std::string name, key;
  std::string path;       ///< of the .so
  int64_t bytes = 0;      ///< with its .mlir
  int64_t ageSeconds = 0; ///< since it was published
  int64_t lastUse = 0;    ///< seconds since the epoch, to the hour
  Status status;          ///< why it cannot be used
  Manifest manifest;      ///< if it can
};

/// Every entry, verified, by name and key.
std::vector<CacheEntry> listCache(const std::string &dir);

struct CacheChange {
  int64_t removedEntries = 0, removedBytes = 0;
  int64_t keptEntries = 0, keptBytes = 0;
};

/// Removes what cannot be used and then what was not used for longest, until
/// at most `maxBytes` are left.
CacheChange trimCache(const std::string &dir, int64_t maxBytes);

/// Removes all entries, and the folders that are then empty.
CacheChange clearCache(const std::string &dir);

/// "500", "64K", "100M", "1G", "2T" (powers of 1024; a B or iB may follow).
StatusOr<int64_t> parseSize(std::string_view text);

struct ArchiveReport {
  int64_t entries = 0;            ///< written, or published
  int64_t present = 0;            ///< import: already there
  std::vector<std::string> notes; ///< what was left out, and why
};

/// Writes every usable entry into one file, which `tar` can read.
StatusOr<ArchiveReport> exportCache(const std::string &dir,
                                    const std::string &file);
/// Publishes the entries of such a file, each verified before it is seen.
StatusOr<ArchiveReport> importCache(const std::string &dir,
                                    const std::string &file);

} // namespace boo
