//===- Temporary.cpp ------------------------------------------------------===//

#include "boo/runtime/Temporary.h"
#include "boo/base/Hash.h"
#include "boo/base/Log.h"
#include "boo/runtime/Files.h"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <sys/stat.h>
#include <unistd.h>

using namespace boo;

static constexpr std::string_view kPrefix = ".boo-";
static constexpr size_t kTagDigits = 8;

/// Process ids mean nothing on another host, in another container, or after a
/// restart.
static const std::string &machineTag() {
  static const std::string *tag = [] {
    char space[64] = {};
    ssize_t n = ::readlink("/proc/self/ns/pid", space, sizeof(space) - 1);
    std::string boot;
    if (FILE *file = std::fopen("/proc/sys/kernel/random/boot_id", "re")) {
      char text[64] = {};
      if (std::fgets(text, sizeof(text), file))
        boot = text;
      std::fclose(file);
    }
    return new std::string(
        hashHex(boot + std::string(space, size_t(n > 0 ? n : 0)))
            .substr(0, kTagDigits));
  }();
  return *tag;
}

std::string boo::temporaryName() {
  static std::atomic<unsigned> counter{0};
  return std::string(kPrefix) + machineTag() + "-" +
         std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

/// The process of a temporary's name; 0 when it is none.
static pid_t makerOf(std::string_view name, std::string_view *tag) {
  if (name.size() < kPrefix.size() + kTagDigits + 2 ||
      name.substr(0, kPrefix.size()) != kPrefix ||
      name[kPrefix.size() + kTagDigits] != '-')
    return 0;
  *tag = name.substr(kPrefix.size(), kTagDigits);
  std::string_view rest = name.substr(kPrefix.size() + kTagDigits + 1);
  pid_t pid = 0;
  auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), pid);
  bool closed = end != rest.data() + rest.size() && *end == '-';
  return error == std::errc() && closed && pid > 0 ? pid : 0;
}

bool boo::isTemporaryName(std::string_view name) {
  std::string_view tag;
  return makerOf(name, &tag) != 0;
}

void boo::removeFlatDirectory(const std::string &path) {
  for (const std::string &name : listDirectory(path))
    ::unlink((path + "/" + name).c_str());
  ::rmdir(path.c_str());
}

int boo::removeAbandoned(const std::string &folder) {
  constexpr time_t day = 24 * 60 * 60;
  int removed = 0;
  for (const std::string &name : listDirectory(folder)) {
    std::string_view tag;
    pid_t pid = makerOf(name, &tag);
    std::string path = folder + "/" + name;
    struct stat info;
    if (pid == 0 || ::lstat(path.c_str(), &info) != 0 ||
        info.st_uid != ::geteuid())
      continue;
    bool dead = tag == machineTag() && ::kill(pid, 0) != 0 && errno == ESRCH;
    if (!dead && ::time(nullptr) - info.st_mtime < day)
      continue;
    BOO_LOG(Debug,
            "removing " + path + ", left by process " + std::to_string(pid));
    if (S_ISDIR(info.st_mode))
      removeFlatDirectory(path);
    else
      ::unlink(path.c_str());
    ++removed;
  }
  return removed;
}
