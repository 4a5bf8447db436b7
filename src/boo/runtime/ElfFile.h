//===- ElfFile.h - Reads ELF files without mapping them ---------*- C++ -*-===//
//
// Every offset and size of the file is checked: nothing is trusted before its
// checksum is.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <vector>

namespace boo {

struct ByteRange {
  uint64_t offset = 0, size = 0;
};

/// Where the section `name` of a 64-bit x86 ELF shared object lies in it.
StatusOr<ByteRange> findElfSection(std::string_view file,
                                   std::string_view name);

struct ElfInfo {
  std::string buildId;             ///< hexadecimal, "" without a build-id note
  std::vector<std::string> needed; ///< DT_NEEDED
  std::string runPath;             ///< DT_RUNPATH, else DT_RPATH
};

/// Reads a few pages of the file, however large it is.
StatusOr<ElfInfo> readElfInfo(const std::string &path);

} // namespace boo
