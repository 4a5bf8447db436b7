//===- Cache.h - Artifacts on disk, shared by processes ---------*- C++ -*-===//
//
// <dir>/<name>/<key>.so, with <key>.mlir beside it and <name>.mlir a link to
// the newest. Only the key decides reuse: an entry is found under any name.
//
// One process compiles a key, the others wait and then find it. A file appears
// by rename, complete and sealed. Whatever cannot be trusted or read is a miss
// with a logged reason, and a folder that cannot be written to means compiling
// without caching: the cache makes things faster and never makes them fail.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/runtime/Artifact.h"
#include "boo/runtime/Launcher.h"

#include <functional>

namespace boo {

/// Writes an unsealed artifact to `output`, and its module to `mlir`.
using CompileFn =
    std::function<Status(const std::string &output, const std::string &mlir)>;

struct CachedArtifact {
  std::shared_ptr<const Artifact> artifact;
  LoadReport report;
};

/// Thread-safe: it holds no state but its paths.
class Cache {
public:
  /// `tiers` are further cache folders that are only read.
  explicit Cache(std::string dir, std::vector<std::string> tiers = {});

  /// The entry, loaded, or nothing.
  std::optional<CachedArtifact> find(const std::string &key,
                                     const std::string &name) const;
  /// Whether find() would find it: the file passes every check, and nothing of
  /// it is run.
  bool contains(const std::string &key, const std::string &name) const;

  /// find, or `compile` and publish. With `recompile` no entry is looked for.
  /// Fails only if the compiler does, or no folder at all can be written to.
  StatusOr<CachedArtifact> obtain(const std::string &key,
                                  const std::string &name,
                                  const CompileFn &compile,
                                  bool recompile = false) const;

private:
  /// The path of the entry of which `accept` says that it will do.
  std::string
  search(const std::string &key, const std::string &name,
         const std::function<bool(const std::string &)> &accept) const;
  StatusOr<CachedArtifact> publish(const std::string &key,
                                   const std::string &name,
                                   const CompileFn &compile) const;

  std::string Dir;
  std::vector<std::string> Tiers;
};

/// Compiles into a private temporary folder, loads, and removes the file. The
/// report says CacheOutcome::Off and names no file.
StatusOr<CachedArtifact> compileUncached(const std::string &key,
                                         const CompileFn &compile);

/// Moves a sealed artifact under its final name in the cache `dir`. `mlir` may
/// be "". Both must lie on the file system of `dir`.
Status publishFiles(const std::string &dir, const std::string &name,
                    const std::string &key, const std::string &artifact,
                    const std::string &mlir);

/// Whether <dir>/<name>/<key>.mlir is there, and writes it, with <name>.mlir a
/// link to it.
bool hasModule(const std::string &dir, const std::string &name,
               const std::string &key);
Status publishModule(const std::string &dir, const std::string &name,
                     const std::string &key, std::string_view text);

/// Makes <dir>/<name>, private to this user, and returns its path.
StatusOr<std::string> makeEntryFolder(const std::string &dir,
                                      const std::string &name);

/// Milliseconds on a steady clock.
double nowMs();

} // namespace boo
