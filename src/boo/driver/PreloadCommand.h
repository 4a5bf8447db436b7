//===- PreloadCommand.h - `boo preload` -------------------------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"

namespace boo {

/// Runs `boo preload …` and returns the exit status: 0 all well, 1 something
/// failed, 2 a usage error, 130 interrupted.
int preloadCommand(std::span<const std::string> arguments);

FlagTable preloadFlagTable();
std::string preloadHelp();

} // namespace boo
