//===- Reference.cpp - Reduce nodes in float64 ----------------------------===//

#include "boo/ops/reduce/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/Rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

namespace {
struct Result {
  double value, error;
};
} // namespace

static Result extreme(const Row &row, const std::string &fn) {
  auto magnitude = [&](double x) { return fn == "amax" ? std::fabs(x) : x; };
  Result result{magnitude(row.x[0]), row.maxError};
  for (double each : row.x)
    if (double x = magnitude(each);
        std::isnan(x) || (fn == "min" ? x < result.value : x > result.value))
      result.value = x;
  return result;
}

/// A kernel multiplies in any order: what any of the factors can make of what
/// is lost is bounded by the product of those greater than 1, and whether
/// something is lost, or overflows, by it and that of those less than 1.
static Result product(const Row &row, const FloatLimits &limits) {
  double value = 1, moved = 1, largest = 1, smallest = 1;
  bool finite = true;
  for (size_t i = 0; i != row.x.size(); ++i) {
    double magnitude = std::fabs(row.x[i]), most = magnitude + row.errors[i];
    value *= row.x[i];
    moved *= most;
    finite &= std::isfinite(row.x[i]);
    if (std::isnan(row.x[i]))
      return {row.x[i], row.maxError == Inf ? Inf : 0};
    if (!std::isfinite(magnitude))
      continue;
    largest *= std::max(most, 1.0);
    if (magnitude != 0)
      smallest *= std::min(magnitude, 1.0);
  }
  bool fits = largest <= limits.largest;
  if (!finite) {
    // Infinity times a zero that is none in exact arithmetic.
    bool certain = fits && smallest >= limits.normal && row.maxError == 0;
    return {value, certain ? 0 : Inf};
  }
  double n = double(row.x.size());
  double rounding = 2 * n * limits.unit * moved;
  double lost = n * limits.subnormal * largest;
  double carried = row.maxError == 0 ? 0 : moved - std::fabs(value);
  return {value, fits ? carried + rounding + lost : Inf};
}

static Result sum(const Row &row, const std::string &fn,
                  const FloatLimits &limits) {
  double n = double(row.x.size()), sum = 0, magnitudes = 0;
  for (double x : row.x) {
    sum += fn == "norm1" ? std::fabs(x) : x;
    magnitudes += std::fabs(x);
  }
  // n units for n terms in any order (Jeannerod and Rump, Improved error bounds
  // for inner products, 2013), a few for the quotient and for float64's own.
  constexpr double Few = 4;
  double off = row.meanError * n + (n + Few) * limits.unit * magnitudes;
  // Partial sums may overflow where the result does not.
  if (std::isfinite(magnitudes) && magnitudes + off > limits.largest)
    off = Inf;
  double divisor = fn == "mean" ? n : 1;
  return {sum / divisor,
          row.maxError == Inf ? Inf : off / divisor + limits.subnormal};
}

static Result norm2(const Row &row, const FloatLimits &limits) {
  double n = double(row.x.size()), squares = 0, carried = 0;
  for (size_t i = 0; i != row.x.size(); ++i) {
    squares += row.x[i] * row.x[i];
    carried += (2 * std::fabs(row.x[i]) + row.errors[i]) * row.errors[i];
  }
  double value = std::sqrt(squares);
  if (row.maxError == Inf)
    return {value, Inf};
  if (!std::isfinite(squares))
    return {value, 0};
  // Squares are rounded before they are added, and may vanish.
  constexpr double Few = 4;
  double off = carried + (n + Few) * limits.unit * (squares + carried) +
               n * limits.subnormal;
  if (squares + off > limits.largest)
    return {value, Inf};
  double below = value - std::sqrt(std::max(0.0, squares - off));
  double above = std::sqrt(squares + off) - value;
  return {value, std::max(below, above) + Few * limits.unit * (value + above)};
}

static Result reduceRow(const Row &row, const std::string &fn,
                        const FloatLimits &limits) {
  if (fn == "max" || fn == "min" || fn == "amax")
    return extreme(row, fn);
  if (fn == "prod")
    return product(row, limits);
  if (fn == "norm2")
    return norm2(row, limits);
  return sum(row, fn, limits);
}

StatusOr<Tensor> boo::evaluateReduce(const Graph &graph, const Node &node,
                                     const TensorView &x, Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  const auto &fn = attribute<std::string>(node, "fn");
  Tensor result;
  auto count = size_t(graph.value(node.results[0]).type.numElements());
  result.values.resize(count);
  result.errors.resize(count);
  forEachRow(x, reducedDims(graph, node), workers,
             [&](int64_t number, const Row &row) {
               auto [value, error] = reduceRow(row, fn, limits);
               result.values[size_t(number)] = value;
               result.errors[size_t(number)] = settledError(value, error, acc);
             });
  if (workers.giveUp())
    return cancelledReference();
  return result;
}

double boo::reduceFlops(const Graph &graph, const Node &node) {
  return double(graph.value(node.operands[0]).type.numElements());
}
