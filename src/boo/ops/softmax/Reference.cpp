//===- Reference.cpp - Softmax nodes in float64 ---------------------------===//
//
// Bounds: the distance a = x - m is rounded, which changes exp(a) by a factor
// of exp(u |a|); the kernel's exp is off by 2 units in the last place (4 in
// f64). Any m gives the same quotient, so an error of m itself does not count.
// Where sums of chunks are joined, their factors' arguments add up to a, and
// each is one more exp for at least leastRowChunk terms.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/softmax/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/Rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

namespace {

class RowSoftmax {
public:
  RowSoftmax(const Row &row, const FloatLimits &limits) : R(row), L(limits) {
    for (double x : row.x)
      Greatest = std::isnan(x) || x > Greatest ? x : Greatest;
    for (double x : row.x)
      Sum += std::exp(x - Greatest);
    constexpr double Few = 32;
    double n = double(row.x.size());
    for (size_t i = 0; i != row.x.size(); ++i)
      SumError += exponentialError(i);
    SumError += (n + Few) * L.unit * (Sum + SumError);
  }

  /// Whether infinities and NaNs leave nothing to compute.
  bool isCertain() const { return !std::isfinite(Sum); }

  double value(size_t i, bool log) const {
    double a = R.x[i] - Greatest;
    return log ? a - std::log(Sum) : std::exp(a) / Sum;
  }

  double error(size_t i, bool log) const {
    if (R.maxError == Inf)
      return Inf;
    if (isCertain() || R.x[i] == -Inf)
      return 0;
    double value = this->value(i, log);
    // Exact operands give a sum of at least 1.
    double least = Sum - SumError;
    if (least <= 0)
      return Inf;
    if (log) {
      double logarithm = std::log(Sum);
      double error = R.errors[i] + R.maxError +
                     L.unit * std::fabs(R.x[i] - Greatest) +
                     std::max(std::log(Sum + SumError) - logarithm,
                              logarithm - std::log(least));
      return error + 16 * L.unit * std::fabs(logarithm) +
             4 * L.unit * (std::fabs(value) + error) + 128 * L.normal;
    }
    double own = exponentialError(i), e = std::exp(R.x[i] - Greatest);
    double error = (e + own) / least - e / Sum;
    error = std::max(error, e / Sum - (e - own) / (Sum + SumError));
    return error + 8 * L.unit * (value + error) + L.subnormal;
  }

private:
  double exponentialError(size_t i) const {
    double a = R.x[i] - Greatest;
    if (!(a > -Inf))
      return 128 * L.normal;
    double off = 2 * L.unit * std::fabs(a) + R.errors[i];
    double high = std::exp(a + off);
    return (high - std::exp(a)) + 16 * L.unit * high + 128 * L.normal;
  }

  const Row &R;
  const FloatLimits &L;
  double Greatest = -Inf, Sum = 0, SumError = 0;
};

} // namespace

StatusOr<Tensor> boo::evaluateSoftmax(const Graph &graph, const Node &node,
                                      const TensorView &x, Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  bool log = attribute<bool>(node, "log");
  Tensor result;
  auto count = size_t(graph.value(node.results[0]).type.numElements());
  result.values.resize(count);
  result.errors.resize(count);
  forEachRow(
      x, reducedDims(graph, node), workers, [&](int64_t, const Row &row) {
        RowSoftmax softmax(row, limits);
        for (size_t i = 0; i != row.x.size(); ++i) {
          auto at = size_t(row.at[i]);
          double value = softmax.value(i, log);
          result.values[at] = value;
          result.errors[at] = settledError(value, softmax.error(i, log), acc);
        }
      });
  if (workers.giveUp())
    return cancelledReference();
  return result;
}

double boo::softmaxFlops(const Graph &graph, const Node &node) {
  return 4 * double(graph.value(node.operands[0]).type.numElements());
}
