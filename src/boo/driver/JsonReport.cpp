//===- JsonReport.cpp - Results for programs ------------------------------===//

#include "boo/driver/Report.h"

#include <nlohmann/json.hpp>

using namespace boo;

using Json = nlohmann::ordered_json;

static Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

static Json text(const std::string &value) {
  return value.empty() ? Json(nullptr) : Json(value);
}

std::string boo::jsonReport(const RunResult &r) {
  Statistics none;
  none.min = none.max = none.mean = none.median = NAN;
  none.stddev = none.p10 = none.p90 = NAN;
  const Statistics &t = r.times ? *r.times : none;
  Json json;
  json["command"] = r.command;
  json["backend"] = r.backend;
  json["direction"] = r.direction;
  json["device"] = r.device;
  json["dtype"] = text(r.dtype);
  json["threads"] = r.ran() ? Json(r.threads) : Json(nullptr);
  json["iters"] = r.ran() ? Json(r.iters) : Json(nullptr);
  json["min_us"] = number(t.min);
  json["max_us"] = number(t.max);
  json["mean_us"] = number(t.mean);
  json["median_us"] = number(t.median);
  json["stddev_us"] = number(t.stddev);
  json["p10_us"] = number(t.p10);
  json["p90_us"] = number(t.p90);
  json["gflops"] = number(r.gflops);
  json["gbps"] = number(r.gbps);
  json["peak_gflops"] = number(r.peakGflops);
  json["peak_kind"] = text(r.peakKind);
  json["peak_fraction"] = number(r.peakFraction);
  json["compile_ms"] = number(r.compileMs);
  json["load_ms"] = number(r.loadMs);
  json["first_call_ms"] = number(r.firstCallMs);
  json["workspace_bytes"] =
      r.workspaceBytes < 0 ? Json(nullptr) : Json(r.workspaceBytes);
  json["cache"] = text(r.cache);
  json["algorithm"] = text(r.algorithm);
  json["schedule"] = text(r.schedule);
  json["artifact"] = text(r.artifact);
  if (!r.profile.empty())
    for (Json &list = json["profile"]; const DispatchTime &each : r.profile)
      list.push_back({{"kernel", each.kernel},
                      {"dispatch", each.dispatch},
                      {"grid", each.grid},
                      {"us", number(each.us)}});
  json["verified"] = r.verified ? Json(*r.verified) : Json(nullptr);
  json["max_abs_err"] = number(r.maxAbsErr);
  json["max_rel_err"] = number(r.maxRelErr);
  json["bound"] = number(r.bound);
  json["error"] = text(r.error());
  // Bytes that are no UTF-8 (a command line may hold any) must not throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
