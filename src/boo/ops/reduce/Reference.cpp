//===- Reference.cpp - Reduce nodes in float64 ----------------------------===//

#include "boo/ops/reduce/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/Rows.h"

#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

static void reduceRow(const Row &row, const std::string &fn,
                      const FloatLimits &limits, double *value, double *error) {
  if (fn == "max" || fn == "min") {
    *value = row.x[0];
    for (double x : row.x)
      if (std::isnan(x) || (fn == "max" ? x > *value : x < *value))
        *value = x;
    *error = row.maxError;
    return;
  }
  double n = double(row.x.size()), sum = 0, magnitudes = 0;
  for (double x : row.x) {
    sum += x;
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
  *value = sum / divisor;
  *error = row.maxError == Inf ? Inf : off / divisor + limits.subnormal;
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
               double value, error;
               reduceRow(row, fn, limits, &value, &error);
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
