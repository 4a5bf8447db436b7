//===- Numerics.cpp -------------------------------------------------------===//

#include "boo/driver/Numerics.h"
#include "boo/base/Interrupt.h"
#include "boo/runtime/Cache.h"

#include <algorithm>
#include <atomic>

using namespace boo;

namespace {
struct SpreadFactor {
  std::string_view algorithm;
  double factor;
};
} // namespace

/// Direct sums are those of the yardstick in another order, often in shorter
/// parts. Winograd's transforms add errors of their own: 2 to 3 times for tiles
/// of 4x4. The yardstick's norms, softmaxes and functions are computed exactly
/// and rounded once, so that kernels in f32 spread more than it.
static constexpr SpreadFactor Factors[] = {
    {"direct", 1.2},       {"depthwise", 1.2}, {"winograd-4x4", 4},
    {"winograd-2x2", 1.5}, {"rows", 4},        {"pointwise", 4},
};

double boo::spreadFactor(std::string_view algorithm) {
  double factor = 1.2;
  for (const SpreadFactor &each : Factors)
    if (algorithm.find(each.algorithm) != algorithm.npos)
      factor = std::max(factor, each.factor);
  return factor;
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

void boo::judgeNumerics(const NumericsCriteria &criteria, DType dtype,
                        NumericsRow &row) {
  const std::string &failed = row.result.failedCheck;
  row.structuredOk = failed != "integers" && failed != "block";
  row.boundsOk = failed.empty() || !row.structuredOk;
  row.factor = std::isnan(criteria.stddevRtol)
                   ? spreadFactor(row.result.algorithm)
                   : criteria.stddevRtol;
  const Differences &kernel = row.figures.kernelReference;
  row.nanOk = kernel.nanMismatches == 0;
  // The reference is no better than the kernel: nothing is left to compare.
  if (dtype == DType::F64 || kernel.count == 0) {
    row.factor = NAN;
    return;
  }
  double stddev = kernel.stddev();
  // Four standard errors: what a mean of so many samples may be off by chance.
  double chance = 4 * stddev / std::sqrt(double(kernel.count));
  row.meanOk = std::fabs(kernel.mean()) <=
               criteria.meanAtol + criteria.meanRtol * stddev + chance;
  row.spreadOk =
      stddev <=
      criteria.stddevAtol + row.factor * row.figures.directReference.stddev();
}

/// When the references of the command under way run out of time.
static std::atomic<double> Deadline = 0;

static bool outOfTime() { return interrupted() || nowMs() > Deadline; }

NumericsRow boo::runNumerics(const PlannedCommand &planned,
                             const SessionOptions &session,
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
  SessionOptions options = session;
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
  const auto &outputs = planned.command.graph.outputs();
  DType dtype = outputs.empty()
                    ? DType::F32
                    : planned.command.graph.value(outputs[0].value).type.dtype;
  judgeNumerics(readCriteria(planned.line.driver), dtype, row);
  return row;
}
