//===- ResultText.cpp - A RunResult as a line of text ---------------------===//

#include "boo/driver/records/ResultText.h"

#include <nlohmann/json.hpp>

using namespace boo;

using Json = nlohmann::ordered_json;

/// The one list of fields, for both directions.
template <typename Result, typename Visitor>
  requires std::is_same_v<std::remove_const_t<Result>, RunResult>
static void visitFields(Result &r, Visitor &&visit) {
  visit("command", r.command);
  visit("backend", r.backend);
  visit("direction", r.direction);
  visit("device", r.device);
  visit("dtype", r.dtype);
  visit("repro", r.repro);
  visit("threads", r.threads);
  visit("times", r.times);
  visit("iters", r.iters);
  visit("gflops", r.gflops);
  visit("gbps", r.gbps);
  visit("peak_gflops", r.peakGflops);
  visit("peak_kind", r.peakKind);
  visit("peak_fraction", r.peakFraction);
  visit("compile_ms", r.compileMs);
  visit("load_ms", r.loadMs);
  visit("first_call_ms", r.firstCallMs);
  visit("workspace_bytes", r.workspaceBytes);
  visit("cache", r.cache);
  visit("algorithm", r.algorithm);
  visit("schedule", r.schedule);
  visit("artifact", r.artifact);
  visit("why", r.why);
  visit("profile", r.profile);
  visit("verified", r.verified);
  visit("max_abs_err", r.maxAbsErr);
  visit("max_rel_err", r.maxRelErr);
  visit("bound", r.bound);
  visit("checks", r.checks);
  visit("failed_check", r.failedCheck);
  visit("checks_cut_short", r.checksCutShort);
  visit("outputs", r.outputs);
  visit("status", r.status);
  visit("stopped", r.stopped);
  visit("rejected", r.rejected);
  visit("cut_short", r.cutShort);
}

/// A field that is an object: its own fields.
template <typename Times, typename Visitor>
  requires std::is_same_v<std::remove_const_t<Times>, Statistics>
static void visitFields(Times &t, Visitor &&visit) {
  visit("count", t.count);
  visit("min", t.min);
  visit("max", t.max);
  visit("mean", t.mean);
  visit("median", t.median);
  visit("stddev", t.stddev);
  visit("p10", t.p10);
  visit("p90", t.p90);
}

template <typename Time, typename Visitor>
  requires std::is_same_v<std::remove_const_t<Time>, DispatchTime>
static void visitFields(Time &t, Visitor &&visit) {
  visit("kernel", t.kernel);
  visit("dispatch", t.dispatch);
  visit("grid", t.grid);
  visit("us", t.us);
}

namespace {

/// Overloads of put and get, a pair for each type that a field has.
struct Writer {
  Json &json;
  template <typename T> void operator()(const char *name, const T &value) {
    json[name] = put(value);
  }

  template <typename T> static Json object(const T &value) {
    Json json = Json::object();
    visitFields(value, Writer{json});
    return json;
  }

  static Json put(double value) {
    if (std::isfinite(value))
      return value;
    return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  }
  template <typename T> static Json put(const T &value) { return value; }
  static Json put(const std::optional<bool> &value) {
    return value ? Json(*value) : Json(nullptr);
  }
  static Json put(const std::optional<Statistics> &value) {
    return value ? object(*value) : Json(nullptr);
  }
  static Json put(const std::vector<DispatchTime> &profile) {
    Json json = Json::array();
    for (const DispatchTime &time : profile)
      json.push_back(object(time));
    return json;
  }
  static Json put(const Status &status) {
    return Json::array({int(status.code()), status.message()});
  }
  static Json
  put(const std::vector<std::pair<std::vector<int64_t>, DType>> &outputs) {
    Json json = Json::array();
    for (const auto &[sizes, dtype] : outputs)
      json.push_back(Json::array({sizes, std::string(dtypeName(dtype))}));
    return json;
  }
};

struct Reader {
  const Json &json;
  std::string *wrong; ///< the first field at fault
  template <typename T> void operator()(const char *name, T &value) {
    auto found = json.find(name);
    bool ok = found != json.end() && get(*found, value);
    if (!ok && wrong->empty())
      *wrong = name;
  }

  static bool get(const Json &json, std::string &value) {
    if (json.is_string())
      value = json.get<std::string>();
    return json.is_string();
  }
  static bool get(const Json &json, bool &value) {
    if (json.is_boolean())
      value = json.get<bool>();
    return json.is_boolean();
  }
  static bool get(const Json &json, int64_t &value) {
    // Unsigned numbers beyond int64_t are of a type of their own.
    if (!json.is_number_integer() ||
        (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX))
      return false;
    value = json.get<int64_t>();
    return true;
  }
  static bool get(const Json &json, int &value) {
    int64_t wide;
    if (!get(json, wide) || wide < INT32_MIN || wide > INT32_MAX)
      return false;
    value = int(wide);
    return true;
  }
  static bool get(const Json &json, double &value) {
    if (json.is_number()) {
      value = json.get<double>();
      return true;
    }
    value = json == "nan"    ? NAN
            : json == "inf"  ? INFINITY
            : json == "-inf" ? -INFINITY
                             : 0;
    return value != 0;
  }
  template <typename T>
  static bool get(const Json &json, std::vector<T> &values) {
    values.clear();
    if (!json.is_array())
      return false;
    for (const Json &each : json)
      if (!get(each, values.emplace_back()))
        return false;
    return true;
  }
  template <typename T>
  static bool get(const Json &json, std::optional<T> &value) {
    value.reset();
    return json.is_null() || get(json, value.emplace());
  }
  template <typename T> static bool getObject(const Json &json, T &value) {
    std::string wrong;
    if (json.is_object())
      visitFields(value, Reader{json, &wrong});
    return json.is_object() && wrong.empty();
  }
  static bool get(const Json &json, Statistics &times) {
    return getObject(json, times);
  }
  static bool get(const Json &json, DispatchTime &time) {
    return getObject(json, time);
  }
  static bool get(const Json &json, Status &status) {
    int code;
    std::string message;
    if (!json.is_array() || json.size() != 2 || !get(json[0], code) ||
        !get(json[1], message) || code < int(StatusCode::Ok) ||
        code > int(StatusCode::Internal))
      return false;
    status = Status(StatusCode(code), std::move(message));
    return true;
  }
  static bool get(const Json &json,
                  std::pair<std::vector<int64_t>, DType> &output) {
    std::string name;
    if (!json.is_array() || json.size() != 2 || !get(json[0], output.first) ||
        !get(json[1], name))
      return false;
    auto dtype = parseDType(name);
    output.second = dtype.value_or(DType::F32);
    return dtype.has_value();
  }
};

} // namespace

Json boo::resultJson(const RunResult &result) { return Writer::object(result); }

StatusOr<RunResult> boo::resultOfJson(const Json &json) {
  RunResult result;
  std::string wrong;
  if (!json.is_object())
    return invalidArgument("a result is no object");
  visitFields(result, Reader{json, &wrong});
  if (!wrong.empty())
    return invalidArgument("a result without a sound \"" + wrong + "\"");
  return result;
}

std::string boo::jsonLine(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

StatusOr<Json> boo::parseJsonLine(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object())
    return invalidArgument("no JSON object");
  return json;
}
