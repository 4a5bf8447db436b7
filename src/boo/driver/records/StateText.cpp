//===- StateText.cpp - What --state keeps ---------------------------------===//

#include "boo/driver/records/StateText.h"
#include "boo/base/Hash.h"
#include "boo/driver/records/ResultText.h"

#include <nlohmann/json.hpp>

using namespace boo;

using Json = nlohmann::ordered_json;

static constexpr int kFormat = 1;

std::string boo::stateKey(std::string_view command) { return hashHex(command); }

std::string boo::printStateHead(const StateHead &head) {
  Json json = Json::object();
  json["boo_state"] = kFormat;
  json["build"] = head.build;
  json["flags"] = head.flags;
  return jsonLine(json) + "\n";
}

std::string boo::printStateEntry(const StateEntry &entry) {
  Json json = Json::object();
  json["key"] = entry.key;
  json["results"] = Json::array();
  for (const RunResult &result : entry.results)
    json["results"].push_back(resultJson(result));
  return jsonLine(json) + "\n";
}

static bool getText(const Json &json, const char *name, std::string *text) {
  auto found = json.find(name);
  if (found == json.end() || !found->is_string())
    return false;
  *text = found->get<std::string>();
  return true;
}

static Status parseHead(const Json &json, StateHead *head) {
  auto format = json.find("boo_state");
  if (format == json.end())
    return invalidArgument("no state of boo driver");
  if (*format != kFormat)
    return invalidArgument("a state of another format");
  if (!getText(json, "build", &head->build) ||
      !getText(json, "flags", &head->flags))
    return invalidArgument("no build or no flags");
  return Status::ok();
}

static Status parseEntry(const Json &json, StateEntry *entry) {
  auto results = json.find("results");
  if (!getText(json, "key", &entry->key) || results == json.end() ||
      !results->is_array())
    return invalidArgument("no key or no results");
  for (const Json &each : *results) {
    BOO_ASSIGN_OR_RETURN(RunResult result, resultOfJson(each));
    entry->results.push_back(std::move(result));
  }
  return Status::ok();
}

StatusOr<StateText> boo::parseState(std::string_view text) {
  StateText state;
  for (size_t number = 1;; ++number) {
    size_t end = text.find('\n', state.soundBytes);
    if (end == text.npos)
      return state;
    auto json =
        parseJsonLine(text.substr(state.soundBytes, end - state.soundBytes));
    Status status = json.status();
    if (status.isOk() && number == 1)
      status = parseHead(*json, &state.head);
    else if (status.isOk())
      status = parseEntry(*json, &state.entries.emplace_back());
    if (!status.isOk())
      return status.withContext("line " + std::to_string(number));
    state.soundBytes = end + 1;
  }
}
