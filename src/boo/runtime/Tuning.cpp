//===- Tuning.cpp - Schedules found by measurement ------------------------===//

#include "boo/runtime/Tuning.h"
#include "boo/abi/CompilerAbi.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/base/Env.h"
#include "boo/runtime/Files.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <unistd.h>

using namespace boo;
using Json = nlohmann::json;

/// "name=value name=value": what a key and a manifest may hold as it is.
static bool isSchedule(std::string_view text) {
  auto isPlain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '=' || c == '-' || c == ' ';
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), isPlain);
}

static StatusOr<std::string> stringField(const Json &entry, const char *name) {
  auto field = entry.find(name);
  if (field == entry.end() || !field->is_string())
    return invalidArgument("an entry needs a string '" + std::string(name) +
                           "'");
  return field->get<std::string>();
}

std::string boo::printTuningEntry(const TuningEntry &entry) {
  auto rounded = [](double us) { return std::round(us * 1000) / 1000; };
  nlohmann::ordered_json json;
  json["graph"] = entry.graph;
  json["target"] = std::string(isaName(entry.isa));
  json["math"] = entry.math;
  json["schedule"] = entry.schedule;
  json["name"] = entry.name;
  json["threads"] = entry.threads;
  json["untuned_us"] = rounded(entry.untunedUs);
  json["tuned_us"] = rounded(entry.us);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

StatusOr<TuningTable> TuningTable::parse(std::string_view text) {
  TuningTable table;
  auto addLine = [&](std::string_view line) -> Status {
    Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object())
      return invalidArgument("expected a JSON object on one line");
    BOO_ASSIGN_OR_RETURN(std::string graph, stringField(entry, "graph"));
    BOO_ASSIGN_OR_RETURN(std::string target, stringField(entry, "target"));
    BOO_ASSIGN_OR_RETURN(std::string math, stringField(entry, "math"));
    BOO_ASSIGN_OR_RETURN(std::string schedule, stringField(entry, "schedule"));
    BOO_ASSIGN_OR_RETURN(Isa isa, parseIsa(target));
    BOO_RETURN_IF_ERROR(checkMath("'math'", math));
    if (!isSchedule(schedule))
      return invalidArgument("'schedule' must be fields like m_tile=7, with "
                             "spaces between them");
    table.Entries[{std::move(graph), isa, std::move(math)}] =
        std::move(schedule);
    return Status::ok();
  };
  for (size_t number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#')
      continue;
    if (Status status = addLine(line); !status.isOk())
      return status.withContext("line " + std::to_string(number));
  }
  return table;
}

StatusOr<TuningTable> TuningTable::read(const std::string &path) {
  BOO_ASSIGN_OR_RETURN(std::string text, readFile(path));
  if (std::string_view(path).ends_with(".mlir")) {
    // The compiler gets it as a C string.
    if (text.empty() || text.find('\0') != std::string::npos)
      return invalidArgument(path + ": no text of a transform library");
    TuningTable library;
    library.Transforms = std::move(text);
    return library;
  }
  auto table = parse(text);
  if (!table.isOk())
    return table.status().withContext(path);
  return table;
}

std::string TuningTable::find(std::string_view graph, Isa isa,
                              std::string_view math) const {
  if (Entries.empty())
    return "";
  auto entry = Entries.find({std::string(graph), isa, std::string(math)});
  if (entry == Entries.end())
    return "";
  return (Optional ? BOO_OPTIONAL_ENTRY : "") + entry->second;
}

StatusOr<TuningTable> TuningTable::readShipped() {
  // In the build folder, as installed, or beside the Python package's module.
  for (const char *folder :
       {"../share/boo", BOO_DATA_FROM_LIB, BOO_DATA_FROM_BIN, "."}) {
    std::string path = ownDirectory() + "/" + folder + "/tuning_specs.jsonl";
    if (::access(path.c_str(), R_OK) != 0)
      continue;
    BOO_ASSIGN_OR_RETURN(TuningTable table, read(path));
    table.Optional = true;
    return table;
  }
  return TuningTable();
}

const StatusOr<TuningTable> &boo::environmentTuning() {
  static const auto *table = [] {
    const auto &path = env().tuningSpec;
    StatusOr<TuningTable> read = TuningTable();
    if (!path)
      read = TuningTable::readShipped();
    else if (!path->empty())
      read = TuningTable::read(*path);
    if (!read.isOk() && path)
      read = read.status().withContext("BOO_TUNING_SPEC_PATH");
    return new StatusOr<TuningTable>(std::move(read));
  }();
  return *table;
}
