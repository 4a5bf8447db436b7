//===- Verify.cpp ---------------------------------------------------------===//

#include "boo/driver/Verify.h"
#include "boo/base/Interrupt.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/conv/ConvProblem.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace boo;

/// Functions that give whole numbers for whole numbers.
static bool isExact(PointwiseFn fn) {
  switch (fn) {
  case PointwiseFn::Add:
  case PointwiseFn::Sub:
  case PointwiseFn::Maximum:
  case PointwiseFn::Minimum:
  case PointwiseFn::Neg:
  case PointwiseFn::Abs:
  case PointwiseFn::Relu:
  case PointwiseFn::Relu6:
    return true;
  default:
    return false;
  }
}

int64_t boo::exactMagnitude(const Graph &graph, const std::string &algorithm,
                            const std::string &math) {
  constexpr size_t npos = std::string::npos;
  if (algorithm.find("winograd") != npos)
    return 0;
  int64_t magnitude = 8, anchors = 0, border = 0;
  // Anchors may stand side by side, as the gradients of one convolution do, but
  // not one behind another.
  std::vector<bool> summed(graph.values().size());
  auto isSummed = [&](ValueId id) { return id >= 0 && summed[size_t(id)]; };
  for (const Node &node : graph.nodes()) {
    const TensorType &result = graph.value(node.results.front()).type;
    bool behind =
        std::any_of(node.operands.begin(), node.operands.end(), isSummed);
    if (node.op == Op::Pointwise && isExact(pointwiseFn(node))) {
      // Between groups a narrow type rounds; within one nothing does.
      if (dtypeBytes(result.dtype) < 4 && algorithm.find(" + ") != npos)
        return 0;
      summed[size_t(node.results.front())] = behind;
      continue;
    }
    if (node.op == Op::Pad && !behind) {
      double value = std::fabs(attribute<double>(node, "value"));
      if (!(value <= double(magnitude)) || value != std::floor(value))
        return 0;
      border = std::max(border, int64_t(value));
      continue;
    }
    bool product = isConv(node.op) || node.op == Op::Matmul;
    bool sum =
        node.op == Op::Reduce && attribute<std::string>(node, "fn") == "sum";
    if ((!product && !sum) || behind)
      return 0;
    ++anchors;
    summed[size_t(node.results.front())] = true;
    if (sum) {
      int64_t count = std::max<int64_t>(result.numElements(), 1);
      int64_t terms = graph.value(node.operands[0]).type.numElements() / count;
      // The terms of a product are squares of what a sum has.
      while (magnitude > 0 &&
             terms > (int64_t(1) << 23) / std::max(magnitude, border))
        --magnitude;
      continue;
    }
    const TensorType &filter = graph.value(node.operands[1]).type;
    if (!isFloat(filter.dtype) || filter.numElements() == 0)
      return 0;
    int64_t terms = node.op == Op::Matmul
                        ? filter.sizes[filter.rank() - 2].size()
                        : convProblem(graph, node, result).reduction();
    // Half of 2^24 is left to bias, residual and tail. f16 sums in f16 in parts
    // under fast math.
    int64_t limit = int64_t(1) << 23;
    if (result.dtype == DType::F16 && math == "fast")
      limit = int64_t(1) << 10;
    while (magnitude > 0 &&
           terms > limit / (magnitude * std::max(magnitude, border)))
      --magnitude;
  }
  return anchors ? magnitude : 0;
}

int64_t boo::verifyBytes(const Graph &graph, bool figures) {
  // The reference keeps inputs as doubles, and a value and a bound for each
  // result; Winograd's bound four floats for each element of a convolution.
  // Outputs are kept twice for the threads check.
  double bytes = 0;
  for (const Value &value : graph.values())
    bytes += (value.role == Role::Result ? figures ? 80.0 : 48.0 : 32.0) *
             double(value.type.numElements());
  for (const Output &output : graph.outputs())
    bytes += double(graph.value(output.value).type.spanBytes());
  return bytes > 9e18 ? INT64_MAX : int64_t(bytes);
}

namespace {

class Checker {
public:
  Checker(const Graph &graph, Runner &runner, Operands &operands,
          const VerifyOptions &options)
      : TheGraph(graph), TheRunner(runner), Ops(operands), Options(options) {
    Algorithm = runner.info().algorithm;
    // Groups of several algorithms are held to the loosest.
    for (const char *loose : {"winograd-4x4", "winograd-2x2"})
      if (Algorithm.find(loose) != Algorithm.npos) {
        Algorithm = loose;
        return;
      }
    if (Algorithm.find(" + ") != Algorithm.npos)
      Algorithm = "direct";
  }

  /// Fill, reference, run, compare.
  Status check(const std::string &name, FillSpec spec, FillKind rest,
               Judge judge, Verdict *verdict) {
    BOO_RETURN_IF_ERROR(fill(spec, rest));
    bool random = name == "random";
    BOO_ASSIGN_OR_RETURN(auto expected, reference(spec, rest));
    ReferenceCache::Outputs direct;
    if (random && Options.figures) {
      // Before the run: an inout argument does not survive it.
      BOO_ASSIGN_OR_RETURN(direct, directResults(spec, rest));
    }
    Comparison all;
    BOO_RETURN_IF_ERROR(runAndCompare(*expected, judge, &all));
    if (direct)
      for (size_t i = 0; i != expected->size(); ++i)
        Options.figures->add(outputType(i), Ops.out[i], (*direct)[i].values,
                             (*expected)[i]);
    if (random)
      verdict->figures.merge(all);
    judgeAll(name, spec.seed, all, verdict);
    if (!random || !verdict->ok || spec.seed != Options.seed || interrupted())
      return Status::ok();
    // The same once more, where kernels may not count on alignment.
    Ops.place(TheGraph, /*aligned=*/false);
    Comparison unaligned;
    Status status = fill(spec, rest);
    if (status.isOk())
      status = runAndCompare(*expected, judge, &unaligned);
    Ops.place(TheGraph, /*aligned=*/true);
    BOO_RETURN_IF_ERROR(std::move(status));
    judgeAll("unaligned", spec.seed, unaligned, verdict);
    return Status::ok();
  }

  /// The outputs hold a result of Options.threads workers: compare the bits
  /// with another count's.
  Status checkThreads(FillSpec spec, FillKind rest, Verdict *verdict) {
    // What an inout argument held is gone.
    for (const Output &output : TheGraph.outputs())
      if (output.into != kNoValue)
        return Status::ok();
    int other = Options.threads == 1 ? 2 : 1;
    std::vector<std::vector<char>> first;
    BOO_RETURN_IF_ERROR(fill(spec, rest));
    BOO_RETURN_IF_ERROR(runOnce(Options.threads));
    for (size_t i = 0; i != Ops.out.size(); ++i) {
      const char *data = static_cast<const char *>(Ops.out[i]);
      first.emplace_back(data, data + outputType(i).spanBytes());
    }
    BOO_RETURN_IF_ERROR(runOnce(other));
    for (size_t i = 0; i != Ops.out.size(); ++i) {
      const char *data = static_cast<const char *>(Ops.out[i]);
      auto differs = std::mismatch(first[i].begin(), first[i].end(), data);
      if (differs.first == first[i].end())
        continue;
      verdict->ok = false;
      verdict->failedCheck = "threads";
      verdict->failure = "check 'threads' (seed " + std::to_string(spec.seed) +
                         ") failed: " + std::to_string(Options.threads) +
                         " and " + std::to_string(other) +
                         " workers give different bits, first at byte " +
                         std::to_string(differs.first - first[i].begin()) +
                         " of output " + std::to_string(i);
      return Status::ok();
    }
    verdict->report.push_back("threads: the same bits from " +
                              std::to_string(Options.threads) + " and " +
                              std::to_string(other) + " workers");
    return Status::ok();
  }

private:
  Workers workers() const { return {Options.threads, Options.giveUp}; }

  StatusOr<ReferenceCache::Outputs>
  remembered(const std::string &algorithm, const FillSpec &spec, FillKind rest,
             const ReferenceCache::Compute &compute) {
    if (!Options.references) {
      BOO_ASSIGN_OR_RETURN(auto outputs, compute());
      return ReferenceCache::Outputs(
          std::make_shared<std::vector<ReferenceOutput>>(std::move(outputs)));
    }
    std::string key = printGraph(TheGraph) + algorithm;
    for (auto field : {uint64_t(spec.kind), uint64_t(rest), spec.seed,
                       uint64_t(spec.magnitude)})
      key += " " + std::to_string(field);
    return Options.references->get(key + " " + std::to_string(spec.splat),
                                   compute);
  }
  StatusOr<ReferenceCache::Outputs> reference(const FillSpec &spec,
                                              FillKind rest) {
    return remembered(Algorithm, spec, rest, [&] {
      return evaluateReference(TheGraph, Ops.in, Algorithm, workers());
    });
  }
  /// evaluateDirect(), as outputs without bounds.
  StatusOr<ReferenceCache::Outputs> directResults(const FillSpec &spec,
                                                  FillKind rest) {
    auto compute = [&]() -> StatusOr<std::vector<ReferenceOutput>> {
      BOO_ASSIGN_OR_RETURN(auto values,
                           evaluateDirect(TheGraph, Ops.in, workers()));
      std::vector<ReferenceOutput> outputs;
      for (std::vector<double> &each : values)
        outputs.push_back({std::move(each), {}});
      return outputs;
    };
    return remembered("own types", spec, rest, compute);
  }

  const TensorType &outputType(size_t i) const {
    return TheGraph.value(TheGraph.outputs()[i].value).type;
  }

  Status fill(FillSpec spec, FillKind rest) {
    // `rest` tells the random check, and that of threads, from the others.
    bool first = spec.seed == Options.seed && spec.kind == rest &&
                 rest != FillKind::Integers;
    if (first && Options.load)
      BOO_RETURN_IF_ERROR(Options.load(Ops));
    else
      Ops.fill(TheGraph, spec, rest);
    // Constants are among what was filled.
    return TheRunner.prepare(Ops.in, Options.threads);
  }

  Status runOnce(int threads) {
    Ops.poisonOutputs();
    BOO_RETURN_IF_ERROR(TheRunner.run(Ops.in, Ops.out, threads));
    return TheRunner.deliver(Ops.out);
  }

  Status runAndCompare(const std::vector<ReferenceOutput> &expected,
                       Judge judge, Comparison *all) {
    BOO_RETURN_IF_ERROR(runOnce(Options.threads));
    for (size_t i = 0; i != expected.size(); ++i)
      all->merge(compareOutput(outputType(i), Ops.out[i], expected[i], judge));
    return Ops.checkIntact();
  }

  static void judgeAll(const std::string &name, uint64_t seed,
                       const Comparison &all, Verdict *verdict) {
    note(name, seed, all, verdict);
    if (verdict->ok && all.count > 0 && all.unbounded == all.count) {
      verdict->ok = false;
      verdict->failedCheck = name;
      verdict->failure = "check '" + name +
                         "' proves nothing: every result may overflow or leave "
                         "the domain of its functions; fill with smaller "
                         "numbers (--splat-input-value)";
    }
    if (!all.ok && verdict->ok) {
      verdict->ok = false;
      verdict->failedCheck = name;
      verdict->failure = "check '" + name + "' (seed " + std::to_string(seed) +
                         ") failed " + describeFailure(all);
    }
  }

  static void note(const std::string &name, uint64_t seed,
                   const Comparison &all, Verdict *verdict) {
    char figures[240];
    double n = double(std::max<int64_t>(all.count, 1));
    double mean = all.sumErr / n;
    double variance = std::max(0.0, all.sumSquaredErr / n - mean * mean);
    std::snprintf(figures, sizeof figures,
                  "%s (seed %llu): %s, %lld results (%lld without a bound), "
                  "max_abs_err=%.3g max_rel_err=%.3g bound=%.3g mean_err=%.3g "
                  "stddev_err=%.3g",
                  name.c_str(), (unsigned long long)seed,
                  all.ok ? "ok" : "FAILED", (long long)all.count,
                  (long long)all.unbounded, all.maxAbsErr, all.maxRelErr,
                  all.maxBound, mean, std::sqrt(variance));
    verdict->report.push_back(figures);
  }

  const Graph &TheGraph;
  Runner &TheRunner;
  Operands &Ops;
  const VerifyOptions &Options;
  std::string Algorithm;
};

} // namespace

/// All checks in turn, up to the first that fails or cannot be carried out.
static Status runChecks(const Graph &graph, Runner &runner, Checker &checker,
                        const VerifyOptions &options, Verdict &verdict) {
  FillSpec spec;
  spec.seed = options.seed;
  spec.kind = options.splat ? FillKind::Splat : FillKind::Random;
  spec.splat = options.splat.value_or(0);
  FillSpec first = spec;

  do {
    BOO_RETURN_IF_ERROR(
        checker.check("random", spec, spec.kind, Judge::Bounds, &verdict));
    ++spec.seed;
  } while (verdict.ok && !options.splat && verdict.figures.count > 0 &&
           verdict.figures.count < options.minSamples && !interrupted());

  int64_t magnitude =
      exactMagnitude(graph, runner.info().algorithm, options.math);
  if (verdict.ok && options.structured && !interrupted()) {
    FillSpec integers;
    integers.kind = FillKind::Integers;
    integers.seed = options.seed;
    integers.magnitude = magnitude;
    if (magnitude > 0)
      BOO_RETURN_IF_ERROR(checker.check(
          "integers", integers, FillKind::Integers, Judge::Exact, &verdict));
    else
      verdict.report.push_back("integers: not used, sums of this algorithm, "
                               "tail or length are not exact");
  }
  if (verdict.ok && options.structured && !interrupted()) {
    FillSpec block;
    block.kind = FillKind::Block;
    block.seed = options.seed;
    BOO_RETURN_IF_ERROR(checker.check("block", block, FillKind::Random,
                                      Judge::Bounds, &verdict));
  }
  if (!runner.info().bitsForAnyThreads)
    verdict.report.push_back(
        "threads: not used, the backend promises no bits for them");
  else if (verdict.ok && !interrupted())
    BOO_RETURN_IF_ERROR(checker.checkThreads(first, first.kind, &verdict));
  return Status::ok();
}

StatusOr<Verdict> boo::verifyRunner(const Graph &graph, Runner &runner,
                                    Operands &operands,
                                    const VerifyOptions &options) {
  Verdict verdict;
  Checker checker(graph, runner, operands, options);
  Status status = runChecks(graph, runner, checker, options, verdict);
  bool gaveUp = status.code() == cancelledReference().code() &&
                status.message() == cancelledReference().message();
  if (gaveUp && verdict.figures.count > 0 && !interrupted()) {
    verdict.cutShort = true;
    verdict.report.push_back("the checks behind this one: no time");
    return verdict;
  }
  BOO_RETURN_IF_ERROR(std::move(status));
  return verdict;
}
