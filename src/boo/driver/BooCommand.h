//===- BooCommand.h - The boo command ---------------------------*- C++ -*-===//
#pragma once

#include <string>
#include <vector>

namespace boo {

/// What `boo ARGUMENTS…` does, for the program and for the Python package's
/// console script. Returns the exit status: 0 all well, 1 something failed, 2 a
/// usage error.
int booCommand(const std::vector<std::string> &arguments);

} // namespace boo
