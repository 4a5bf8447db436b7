//===- Timings.cpp - Times read back from a --csv table -------------------===//

#include "boo/driver/records/Timings.h"
#include "boo/driver/records/Csv.h"

#include <algorithm>
#include <charconv>
#include <iterator>

using namespace boo;

namespace {
/// Where a backend's figures stand; npos where the table lacks them.
struct Columns {
  std::string backend;
  size_t mean, stddev, count, median, p10, p90, threads, verified, error;
};
} // namespace

static constexpr size_t npos = std::string::npos;

static std::string quoted(std::string_view cell) {
  std::string text = "'";
  for (char c : cell.substr(0, 40))
    text += c >= 0 && c < ' ' ? '?' : c;
  return text + (cell.size() > 40 ? "…'" : "'");
}

static StatusOr<std::vector<Columns>>
findColumns(const std::vector<std::string> &names) {
  if (names.empty() || names.front() != "arguments")
    return invalidArgument("line 1: no table of boo driver --csv: its first "
                           "column is " +
                           quoted(names.empty() ? "" : names.front()) +
                           ", not 'arguments'");
  std::vector<Columns> found;
  for (const std::string &name : names) {
    if (!name.ends_with(" mean"))
      continue;
    std::string backend = name.substr(0, name.size() - 5);
    auto column = [&](const char *what) {
      auto at = std::find(names.begin(), names.end(), backend + " " + what);
      return at == names.end() ? npos : size_t(at - names.begin());
    };
    found.push_back({backend, column("mean"), column("stddev"),
                     column("num_dispatches"), column("median"), column("p10"),
                     column("p90"), column("threads"), column("verified"),
                     column("error")});
  }
  if (found.empty())
    return invalidArgument("line 1: there is no column '… mean'");
  return found;
}

/// NaN for the texts that stand where there is no figure.
static bool readFigure(const std::string &cell, double *value) {
  static constexpr std::string_view none[] = {"",
                                              "N.A.",
                                              "untimed",
                                              "failed to collect timing info",
                                              "incomplete profiling data",
                                              "unsupported stat calculation"};
  *value = NAN;
  if (std::find(std::begin(none), std::end(none), cell) != std::end(none))
    return true;
  auto [end, error] =
      std::from_chars(cell.data(), cell.data() + cell.size(), *value);
  return error == std::errc() && end == cell.data() + cell.size() &&
         std::isfinite(*value) && *value >= 0;
}

static StatusOr<Timing> readTiming(const CsvRow &row, const Columns &columns,
                                   const std::vector<std::string> &names) {
  Timing timing;
  timing.command = row.cells.front();
  timing.backend = columns.backend;
  double count = NAN;
  const std::pair<size_t, double *> figures[] = {
      {columns.mean, &timing.mean},     {columns.stddev, &timing.stddev},
      {columns.median, &timing.median}, {columns.p10, &timing.p10},
      {columns.p90, &timing.p90},       {columns.count, &count}};
  for (auto [column, value] : figures)
    if (column != npos && !readFigure(row.cells[column], value))
      return invalidArgument("line " + std::to_string(row.line) + ", column '" +
                             names[column] + "': " + quoted(row.cells[column]) +
                             " is no figure");
  if (count > 0)
    timing.count = int64_t(std::min(count, 1e15));
  if (columns.threads != npos)
    timing.threads = row.cells[columns.threads];
  if (columns.error != npos)
    timing.error = row.cells[columns.error];
  if (columns.verified != npos && row.cells[columns.verified] == "false" &&
      timing.error.empty())
    timing.error = "not verified";
  return timing;
}

StatusOr<std::vector<Timing>> boo::parseTimings(std::string_view csv) {
  BOO_ASSIGN_OR_RETURN(std::vector<CsvRow> rows, parseCsv(csv));
  if (rows.empty())
    return invalidArgument("it is empty");
  const std::vector<std::string> &names = rows.front().cells;
  BOO_ASSIGN_OR_RETURN(auto backends, findColumns(names));
  std::vector<Timing> timings;
  for (size_t i = 1; i != rows.size(); ++i) {
    const CsvRow &row = rows[i];
    if (row.cells.size() != names.size())
      return invalidArgument(
          "line " + std::to_string(row.line) + " has " +
          std::to_string(row.cells.size()) + " cells, the first line " +
          std::to_string(names.size()) + ": was its run cut short?");
    for (const Columns &columns : backends) {
      BOO_ASSIGN_OR_RETURN(Timing timing, readTiming(row, columns, names));
      timings.push_back(std::move(timing));
    }
  }
  return timings;
}
