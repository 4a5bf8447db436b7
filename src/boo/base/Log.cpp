//===- Log.cpp ------------------------------------------------------------===//

#include "boo/base/Log.h"

#include <atomic>
#include <mutex>
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

void boo::warnOnce(std::string_view topic, std::string_view message) {
  static std::mutex mutex;
  static auto *seen = new std::set<std::string, std::less<>>;
  {
    std::lock_guard lock(mutex);
    if (!seen->emplace(topic).second)
      return;
  }
  if (logEnabled(LogLevel::Warning))
    logMessage(LogLevel::Warning, message);
}
