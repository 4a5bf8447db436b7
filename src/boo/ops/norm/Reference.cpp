//===- Reference.cpp - Norm nodes in float64 ------------------------------===//
//
// Bounds: a sum of n terms in any order is off by (n - 1) units of the sum of
// their magnitudes (Higham, Accuracy and Stability, section 4.2). Centring by a
// mean that is off by dm adds n dm^2 to the sum of squares, and nothing linear,
// because the centred elements add up to zero (section 1.9). Where statistics
// of chunks are joined, the difference of two means is off by the error of
// both: by Cauchy and Schwarz that adds 2 sqrt(variance) e + e^2 to the
// variance.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/norm/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/Rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

namespace {

/// A value and how far the kernel's may be from it.
struct Off {
  double value = 0, error = 0;
};

struct Statistics {
  Off mean, scale; ///< scale: 1 / sqrt(variance + eps)
};

Statistics statistics(const Row &row, double eps, const FloatLimits &limits) {
  double n = double(row.x.size()), unit = limits.unit;
  double sum = 0, magnitudes = 0, largest = 0;
  bool finite = true;
  for (double x : row.x) {
    finite &= std::isfinite(x);
    sum += x;
    magnitudes += std::fabs(x);
    largest = std::max(largest, std::fabs(x));
  }
  Statistics result;
  double mean = sum / n, squares = 0;
  for (double x : row.x)
    squares += (x - mean) * (x - mean);
  double variance = squares / n;
  double wide = variance + eps;
  result.mean.value = mean;
  result.scale.value = 1 / std::sqrt(wide);
  if (!std::isfinite(mean) || !std::isfinite(variance)) {
    // An unknown operand leaves nothing known, else these are certain: unless
    // doubles overflowed, where the kernel's type may not even be wider.
    double unknown = row.maxError == Inf || finite ? Inf : 0;
    result.mean.error = result.scale.error = unknown;
    return result;
  }
  constexpr double Few = 8;
  double sums = (n + Few) * unit;
  double meanError = row.meanError + sums * (magnitudes / n) +
                     2 * unit * std::fabs(mean) + limits.subnormal;
  double partError = row.x.size() > size_t(leastRowChunk)
                         ? sums * largest + row.maxError
                         : row.maxError;
  double deviation = std::sqrt(variance);
  double varianceError = 2 * sums * variance +
                         2 * deviation * (partError + limits.subnormal) +
                         2 * (partError * partError + meanError * meanError) +
                         n * limits.subnormal;
  double wideError = varianceError + 2 * unit * wide;
  // Sums may overflow before they are divided.
  double most = limits.largest / 4;
  if (magnitudes > most || squares + n * varianceError > most) {
    result.mean.error = magnitudes > most ? Inf : meanError;
    result.scale.error = Inf;
    return result;
  }
  result.mean.error = meanError;
  double least = wide - wideError;
  if (least <= limits.normal) {
    result.scale.error = Inf;
    return result;
  }
  double lowest = 1 / std::sqrt(wide + wideError);
  double highest = 1 / std::sqrt(least);
  result.scale.error =
      std::max(highest - result.scale.value, result.scale.value - lowest) +
      4 * unit * highest;
  return result;
}

/// The product of two values that are off, rounded.
Off times(Off a, Off b, const FloatLimits &limits) {
  Off result{a.value * b.value, std::fabs(a.value) * b.error +
                                    std::fabs(b.value) * a.error +
                                    a.error * b.error};
  result.error += 2 * limits.unit * (std::fabs(result.value) + result.error) +
                  limits.subnormal;
  return result;
}

Off plus(Off a, Off b, const FloatLimits &limits) {
  Off result{a.value + b.value, a.error + b.error};
  result.error += 2 * limits.unit * (std::fabs(result.value) + result.error) +
                  limits.subnormal;
  return result;
}

Tensor emptyTensor(const TensorType &type) {
  Tensor tensor;
  tensor.values.resize(size_t(type.numElements()));
  tensor.errors.resize(size_t(type.numElements()));
  return tensor;
}

/// The values of a small operand, in row-major order.
std::vector<Off> readRow(const TensorView &view) {
  std::vector<int64_t> places{0};
  for (size_t d = 0; d != view.rank(); ++d) {
    std::vector<int64_t> next;
    for (int64_t base : places)
      for (int64_t i = 0; i != view.size(d); ++i)
        next.push_back(base + i * view.stride(d));
    places = std::move(next);
  }
  std::vector<Off> values;
  for (int64_t at : places)
    values.push_back({view.value(at), view.error(at)});
  return values;
}

} // namespace

StatusOr<std::vector<Tensor>>
boo::evaluateNorm(const Graph &graph, const Node &node,
                  const std::vector<TensorView> &operands, Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  double eps = attribute<double>(node, "eps");
  std::vector<Off> weight, bias;
  if (operands.size() > 1)
    weight = readRow(operands[1]);
  if (operands.size() > 2)
    bias = readRow(operands[2]);
  std::vector<Tensor> results;
  for (ValueId id : node.results)
    results.push_back(emptyTensor(graph.value(id).type));

  auto settle = [&](Tensor &tensor, int64_t at, Off off) {
    tensor.values[size_t(at)] = off.value;
    tensor.errors[size_t(at)] = settledError(off.value, off.error, acc);
  };
  forEachRow(operands[0], reducedDims(graph, node), workers,
             [&](int64_t number, const Row &row) {
               Statistics s = statistics(row, eps, limits);
               for (size_t i = 0; i != row.x.size(); ++i) {
                 Off y = plus({row.x[i], row.errors[i]},
                              {-s.mean.value, s.mean.error}, limits);
                 y = times(y, s.scale, limits);
                 if (!weight.empty())
                   y = times(y, weight[i], limits);
                 if (!bias.empty())
                   y = plus(y, bias[i], limits);
                 // What overflows on the way is lost, whatever it meets later.
                 if (s.scale.error == Inf || row.maxError == Inf)
                   y.error = Inf;
                 settle(results[0], row.at[i], y);
               }
               if (results.size() == 3) {
                 settle(results[1], number, s.mean);
                 settle(results[2], number, s.scale);
               }
             });
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

double boo::normFlops(const Graph &graph, const Node &node) {
  return 8 * double(graph.value(node.operands[0]).type.numElements());
}
