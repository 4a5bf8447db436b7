//===- Trial.cpp ----------------------------------------------------------===//

#include "boo/driver/tune/Trial.h"

#include <nlohmann/json.hpp>

#include <set>
#include <vector>

using namespace boo;

using Json = nlohmann::ordered_json;

static constexpr std::string_view outcomeNames[] = {"slower", "faster",
                                                    "failed"};

std::string_view boo::outcomeName(TrialOutcome outcome) {
  return outcomeNames[size_t(outcome)];
}

Json boo::trialJson(const Trial &trial) {
  Json json = Json::object();
  json["outcome"] = std::string(outcomeName(trial.outcome));
  auto add = [&](const char *name, double value) {
    if (std::isfinite(value))
      json[name] = value;
  };
  add("ratio", trial.ratio);
  add("us", trial.us);
  add("against_us", trial.againstUs);
  add("seconds", trial.seconds);
  json["schedule"] = trial.schedule;
  json["against"] = trial.against;
  if (!trial.why.empty())
    json["why"] = trial.why;
  return json;
}

StatusOr<Trial> boo::trialOfJson(const Json &json) {
  Trial trial;
  auto text = [&](const char *name, std::string *value) {
    auto found = json.find(name);
    if (found == json.end() || !found->is_string())
      return false;
    *value = found->get<std::string>();
    return true;
  };
  auto figure = [&](const char *name, double *value) {
    auto found = json.find(name);
    if (found != json.end() && found->is_number())
      *value = found->get<double>();
  };
  std::string outcome;
  if (!text("outcome", &outcome) || !text("schedule", &trial.schedule) ||
      !text("against", &trial.against))
    return invalidArgument("a trial needs outcome, schedule and against");
  for (size_t i = 0; i != std::size(outcomeNames); ++i)
    if (outcomeNames[i] == outcome)
      trial.outcome = TrialOutcome(i);
  if (outcomeName(trial.outcome) != outcome)
    return invalidArgument("unknown outcome '" + outcome + "'");
  (void)text("why", &trial.why);
  figure("ratio", &trial.ratio);
  figure("us", &trial.us);
  figure("against_us", &trial.againstUs);
  figure("seconds", &trial.seconds);
  return trial;
}

static std::vector<std::string> wordsOf(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    if (end != 0)
      words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string boo::scheduleChange(std::string_view schedule,
                                std::string_view other) {
  std::vector<std::string> before = wordsOf(other);
  std::set<std::string> same(before.begin(), before.end());
  std::string change;
  for (const std::string &word : wordsOf(schedule))
    if (!same.count(word))
      change += (change.empty() ? "" : " ") + word;
  return change.empty() ? "no change" : change;
}
