//===- GenerateCommand.h - `boo generate` -----------------------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"

namespace boo {

/// Runs `boo generate …` and returns the exit status: 0 all well, 1 something
/// failed, 2 a usage error, 130 interrupted.
int generateCommand(std::span<const std::string> arguments);

FlagTable generateFlagTable();
std::string generateHelp();

} // namespace boo
