//===- CompileFlags.h - Flags that say how to compile -----------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"
#include "boo/runtime/Launcher.h"

namespace boo {

/// What --target, --math, --no-cache, --recompile, --dump-dir and the
/// environment ask of a command's compilation. `cacheDir` "" leaves it to the
/// environment. With `compileOnly` the target need not run here.
StatusOr<CompileOptions> compileOptions(const CommandLine &line,
                                        const CommandGraph &command,
                                        const std::string &cacheDir,
                                        bool compileOnly = false);

} // namespace boo
