//===- TuneState.cpp ------------------------------------------------------===//

#include "boo/driver/tune/TuneState.h"
#include "boo/driver/records/ResultText.h"

#include <nlohmann/json.hpp>

using namespace boo;

static constexpr int kFormat = 1;
static constexpr std::string_view kBegin = "{\"boo_tune_state\":";

/// Lines up to the last that is whole.
Status TuneState::parse(const std::string &text, const std::string &build,
                        size_t *soundBytes) {
  size_t number = 0;
  for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos;
       at = end + 1) {
    auto wrong = [&](const std::string &why) {
      return invalidArgument("line " + std::to_string(number + 1) + ": " + why +
                             "; --restart begins anew");
    };
    auto json = parseJsonLine(std::string_view(text).substr(at, end - at));
    if (!json.isOk())
      return wrong(json.status().message());
    if (number++ == 0) {
      if ((*json)["boo_tune_state"] != kFormat || (*json)["build"] != build)
        return invalidArgument("it is of another build; --restart begins anew");
    } else {
      auto trial = trialOfJson(*json);
      if (!trial.isOk() || !(*json)["kernel"].is_string())
        return wrong(trial.isOk() ? "no kernel" : trial.status().message());
      Trials[(*json)["kernel"].get<std::string>()].push_back(*trial);
    }
    *soundBytes = end + 1;
  }
  return Status::ok();
}

Status TuneState::open(const std::string &path, const std::string &build,
                       bool restart) {
  BOO_RETURN_IF_ERROR(File.open(path, "--state"));
  BOO_ASSIGN_OR_RETURN(std::string text, File.read());
  std::string_view begin = std::string_view(text).substr(0, kBegin.size());
  Status status;
  size_t sound = 0;
  if (begin != kBegin.substr(0, begin.size()))
    status = invalidArgument("this file is no state of boo tune, and is left "
                             "alone: name another");
  else if (!restart)
    status = parse(text, build, &sound);
  if (!status.isOk()) {
    File.close();
    return invalidArgument("--state " + path + ": " + status.message());
  }
  BOO_RETURN_IF_ERROR(File.keep(sound));
  if (sound != 0)
    return Status::ok();
  nlohmann::ordered_json head;
  head["boo_tune_state"] = kFormat;
  head["build"] = build;
  return File.append(jsonLine(head) + "\n");
}

const std::vector<Trial> &TuneState::trials(const std::string &kernel) {
  return Trials[kernel];
}

Status TuneState::add(const std::string &kernel, const Trial &trial) {
  nlohmann::ordered_json json;
  json["kernel"] = kernel;
  json.update(trialJson(trial));
  BOO_RETURN_IF_ERROR(File.append(jsonLine(json) + "\n"));
  Trials[kernel].push_back(trial);
  return Status::ok();
}
