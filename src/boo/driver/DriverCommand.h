//===- DriverCommand.h - `boo driver` ---------------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>

namespace boo {

/// Runs the arguments behind `boo driver`. Returns the exit status: 0 all well,
/// 1 something failed or did not verify, 2 a usage error, 130 interrupted.
int driverCommand(std::span<const std::string> arguments);

} // namespace boo
