//===- Interrupt.cpp ------------------------------------------------------===//

#include "boo/base/Interrupt.h"

#include <algorithm>
#include <cstring>
#include <unistd.h>

using namespace boo;

static volatile std::sig_atomic_t Interrupted = 0;
static char Running[4096];

static void onInterrupt(int) { Interrupted = 1; }

static void put(const char *text) {
  // Nothing helps when stderr is closed.
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, text, std::strlen(text));
}

static void onCrash(int signal) {
  put("\nboo: error: crashed with ");
  put(signal == SIGSEGV  ? "SIGSEGV (bad memory access)"
      : signal == SIGBUS ? "SIGBUS"
      : signal == SIGILL ? "SIGILL (instruction that this CPU lacks)"
      : signal == SIGFPE ? "SIGFPE"
                         : "SIGABRT");
  if (Running[0]) {
    put("; repeat with:\n  ");
    put(Running);
  }
  put("\n");
  // SA_RESETHAND restored the default action, which takes the signal as soon as
  // this handler returns: the process ends with the true status.
  ::raise(signal);
}

SignalScope::SignalScope() {
  Interrupted = 0;
  for (size_t i = 0; i != std::size(Signals); ++i) {
    ::sigaction(Signals[i], nullptr, &Old[i]);
    bool isInterrupt = Signals[i] == SIGINT;
    // A job in a script's background starts with Ctrl-C ignored.
    if (isInterrupt && Old[i].sa_handler == SIG_IGN)
      continue;
    // A sanitizer's own handler says more of a crash than this one.
    bool taken = (Old[i].sa_flags & SA_SIGINFO) || Old[i].sa_handler != SIG_DFL;
    if (!isInterrupt && taken)
      continue;
    struct sigaction action{};
    action.sa_handler = isInterrupt ? onInterrupt : onCrash;
    action.sa_flags = int(SA_RESETHAND);
    ::sigaction(Signals[i], &action, nullptr);
  }
}

SignalScope::~SignalScope() {
  for (size_t i = 0; i != std::size(Signals); ++i)
    ::sigaction(Signals[i], &Old[i], nullptr);
}

bool boo::interrupted() { return Interrupted != 0; }

void boo::setInterrupted() { Interrupted = 1; }

void boo::leaveCrashesToParent() {
  Interrupted = 0;
  struct sigaction action{}, old;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == onCrash) {
      action.sa_handler = SIG_DFL;
      ::sigaction(signal, &action, nullptr);
    }
  action.sa_handler = onInterrupt;
  if (::sigaction(SIGINT, nullptr, &old) == 0 && old.sa_handler != SIG_IGN)
    ::sigaction(SIGINT, &action, nullptr);
}

void boo::setRunning(const std::string &repro) {
  size_t n = std::min(repro.size(), sizeof Running - 1);
  std::memcpy(Running, repro.data(), n);
  Running[n] = 0;
}
