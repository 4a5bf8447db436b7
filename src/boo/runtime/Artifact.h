//===- Artifact.h - Seals, verifies and loads kernel artifacts --*- C++ -*-===//
//
// Loading an artifact runs code, so a file is believed only when its owner and
// mode allow nobody else to have written it, its checksum holds, and it says
// that it is what was asked for. The checksum finds damage; against a forger
// stand owner and mode.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/abi/KernelAbi.h"
#include "boo/abi/Manifest.h"
#include "boo/base/DynamicLibrary.h"

#include <memory>
#include <optional>

namespace boo {

/// Computes the checksum of the artifact and writes it into the file.
Status sealArtifact(const std::string &path);

/// A verified file that is not yet loaded.
struct ArtifactFile {
  std::string path;
  std::string manifestText;
  Manifest manifest;
  uint64_t device = 0, inode = 0, bytes = 0;
};

/// Reads the file and verifies: regular, no link, owned by this user or root
/// and writable by nobody else (its folder likewise), checksum, kernel ABI,
/// `expectedKey` unless "". Runs nothing of it.
StatusOr<ArtifactFile> readArtifact(const std::string &path,
                                    const std::string &expectedKey);

/// An artifact in this process, unmapped with the last reference.
class Artifact {
public:
  struct Kernel {
    boo_dispatch_fn fn;
    int64_t grid;
  };

  const Manifest &manifest() const { return Text; }
  const std::string &path() const { return Path; }
  const std::vector<Kernel> &prepare() const { return Prepare; }
  const std::vector<Kernel> &run() const { return Run; }

private:
  friend StatusOr<std::shared_ptr<const Artifact>>
  loadArtifact(const std::string &path, const std::string &expectedKey);
  Status resolve();

  DynamicLibrary Library;
  Manifest Text;
  std::string Path;
  std::vector<Kernel> Prepare, Run;
};

/// readArtifact, then loads the very file that was read and resolves its
/// dispatches. Refuses a target that this machine cannot run.
StatusOr<std::shared_ptr<const Artifact>>
loadArtifact(const std::string &path, const std::string &expectedKey);

} // namespace boo
