//===- Memory.cpp ---------------------------------------------------------===//

#include "boo/runtime/Memory.h"
#include "boo/runtime/Files.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

using namespace boo;

/// The start of a small file, "" if it cannot be read. Files of the kernel do
/// not know their size.
static std::string readHead(const std::string &path) {
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(16 << 10, '\0');
  ssize_t n =
      file.isOpen() ? ::read(file.fd(), text.data(), text.size()) : ssize_t(0);
  text.resize(size_t(std::max<ssize_t>(n, 0)));
  return text;
}

/// The number after `field` at the start of a line, or -1. "max" is none.
static int64_t numberAfter(std::string_view text, std::string_view field) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(field))
      continue;
    line.remove_prefix(field.size());
    while (line.starts_with(' '))
      line.remove_prefix(1);
    int64_t value = -1;
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
  }
  return -1;
}

namespace {
/// How a version of control groups spells what is asked here.
struct GroupFiles {
  const char *mount, *limit, *usage, *inactive, *active;
};
constexpr GroupFiles kVersion1 = {
    "/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes",
    "total_inactive_file ", "total_active_file "};
constexpr GroupFiles kVersion2 = {"/sys/fs/cgroup", "/memory.max",
                                  "/memory.current", "inactive_file ",
                                  "active_file "};
} // namespace

/// What one group has left, INT64_MAX without a limit. Pages of files count as
/// used there, but make room for others.
static int64_t leftInGroup(const std::string &folder, const GroupFiles &files) {
  int64_t limit = numberAfter(readHead(folder + files.limit), "");
  int64_t usage = numberAfter(readHead(folder + files.usage), "");
  if (limit < 0 || usage < 0)
    return INT64_MAX;
  std::string stat = readHead(folder + "/memory.stat");
  int64_t cached = std::max<int64_t>(numberAfter(stat, files.inactive), 0) +
                   std::max<int64_t>(numberAfter(stat, files.active), 0);
  return std::max<int64_t>(limit - std::max<int64_t>(usage - cached, 0), 0);
}

/// The least that a group from `group` up to the mount has left. In a container
/// the path can be that of the host, of which only the mount is seen.
static int64_t leftInGroups(const std::string &root, std::string group,
                            const GroupFiles &files) {
  if (group.find("/..") != std::string::npos)
    group.clear(); // the group lies outside of what this process sees
  while (group.ends_with('/'))
    group.pop_back();
  for (int64_t left = INT64_MAX;;) {
    left = std::min(left, leftInGroup(root + files.mount + group, files));
    if (group.empty())
      return left;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

/// What the limits on this process's groups leave, INT64_MAX without any.
static int64_t leftByLimits(const std::string &root) {
  int64_t left = INT64_MAX;
  std::string text = readHead(root + "/proc/self/cgroup");
  std::string_view rest = text; // lines of number:controllers:group
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos)
      continue;
    std::string controllers =
        "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    std::string group(line.substr(second + 1));
    if (line.starts_with("0::"))
      left = std::min(left, leftInGroups(root, group, kVersion2));
    else if (controllers.find(",memory,") != std::string::npos)
      left = std::min(left, leftInGroups(root, group, kVersion1));
  }
  return left;
}

static int64_t leftInMachine(const std::string &root) {
  int64_t kilobytes =
      numberAfter(readHead(root + "/proc/meminfo"), "MemAvailable:");
  return kilobytes < 0 ? INT64_MAX : kilobytes << 10;
}

int64_t boo::availableMemory(const std::string &root) {
  int64_t left = std::min(leftInMachine(root), leftByLimits(root));
  return left == INT64_MAX ? -1 : left;
}

Status boo::checkMemory(int64_t bytes, std::string_view purpose,
                        const std::string &root) {
  int64_t machine = leftInMachine(root), limits = leftByLimits(root);
  int64_t available = std::min(machine, limits);
  if (bytes <= available)
    return Status::ok();
  return {StatusCode::OutOfMemory,
          std::string(purpose) + " needs " + std::to_string(bytes) +
              " bytes (" + std::to_string(bytes >> 20) + " MiB), and " +
              (limits < machine ? "the control group's memory limit leaves "
                                : "the machine has ") +
              std::to_string(available) + " bytes (" +
              std::to_string(available >> 20) + " MiB) available"};
}
