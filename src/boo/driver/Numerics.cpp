//===- Numerics.cpp -------------------------------------------------------===//

#include "boo/driver/Numerics.h"
#include "boo/base/Interrupt.h"
#include "boo/runtime/Cache.h"

#include <algorithm>
#include <atomic>

using namespace boo;

/// Direct sums are those of the yardstick in another order, often in shorter
/// parts. Winograd's transforms add errors of their own: 2 to 3 times for tiles
/// of 4x4. The yardstick's softmaxes and functions are computed exactly
/// and rounded once, so that kernels in f32 spread more than it; and the
/// elements of a row share the errors of its sums, so that their mean is no
/// sign of a bias. The same is allowed to what is not in this list.
static constexpr SpreadRule Rules[] = {
    {"direct", 1.2, true},     {"depthwise", 1.2, true},
    {"winograd-4x4", 4, true}, {"winograd-2x2", 1.5, true},
    {"rows", 4, false},        {"pointwise", 4, false},
    {"separable", 1.2, true},  {"pad", 1.2, true},
};

std::span<const SpreadRule> boo::spreadRules() { return Rules; }

SpreadRule boo::spreadRule(std::string_view algorithm) {
  SpreadRule rule{"", 0, true};
  while (!algorithm.empty()) {
    constexpr std::string_view plus = " + ";
    size_t end = std::min(algorithm.find(plus), algorithm.size());
    SpreadRule each{"", 4, false};
    for (const SpreadRule &known : Rules)
      if (known.algorithm == algorithm.substr(0, end))
        each = known;
    rule.factor = std::max(rule.factor, each.factor);
    rule.judgesMean &= each.judgesMean;
    algorithm.remove_prefix(std::min(end + plus.size(), algorithm.size()));
  }
  return rule;
}

/// Whether direct evaluation sums as a kernel may, in f32 from product to
/// product: of what it computes exactly and rounds once any kernel spreads
/// more.
static bool sumsDirectly(Op op) {
  return op == Op::Conv || op == Op::ConvGradInput ||
         op == Op::ConvGradWeight || op == Op::Matmul || op == Op::Pad ||
         op == Op::Pointwise || op == Op::Cast;
}

/// Whether statistics tell anything: not of f64, where the reference is no
/// better than the kernel, nor of ops without a yardstick.
static bool isStatistical(const Graph &graph) {
  for (const Node &node : graph.nodes())
    if (graph.value(node.results.front()).type.dtype == DType::F64 ||
        !sumsDirectly(node.op))
      return false;
  return true;
}

NumericsCriteria boo::readCriteria(const DriverValues &flags) {
  NumericsCriteria criteria;
  auto read = [&](DriverFlag flag, double &value) {
    if (flags.given(flag))
      value = flags.real(flag);
  };
  read(DriverFlag::NumericsStddevRtol, criteria.stddevRtol);
  read(DriverFlag::NumericsStddevAtol, criteria.stddevAtol);
  read(DriverFlag::NumericsMeanRtol, criteria.meanRtol);
  read(DriverFlag::NumericsMeanAtol, criteria.meanAtol);
  return criteria;
}

bool NumericsRow::passed() const {
  return judged() && meanOk && spreadOk && nanOk && structuredOk && boundsOk &&
         !result.failed();
}

double NumericsRow::spread() const {
  double direct = figures.directReference.stddev();
  return direct > 0 ? figures.kernelReference.stddev() / direct : NAN;
}

std::string NumericsRow::verdict() const {
  if (!judged())
    return "ERROR";
  if (passed())
    return "PASS";
  std::string reasons;
  auto add = [&](bool ok, const char *reason) {
    if (!ok)
      reasons += (reasons.empty() ? "" : ", ") + std::string(reason);
  };
  add(meanOk, "mean bias");
  add(spreadOk, "stddev");
  add(nanOk, "NaN mismatch");
  add(structuredOk, "structured test");
  add(boundsOk, "error");
  return "FAIL (" + reasons + ")";
}

Status NumericsRow::why() const {
  if (!result.status.isOk() || passed())
    return result.status;
  char text[200];
  const Differences &kernel = figures.kernelReference;
  std::snprintf(text, sizeof text,
                ": mean %.3g, stddev %.3g; a direct sum's stddev %.3g, "
                "factor %g, %lld samples",
                kernel.mean(), kernel.stddev(),
                figures.directReference.stddev(), factor,
                (long long)kernel.count);
  return Status(StatusCode::KernelError, verdict() + text);
}

void boo::judgeNumerics(const NumericsCriteria &criteria, bool statistical,
                        NumericsRow &row) {
  const std::string &failed = row.result.failedCheck;
  row.structuredOk = failed != "integers" && failed != "block";
  row.boundsOk = failed.empty() || !row.structuredOk;
  const Differences &kernel = row.figures.kernelReference;
  row.nanOk = kernel.nanMismatches == 0;
  constexpr int64_t few = 30;
  if (!statistical || kernel.count < few)
    return;
  SpreadRule rule = spreadRule(row.result.algorithm);
  row.factor =
      std::isnan(criteria.stddevRtol) ? rule.factor : criteria.stddevRtol;
  double stddev = kernel.stddev();
  row.spreadOk =
      stddev <=
      criteria.stddevAtol + row.factor * row.figures.directReference.stddev();
  // Four standard errors: what a mean of so many samples may be off by chance.
  double chance = 4 * stddev / std::sqrt(double(kernel.count));
  row.meanOk = !rule.judgesMean ||
               std::fabs(kernel.mean()) <=
                   criteria.meanAtol + criteria.meanRtol * stddev + chance;
}

/// When the references of the command under way run out of time.
static std::atomic<double> Deadline = 0;

static bool outOfTime() { return interrupted() || nowMs() > Deadline; }

NumericsRow boo::runNumerics(const PlannedCommand &planned,
                             ReferenceCache &references, double budget) {
  NumericsRow row;
  row.where = planned.where;
  row.name = planned.name;
  row.result.command = planned.text;
  row.result.status = planned.status;
  if (!planned.status.isOk())
    return row;
  VerifyOptions verify;
  verify.minSamples = 1000;
  verify.figures = &row.figures;
  verify.references = &references;
  verify.giveUp = outOfTime;
  SessionOptions options;
  options.cacheDir = planned.options.cacheDir;
  options.verify = &verify;
  double start = nowMs();
  Deadline = start + budget * 1000;
  row.result = runCommand(planned.line, planned.command, "boo", options);
  row.seconds = (nowMs() - start) / 1000;
  row.structuredAsked = !planned.line.driver.on(DriverFlag::SkipStructured) &&
                        !row.result.checksCutShort;
  if (!interrupted() &&
      row.result.status.toString() == cancelledReference().toString())
    row.result.status = unsupported(
        "no reference within the time allowed: raise --reference-budget, or "
        "make the batch smaller");
  judgeNumerics(readCriteria(planned.line.driver),
                isStatistical(planned.command.graph), row);
  return row;
}
