//===- NumericsReport.cpp - What `boo numerics` found ---------------------===//

#include "boo/driver/Numerics.h"
#include "boo/driver/records/Csv.h"

#include <algorithm>
#include <nlohmann/json.hpp>

using namespace boo;

using Json = nlohmann::ordered_json;

template <typename... Args>
static std::string format(const char *pattern, Args... args) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

namespace {
struct Pair {
  const char *name, *prefix;
  Differences ErrorFigures::*differences;
};
} // namespace

/// iree-turbine compares "gpu vs. pt_gpu", "gpu vs. pt_cpu" and "pt_gpu vs.
/// pt_cpu": the kernel, the same dtype, and the reference.
static constexpr Pair Pairs[] = {
    {"boo vs. direct", "boo_vs_direct", &ErrorFigures::kernelDirect},
    {"boo vs. reference", "boo_vs_ref", &ErrorFigures::kernelReference},
    {"direct vs. reference", "direct_vs_ref", &ErrorFigures::directReference},
};

/// Rows of powers of two of the error, with a bar of the kernel's errors and
/// the numbers of both.
static std::string histogramText(const ErrorFigures &figures) {
  const ErrorHistogram &kernel = figures.kernelReference.histogram;
  const ErrorHistogram &direct = figures.directReference.histogram;
  int first = std::min(kernel.first(), direct.first());
  int last = std::max(kernel.last(), direct.last());
  int64_t most = std::max<int64_t>({kernel.zeros(), direct.zeros(), 1});
  for (int e = first; e <= last; ++e)
    most = std::max({most, kernel.at(e), direct.at(e)});
  auto line = [&](const std::string &head, int64_t a, int64_t b) {
    // Rounded up: what is there is seen.
    size_t bar = size_t((40 * a + most - 1) / most);
    return format(">>> %-10s%10lld %10lld  ", head.c_str(), (long long)a,
                  (long long)b) +
           std::string(bar, '#') + "\n";
  };
  std::string text = ">>> |error|          boo     direct\n" +
                     line("0", kernel.zeros(), direct.zeros());
  // The smallest ones in one row: what counts are the large.
  constexpr int rows = 24;
  if (last - first >= rows) {
    int64_t a = 0, b = 0;
    for (; last - first >= rows - 1; ++first) {
      a += kernel.at(first);
      b += direct.at(first);
    }
    text += line("<2^" + std::to_string(first), a, b);
  }
  for (int e = first; e <= last; ++e)
    text += line("2^" + std::to_string(e), kernel.at(e), direct.at(e));
  return text;
}

std::string boo::numericsLines(const NumericsRow &row, bool verbose,
                               bool histogram) {
  std::string text = ">>> Numerics: " + row.verdict();
  if (row.judged()) {
    text += "  (" + std::to_string(row.figures.kernelReference.count) +
            " samples, " + row.result.algorithm;
    if (row.result.checksCutShort)
      text += "; no time for all checks: --reference-budget";
    text += ")";
  }
  text += "\n";
  if (verbose) {
    for (const std::string &check : row.result.checks)
      text += ">>> check " + check + "\n";
    for (const Pair &pair : Pairs) {
      const Differences &d = row.figures.*pair.differences;
      text += format(">>> %-21s mean=%.3g stddev=%.3g max=%.3g rel=%.3g "
                     "close=%s\n",
                     pair.name, d.mean(), d.stddev(), d.maxAbs, d.maxRel,
                     d.notClose ? "no" : "yes");
    }
  }
  if (histogram && row.judged())
    text += histogramText(row.figures);
  return text;
}

std::string boo::numericsTable(std::span<const NumericsRow> rows) {
  std::string text = "   line verdict spread  of  bias  max error  name\n";
  size_t passed = 0;
  for (const NumericsRow &row : rows) {
    passed += row.passed();
    const Differences &kernel = row.figures.kernelReference;
    std::string word = row.verdict().substr(0, row.verdict().find(' '));
    std::string line =
        format("%7s %-7s", row.where.substr(row.where.rfind(' ') + 1).c_str(),
               word.c_str());
    if (row.judged()) {
      double bias = kernel.stddev() > 0 ? kernel.mean() / kernel.stddev() : 0;
      line +=
          std::isnan(row.spread()) ? "      -" : format(" %6.2f", row.spread());
      line += std::isnan(row.factor) ? "   -" : format(" %3.3g", row.factor);
      line += format(" %5.2f  %9.2e  ", bias, kernel.maxAbs);
    } else {
      line += std::string(31, ' ');
    }
    line += row.name;
    text += line.substr(0, line.size() > 80 ? 77 : 80) +
            (line.size() > 80 ? "...\n" : "\n");
  }
  return text + format("%zu of %zu commands passed\n", passed, rows.size());
}

static std::string number(double value) {
  return std::isnan(value) ? "NA" : format("%.6g", value);
}

/// Head and value of each column behind the name.
static std::vector<std::pair<std::string, std::string>>
columns(const NumericsRow &row) {
  std::vector<std::pair<std::string, std::string>> cells;
  auto add = [&](std::string head, const std::string &value) {
    cells.emplace_back(std::move(head), value);
  };
  auto figure = [&](double value) {
    return row.judged() ? number(value) : "NA";
  };
  auto truth = [&](bool value) -> std::string {
    return !row.judged() ? "NA" : value ? "True" : "False";
  };
  for (const Pair &pair : Pairs) {
    const Differences &d = row.figures.*pair.differences;
    std::string name = pair.name;
    add(name + " pass", truth(d.notClose == 0));
    add(name + " max abs diff", figure(d.maxAbs));
    add(name + " max rel diff", figure(d.maxRel));
  }
  add("numerics_pass", truth(row.passed()));
  for (size_t i : {1u, 2u, 0u}) {
    const Differences &d = row.figures.*Pairs[i].differences;
    std::string prefix = Pairs[i].prefix;
    add(prefix + "_mean", figure(d.mean()));
    add(prefix + "_stddev", figure(d.stddev()));
    add(prefix + "_max", figure(d.maxAbs));
  }
  add("structured_test", row.structuredAsked ? truth(row.structuredOk) : "NA");
  add("stddev_factor", figure(row.factor));
  add("samples", std::to_string(row.figures.kernelReference.count));
  add("algorithm", row.result.algorithm);
  add("verdict", row.verdict());
  Status why = row.why();
  add("error", why.isOk() ? "" : why.toString());
  add("command", row.result.command);
  return cells;
}

std::string boo::numericsCsv(std::span<const NumericsRow> rows) {
  std::vector<std::string> head{"name"};
  for (const auto &[name, value] : columns(NumericsRow()))
    head.push_back(name);
  std::string text = csvLine(head);
  for (const NumericsRow &row : rows) {
    std::vector<std::string> cells{row.name};
    for (const auto &[name, value] : columns(row))
      cells.push_back(value);
    text += csvLine(cells);
  }
  return text;
}

static Json histogramJson(const ErrorHistogram &histogram) {
  Json json;
  json["0"] = histogram.zeros();
  for (int e = histogram.first(); e <= histogram.last(); ++e)
    json["2^" + std::to_string(e)] = histogram.at(e);
  return json;
}

/// As iree-turbine writes it: an object for each pair, in one for each name.
static Json rowJson(const NumericsRow &row, bool histogram) {
  auto figure = [](double value) {
    return std::isfinite(value) ? Json(value) : Json("NA");
  };
  Json json;
  for (const Pair &pair : Pairs) {
    const Differences &d = row.figures.*pair.differences;
    bool judged = row.judged();
    Json &item = json[pair.name];
    item["pass"] = judged ? Json(d.notClose == 0) : Json("NA");
    item["max abs diff"] = judged ? figure(d.maxAbs) : Json("NA");
    item["max rel diff"] = judged ? figure(d.maxRel) : Json("NA");
  }
  for (const auto &[name, value] : columns(row)) {
    if (name.find(' ') != name.npos)
      continue; // in the pairs above
    char *end = nullptr;
    double real = std::strtod(value.c_str(), &end);
    bool isNumber = !value.empty() && *end == 0 && std::isfinite(real);
    json[name] = value == "True"    ? Json(true)
                 : value == "False" ? Json(false)
                 : isNumber         ? Json(real)
                                    : Json(value);
  }
  if (histogram && row.judged()) {
    json["histogram"]["boo"] =
        histogramJson(row.figures.kernelReference.histogram);
    json["histogram"]["direct"] =
        histogramJson(row.figures.directReference.histogram);
  }
  return json;
}

std::string boo::numericsJson(std::span<const NumericsRow> rows,
                              bool histogram) {
  Json all = Json::object();
  for (const NumericsRow &row : rows) {
    std::string name = row.name;
    // One signature with several targets or math modes.
    for (int n = 2; all.contains(name); ++n)
      name = row.name + " (" + std::to_string(n) + ")";
    all[name] = rowJson(row, histogram);
  }
  return all.dump(4, ' ', false, Json::error_handler_t::replace) + "\n";
}
