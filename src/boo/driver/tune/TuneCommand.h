//===- TuneCommand.h - `boo tune` -------------------------------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Flags.h"

namespace boo {

/// Runs `boo tune …` and returns the exit status: 0 all well (whether or not
/// something faster was found), 1 something failed, 2 a usage error, 130
/// interrupted.
int tuneCommand(std::span<const std::string> arguments);

FlagTable tuneFlagTable();
std::string tuneHelp();

} // namespace boo
