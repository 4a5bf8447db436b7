//===- Log.cpp ------------------------------------------------------------===//

#include "boo/base/Log.h"

#include <atomic>
#include <mutex>
#include <pthread.h>
#include <set>
#include <unistd.h>

using namespace boo;

static std::atomic<int> &currentLevel() {
  static std::atomic<int> level{int(env().logLevel)};
  return level;
}

bool boo::logEnabled(LogLevel level) {
  return int(level) <= currentLevel().load(std::memory_order_relaxed);
}

void boo::setLogLevel(LogLevel level) { currentLevel() = int(level); }

void boo::logMessage(LogLevel level, std::string_view message) {
  static constexpr std::string_view names[] = {"error", "warning", "info",
                                               "debug"};
  std::string line = "boo: ";
  line += names[int(level)];
  line += ": ";
  line += message;
  line += '\n';
  // One write, so that lines of several processes and threads do not mix.
  for (size_t done = 0; done < line.size();) {
    ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n <= 0)
      return;
    done += size_t(n);
  }
}

static std::mutex seenMutex;

// A child of fork() must not find the mutex held by a thread that does not
// exist there.
[[maybe_unused]] static const int forkHandler =
    ::pthread_atfork([] { seenMutex.lock(); }, [] { seenMutex.unlock(); },
                     [] { seenMutex.unlock(); });

void boo::warnOnce(std::string_view topic, std::string_view message) {
  {
    std::lock_guard lock(seenMutex);
    static auto *seen = new std::set<std::string, std::less<>>;
    if (!seen->emplace(topic).second)
      return;
  }
  if (logEnabled(LogLevel::Warning))
    logMessage(LogLevel::Warning, message);
}
