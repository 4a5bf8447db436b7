//===- Manifest.h - What an artifact says of itself -------------*- C++ -*-===//
//
// The manifest is a text in the artifact's section .boo.manifest, exported as
// `boo_manifest` and closed by a NUL: `readelf -p .boo.manifest FILE` shows it.
// One `name value` a line, in the order of the fields below; lists repeat their
// name. Texts of several lines are escaped (\n and \\), so a line is a field.
//
// The compiler writes the checksum as 32 zeros. Sealing (runtime/Artifact.h)
// replaces them, in the file, with the hash of all bytes of that file taken
// while the field holds zeros.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace boo {

/// One kernel call of a plan, over all tiles of its grid.
struct Dispatch {
  std::string symbol; ///< exported function, e.g. "boo_dispatch_0"
  std::string name;   ///< for people: "pack_filter", "conv"
  int64_t grid = 0;   ///< number of tiles; 0 tiles run nothing

  bool operator==(const Dispatch &) const = default;
};

struct Manifest {
  std::string checksum = std::string(32, '0');
  uint32_t kernelAbi = 0;
  std::string key;              ///< hash of everything the artifact depends on
  std::string name;             ///< func_name of the signature
  std::string target;           ///< base/Target.h's text form
  std::string math;             ///< "strict", "default", "fast"
  std::string graph;            ///< canonical Graph text of the group
  std::string builds;           ///< build ids of plugin, libMLIR, libLLVM
  std::string algorithm;        ///< "direct", "depthwise", "pointwise", …
  std::string schedule;         ///< strategy/Schedule.h's text form
  std::vector<std::string> why; ///< what was chosen and what was not, and why
  std::string instruction; ///< peak it is measured by: "fma-f32", "amx-bf16", …
  int64_t workspaceBytes = 0;      ///< shared by the workers of one launch
  int64_t scratchBytes = 0;        ///< for each worker
  int64_t constantsBytes = 0;      ///< packed constants, kept by the launcher
  std::vector<Dispatch> prepare;   ///< once, before the first run
  std::vector<Dispatch> run;       ///< at every launch, in this order
  std::vector<std::string> errors; ///< meaning of dispatch results 1, 2, …

  bool operator==(const Manifest &) const = default;
};

/// The text form, without the closing NUL.
std::string printManifest(const Manifest &manifest);

/// Never trusts its input: any byte sequence gives a Manifest or an error.
StatusOr<Manifest> parseManifest(std::string_view text);

} // namespace boo
