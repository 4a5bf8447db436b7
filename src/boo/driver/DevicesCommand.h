//===- DevicesCommand.h - `boo devices` -------------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>

namespace boo {

/// Runs the arguments behind `boo devices` (also `boo doctor`): what this
/// machine can run, and what BOO finds on it. Returns the exit status: 0 all
/// well, 1 something is missing that compiling needs, 2 a usage error.
int devicesCommand(std::span<const std::string> arguments);

} // namespace boo
