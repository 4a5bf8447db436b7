//===- NumericsCommand.h - `boo numerics` -----------------------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"

namespace boo {

/// Runs `boo numerics …` and returns the exit status: 0 all passed, 1 something
/// failed, 2 a usage error, 130 interrupted.
int numericsCommand(std::span<const std::string> arguments);

FlagTable numericsFlagTable();
std::string numericsHelp();

} // namespace boo
