//===- CompareCommand.h - `boo compare` -------------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>

namespace boo {

/// Runs the arguments behind `boo compare`. Returns the exit status: 0 no
/// regression, 1 a regression or a file that could not be written, 2 a usage
/// error, which unreadable tables are.
int compareCommand(std::span<const std::string> arguments);

} // namespace boo
