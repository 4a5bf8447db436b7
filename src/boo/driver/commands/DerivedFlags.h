//===- DerivedFlags.h - A flag table made from another ----------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"

namespace boo {

/// `base` with some flags replaced, each in its place, and others behind: what
/// reads values of `base` by index reads those of the new table too.
std::vector<Flag>
deriveFlags(FlagTable base, const std::vector<std::pair<size_t, Flag>> &instead,
            const std::vector<Flag> &more);

/// `values` with others for some flags. Those that were given and asked for
/// something else are noted as ignored: `why`.
FlagValues withFlags(const FlagValues &values,
                     const std::vector<std::pair<size_t, std::string>> &instead,
                     const std::string &why, std::vector<std::string> *notes);

} // namespace boo
