//===- CompletionCommand.h - `boo completion` -------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>
#include <vector>

namespace boo {

/// Runs the arguments behind `boo completion`: prints a script for a shell,
/// made of `subcommands` and of the lists of commands, flags and backends.
/// Returns the exit status.
int completionCommand(std::span<const std::string> arguments,
                      const std::vector<std::string> &subcommands);

/// The script itself, for "bash" or "zsh".
std::string completionScript(std::string_view shell,
                             const std::vector<std::string> &subcommands);

} // namespace boo
