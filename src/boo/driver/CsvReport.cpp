//===- CsvReport.cpp - Results for spreadsheets ---------------------------===//

#include "boo/driver/Report.h"
#include "boo/driver/records/Csv.h"
#include "boo/runtime/Files.h"

#include <cinttypes>

using namespace boo;

static std::string cell(double value) {
  if (!std::isfinite(value))
    return "N.A.";
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

static std::string timeCell(const RunResult &r, double value) {
  if (!r.status.isOk() && !r.times)
    return "N.A.";
  return r.times ? cell(value) : "untimed";
}

namespace {
struct Column {
  const char *name;
  std::string (*value)(const RunResult &);
};
} // namespace

#define BOO_TIME(field)                                                        \
  [](const RunResult &r) { return timeCell(r, r.times ? r.times->field : NAN); }

/// iree-turbine's columns first.
static const Column Columns[] = {
    {"min", BOO_TIME(min)},
    {"max", BOO_TIME(max)},
    {"mean", BOO_TIME(mean)},
    {"stddev", BOO_TIME(stddev)},
    {"num_dispatches", BOO_TIME(count)},
    {"median", BOO_TIME(median)},
    {"p10", BOO_TIME(p10)},
    {"p90", BOO_TIME(p90)},
    {"threads", [](const RunResult &r) { return std::to_string(r.threads); }},
    {"gflops", [](const RunResult &r) { return timeCell(r, r.gflops); }},
    {"gbps", [](const RunResult &r) { return timeCell(r, r.gbps); }},
    {"peak_kind", [](const RunResult &r) { return r.peakKind; }},
    {"peak_fraction",
     [](const RunResult &r) { return timeCell(r, r.peakFraction); }},
    {"compile_ms", [](const RunResult &r) { return cell(r.compileMs); }},
    {"load_ms", [](const RunResult &r) { return cell(r.loadMs); }},
    {"first_call_ms", [](const RunResult &r) { return cell(r.firstCallMs); }},
    {"cache", [](const RunResult &r) { return r.cache; }},
    {"algorithm", [](const RunResult &r) { return r.algorithm; }},
    {"verified",
     [](const RunResult &r) -> std::string {
       return !r.verified ? "" : *r.verified ? "true" : "false";
     }},
    {"max_abs_err", [](const RunResult &r) { return cell(r.maxAbsErr); }},
    {"max_rel_err", [](const RunResult &r) { return cell(r.maxRelErr); }},
    {"bound", [](const RunResult &r) { return cell(r.bound); }},
    {"error",
     [](const RunResult &r) {
       return r.status.isOk() ? std::string() : r.status.toString();
     }},
};

CsvReport::~CsvReport() {
  if (File)
    std::fclose(File);
}

Status CsvReport::open(const std::string &path,
                       std::vector<std::string> backends) {
  File = std::fopen(path.c_str(), "w");
  if (!File)
    return systemError("--csv: open", path);
  Path = path;
  std::vector<std::string> header{"arguments"};
  for (const std::string &backend : backends)
    for (const Column &column : Columns)
      header.push_back(backend + " " + column.name);
  return writeLine(header);
}

Status CsvReport::add(const std::vector<RunResult> &results) {
  std::vector<std::string> cells{results.empty() ? "" : results[0].command};
  for (const RunResult &result : results)
    for (const Column &column : Columns)
      cells.push_back(column.value(result));
  return writeLine(cells);
}

Status CsvReport::writeLine(const std::vector<std::string> &cells) {
  std::string line = csvLine(cells);
  if (std::fwrite(line.data(), 1, line.size(), File) != line.size() ||
      std::fflush(File) != 0)
    return systemError("--csv: write", Path);
  return Status::ok();
}
