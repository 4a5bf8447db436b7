//===- Interrupt.h - Ctrl-C, and crashes in generated code ------*- C++ -*-===//
#pragma once

#include <csignal>
#include <iterator>
#include <string>

namespace boo {

/// While one lives, the first Ctrl-C only sets a flag, which loops ask for
/// between their steps; the second one ends the process. A crash first names
/// what was running (setRunning) on stderr. The destructor restores what was
/// there before. One at a time.
class SignalScope {
public:
  SignalScope();
  ~SignalScope();
  SignalScope(const SignalScope &) = delete;
  SignalScope &operator=(const SignalScope &) = delete;

private:
  static constexpr int Signals[] = {SIGINT, SIGSEGV, SIGBUS,
                                    SIGILL, SIGFPE,  SIGABRT};
  struct sigaction Old[std::size(Signals)];
};

/// True after a Ctrl-C in the latest SignalScope.
bool interrupted();

/// As if Ctrl-C had come.
void setInterrupted();

/// In a child of fork(): a crash ends it at once, for the parent tells of it,
/// and Ctrl-C only sets the flag, however often it comes.
void leaveCrashesToParent();

/// What a crash is blamed on: the line that repeats it. Up to 4000 bytes.
void setRunning(const std::string &repro);

} // namespace boo
