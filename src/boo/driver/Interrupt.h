//===- Interrupt.h - Ctrl-C, and crashes in generated code ------*- C++ -*-===//
#pragma once

#include <string>

namespace boo {

/// From now on the first Ctrl-C only sets a flag, which loops ask for between
/// their steps; the second one ends the process. A crash first names what was
/// running (setRunning) on stderr.
void installSignalHandlers();

bool interrupted();

/// What a crash is blamed on: the line that repeats it. Up to 4000 bytes.
void setRunning(const std::string &repro);

} // namespace boo
