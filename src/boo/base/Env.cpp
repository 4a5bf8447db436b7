//===- Env.cpp ------------------------------------------------------------===//

#include "boo/base/Env.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

static std::string lower(std::string_view text) {
  std::string result(text);
  for (char &c : result)
    if (c >= 'A' && c <= 'Z')
      c = char(c - 'A' + 'a');
  return result;
}

static std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (end > 0)
      parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

StatusOr<bool> boo::parseSwitch(std::string_view name, std::string_view value) {
  std::string text = lower(value);
  for (const char *on : {"1", "yes", "on", "true"})
    if (text == on)
      return true;
  for (const char *off : {"0", "no", "off", "false"})
    if (text == off)
      return false;
  return invalidArgument(std::string(name) + "=" + std::string(value) +
                         ": expected 1 or 0, yes or no, on or off, true or "
                         "false");
}

StatusOr<LogLevel> boo::parseLogLevel(std::string_view name,
                                      std::string_view value) {
  std::string text = lower(value);
  if (text == "error" || text == "critical")
    return LogLevel::Error;
  if (text == "warning" || text == "warn")
    return LogLevel::Warning;
  if (text == "info")
    return LogLevel::Info;
  if (text == "debug")
    return LogLevel::Debug;
  return invalidArgument(std::string(name) + "=" + std::string(value) +
                         ": expected ERROR, WARNING, INFO or DEBUG");
}

Status boo::checkMath(std::string_view name, std::string_view value) {
  if (value == "strict" || value == "default" || value == "fast")
    return Status::ok();
  return invalidArgument(std::string(name) + "=" + std::string(value) +
                         ": expected strict, default or fast");
}

static std::string passwordHome() {
  char buffer[4096];
  passwd entry;
  passwd *found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 ||
      !found || !found->pw_dir)
    return "";
  return found->pw_dir;
}

std::string boo::defaultCacheDir(std::string_view home,
                                 const std::string &passwordHome) {
  std::string parent(home);
  struct stat info;
  if (parent.empty() && passwordHome.starts_with('/') &&
      ::stat(passwordHome.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
      ::access(passwordHome.c_str(), W_OK | X_OK) == 0)
    parent = passwordHome;
  if (parent.empty())
    parent = "/tmp/boo-" + std::to_string(::geteuid());
  return parent + "/.cache/turbine_kernels/boo";
}

Env boo::readEnv(const std::function<const char *(const char *)> &lookup,
                 Status *status) {
  Env env;
  *status = Status::ok();
  auto note = [&](const Status &error) {
    if (!error.isOk() && status->isOk())
      *status = error;
    return error.isOk();
  };
  auto get = [&](const char *name) {
    const char *value = lookup(name);
    return std::string_view(value ? value : "");
  };

  for (auto [name, on] :
       {std::pair("BOO_CACHE_ON", &env.cacheOn),
        std::pair("BOO_USE_BACKWARD_KERNELS", &env.useBackwardKernels)})
    if (std::string_view value = get(name); !value.empty())
      if (auto parsed = parseSwitch(name, value); note(parsed.status()))
        *on = *parsed;

  env.cacheDir = get("BOO_CACHE_DIR");
  if (env.cacheDir.empty()) {
    // The password file may be on the network: it is asked only if it counts.
    std::string_view home = get("HOME");
    env.cacheDir = defaultCacheDir(home, home.empty() ? passwordHome() : "");
  }
  while (env.cacheDir.size() > 1 && env.cacheDir.back() == '/')
    env.cacheDir.pop_back();

  env.cachePath = split(get("BOO_CACHE_PATH"), ':');
  if (const char *spec = lookup("BOO_TUNING_SPEC_PATH"))
    env.tuningSpec = spec;
  if (std::string_view math = get("BOO_MATH"); !math.empty())
    if (note(checkMath("BOO_MATH", math)))
      env.math = math;
  env.dumpDir = get("BOO_DUMP_DIR");
  env.dumpGraphs = get("BOO_DUMP_GRAPHS");
  env.compilerPlugin = get("BOO_COMPILER_PLUGIN");
  if (std::string_view tmp = get("TMPDIR"); !tmp.empty())
    env.tmpDir = tmp;
  env.libraryPath = split(get("LD_LIBRARY_PATH"), ':');

  for (auto [name, value] : {std::pair("BOO_SOAK_KILLS", &env.soakKills),
                             std::pair("BOO_SOAK_SECONDS", &env.soakSeconds)}) {
    std::string_view text = get(name);
    std::from_chars(text.data(), text.data() + text.size(), *value);
  }

  // A list gives the team size of each nesting level; only the first is ours.
  // libgomp itself complains of a bad value, so BOO only ignores it.
  std::string_view threads = get("OMP_NUM_THREADS");
  while (!threads.empty() && threads.front() == ' ')
    threads.remove_prefix(1);
  int count = 0;
  if (std::from_chars(threads.data(), threads.data() + threads.size(), count)
              .ec == std::errc() &&
      count > 0)
    env.ompNumThreads = std::min(count, 1 << 12);

  for (const std::string &part : split(get("TURBINE_DEBUG"), ',')) {
    constexpr std::string_view prefix = "log_level=";
    if (part.compare(0, prefix.size(), prefix) != 0)
      continue; // asserts, runtime_trace_dir and the like are Turbine's own
    auto level = parseLogLevel("TURBINE_DEBUG log_level",
                               std::string_view(part).substr(prefix.size()));
    if (note(level.status()))
      env.logLevel = *level;
  }
  if (std::string_view value = get("TURBINE_LOG_LEVEL"); !value.empty())
    if (auto level = parseLogLevel("TURBINE_LOG_LEVEL", value);
        note(level.status()))
      env.logLevel = *level;
  return env;
}

namespace {
struct ProcessEnv {
  Status status;
  Env values =
      readEnv([](const char *name) { return std::getenv(name); }, &status);
};
} // namespace

static const ProcessEnv &processEnv() {
  // Never destroyed: threads and atexit handlers may still log.
  static const ProcessEnv *env = new ProcessEnv;
  return *env;
}

const Env &boo::env() { return processEnv().values; }
const Status &boo::envStatus() { return processEnv().status; }
