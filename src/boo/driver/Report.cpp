//===- Report.cpp - Results for people ------------------------------------===//

#include "boo/driver/Report.h"
#include "boo/driver/commands/Command.h"

using namespace boo;

template <typename... Args>
static std::string format(const char *pattern, Args... args) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

std::string boo::tensorText(const std::vector<int64_t> &sizes, DType dtype) {
  std::string text = "tensor([...], device='cpu', size=(";
  for (size_t i = 0; i != sizes.size(); ++i)
    text += (i ? ", " : "") + std::to_string(sizes[i]);
  // As Python writes a tuple of one.
  text += sizes.size() == 1 ? ",)" : ")";
  return text + ", dtype=torch." + std::string(torchDType(dtype)) + ")";
}

std::string boo::explainReport(const RunResult &result) {
  std::string text = ">>> algorithm: " + result.algorithm +
                     "\n>>> schedule: " + result.schedule + "\n";
  for (const std::string &why : result.why)
    text += ">>> why: " + why + "\n";
  return text;
}

std::string boo::profileReport(const RunResult &result) {
  double all = 0;
  for (const DispatchTime &each : result.profile)
    all += each.us;
  std::string text, kernel;
  for (const DispatchTime &each : result.profile) {
    if (each.kernel != kernel)
      text += ">>> " + each.kernel + "\n";
    kernel = each.kernel;
    text += format(">>> %9.2f us %5.1f %% %6lld tiles  ", each.us,
                   100 * each.us / all, (long long)each.grid) +
            each.dispatch + "\n";
  }
  return text + format(">>> %9.2f in all, of %zu dispatches, %d threads\n", all,
                       result.profile.size(), result.threads);
}

std::string boo::humanReport(const RunResult &result, bool more) {
  std::string text;
  if (!result.status.isOk() && !result.times && !result.verified)
    return text; // nothing came of it; stderr tells why
  for (const auto &[sizes, dtype] : result.outputs)
    text += ">>> " + tensorText(sizes, dtype) + "\n";
  if (const auto &t = result.times) {
    text += format(">>> min=%.2fus max=%.2fus mean=%.2fus stddev=%.2fus\n",
                   t->min, t->max, t->mean, t->stddev);
    if (more) {
      text += format(">>> median=%.2fus p10=%.2fus p90=%.2fus runs=%lld "
                     "threads=%d",
                     t->median, t->p10, t->p90, (long long)t->count,
                     result.threads);
      text += format(" gflops=%.1f gbps=%.1f", result.gflops, result.gbps);
      if (std::isfinite(result.peakFraction))
        text += format(" peak_fraction=%.3f (%s)", result.peakFraction,
                       result.peakKind.c_str());
      text += "\n";
    }
  }
  if (more) {
    text += ">>> cache=" + result.cache;
    if (std::isfinite(result.compileMs))
      text += format(" compile=%.1fms", result.compileMs);
    if (std::isfinite(result.loadMs))
      text += format(" load=%.2fms", result.loadMs);
    text += format(" first_call=%.2fms", result.firstCallMs);
    if (!result.artifact.empty())
      text += " artifact=" + result.artifact;
    text += "\n";
  }
  if (result.verified == true)
    text +=
        format(">>> verified: max_abs_err=%.3g max_rel_err=%.3g bound=%.3g\n",
               result.maxAbsErr, result.maxRelErr, result.bound);
  if (result.verified == false)
    text += ">>> NOT verified: " + result.status.message() + "\n";
  return text;
}
