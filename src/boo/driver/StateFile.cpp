//===- StateFile.cpp - The file of --state --------------------------------===//

#include "boo/driver/StateFile.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace boo;

Status StateFile::open(const std::string &path, const StateHead &head,
                       bool restart) {
  Path = path;
  File = FileHandle(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!File.isOpen())
    return systemError("--state: open", path);
  // A lock of this process alone: workers, which may outlive it for a moment,
  // do not hold it.
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  Status status;
  if (::fcntl(File.fd(), F_SETLK, &lock) != 0 &&
      (errno == EAGAIN || errno == EACCES))
    status = ioError("--state " + path + ": another run is using it");
  else
    status = read(head, restart);
  if (!status.isOk())
    File = FileHandle();
  return status;
}

/// Is `text` what remains of a head that was being written?
static bool isTornHead(std::string_view text) {
  constexpr std::string_view begin = "{\"boo_state\":";
  size_t n = std::min(text.size(), begin.size());
  return text.substr(0, n) == begin.substr(0, n);
}

Status StateFile::read(const StateHead &head, bool restart) {
  std::string text;
  BOO_RETURN_IF_ERROR(readAll(File.fd(), &text));
  auto state = parseState(text);
  auto refuse = [&](const std::string &why) {
    return invalidArgument("--state " + Path + ": " + why);
  };
  bool ours = state.isOk()
                  ? state->soundBytes > 0 || isTornHead(text)
                  : parseState(text.substr(0, text.find('\n') + 1)).isOk();
  if (!ours)
    return refuse("this file is no state of boo driver, and is left alone: "
                  "name another");
  size_t keep = 0;
  if (!restart) {
    if (!state.isOk())
      return refuse(state.status().message() + "; --restart begins anew");
    if (state->soundBytes > 0 && state->head.build != head.build)
      return refuse("it is of another build; --restart begins anew");
    if (state->soundBytes > 0 && state->head.flags != head.flags)
      return refuse("it was written with other flags ('" + state->head.flags +
                    "', now '" + head.flags + "'); --restart begins anew");
    keep = state->soundBytes;
    for (StateEntry &entry : state->entries)
      Done.emplace(entry.key, std::move(entry.results));
  }
  if (::ftruncate(File.fd(), off_t(keep)) != 0 ||
      ::lseek(File.fd(), 0, SEEK_END) < 0)
    return systemError("--state: write", Path);
  return keep == 0 ? append(printStateHead(head)) : Status::ok();
}

std::vector<RunResult> StateFile::take(const std::string &key) {
  auto found = Done.lower_bound(key); // the first of its like
  if (found == Done.end() || found->first != key)
    return {};
  std::vector<RunResult> results = std::move(found->second);
  Done.erase(found);
  return results;
}

Status StateFile::add(const StateEntry &entry) {
  return append(printStateEntry(entry));
}

Status StateFile::append(const std::string &text) {
  for (std::string_view rest = text; !rest.empty();) {
    ssize_t n = ::write(File.fd(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return systemError("--state: write", Path);
    rest.remove_prefix(size_t(n));
  }
  if (::fsync(File.fd()) != 0)
    return systemError("--state: write", Path);
  return Status::ok();
}
