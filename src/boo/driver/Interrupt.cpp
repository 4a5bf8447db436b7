//===- Interrupt.cpp ------------------------------------------------------===//

#include "boo/driver/Interrupt.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <initializer_list>
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
  // SA_RESETHAND restored the default action: end with the true status.
  ::raise(signal);
}

void boo::installSignalHandlers() {
  struct sigaction action{};
  action.sa_handler = onInterrupt;
  action.sa_flags = int(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  action.sa_handler = onCrash;
  action.sa_flags = int(SA_RESETHAND | SA_NODEFER);
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
    // A sanitizer's own handler says more.
    struct sigaction old{};
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_DFL &&
        !(old.sa_flags & SA_SIGINFO))
      ::sigaction(signal, &action, nullptr);
  }
}

bool boo::interrupted() { return Interrupted != 0; }

void boo::setRunning(const std::string &repro) {
  size_t n = std::min(repro.size(), sizeof Running - 1);
  std::memcpy(Running, repro.data(), n);
  Running[n] = 0;
}
