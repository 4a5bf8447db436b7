//===- StateFile.cpp - The file of --state --------------------------------===//

#include "boo/driver/StateFile.h"

using namespace boo;

Status StateFile::open(const std::string &path, const StateHead &head,
                       bool restart) {
  BOO_RETURN_IF_ERROR(File.open(path, "--state"));
  Status status = read(head, restart);
  if (!status.isOk())
    File.close();
  return status;
}

/// Is `text` what remains of a head that was being written?
static bool isTornHead(std::string_view text) {
  constexpr std::string_view begin = "{\"boo_state\":";
  size_t n = std::min(text.size(), begin.size());
  return text.substr(0, n) == begin.substr(0, n);
}

Status StateFile::read(const StateHead &head, bool restart) {
  BOO_ASSIGN_OR_RETURN(std::string text, File.read());
  auto state = parseState(text);
  auto refuse = [&](const std::string &why) {
    return invalidArgument("--state " + File.path() + ": " + why);
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
  BOO_RETURN_IF_ERROR(File.keep(keep));
  return keep == 0 ? File.append(printStateHead(head)) : Status::ok();
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
  return File.append(printStateEntry(entry));
}
