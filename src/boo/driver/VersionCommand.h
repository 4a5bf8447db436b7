//===- VersionCommand.h - `boo version` -------------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>

namespace boo {

/// Prints the versions that reports of bugs should name. Returns 0.
int versionCommand(std::span<const std::string> arguments);

} // namespace boo
