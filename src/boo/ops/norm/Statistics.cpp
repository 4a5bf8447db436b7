//===- Statistics.cpp - Mean and variance of a row ------------------------===//
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

#include "boo/ops/norm/Statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

bool boo::mayBeChunked(const Row &row) {
  return row.x.size() > size_t(leastRowChunk);
}

NormStatistics boo::normStatistics(const Row &row, double eps,
                                   const FloatLimits &limits, bool joined,
                                   bool centred) {
  double n = double(row.x.size()), unit = limits.unit;
  double sum = 0, magnitudes = 0, largest = 0;
  bool finite = true;
  for (double x : row.x) {
    finite &= std::isfinite(x);
    sum += x;
    magnitudes += std::fabs(x);
    largest = std::max(largest, std::fabs(x));
  }
  NormStatistics result;
  double mean = centred ? sum / n : 0, squares = 0;
  for (double x : row.x)
    squares += (x - mean) * (x - mean);
  double variance = squares / n;
  double wide = variance + eps;
  result.mean.value = mean;
  result.variance.value = variance;
  result.scale.value = 1 / std::sqrt(wide);
  if (!std::isfinite(mean) || !std::isfinite(variance)) {
    // An unknown operand leaves nothing known, else these are certain: unless
    // doubles overflowed, where the kernel's type may not even be wider.
    double unknown = row.maxError == Inf || finite ? Inf : 0;
    result.mean.error = result.variance.error = result.scale.error = unknown;
    return result;
  }
  constexpr double Few = 8;
  double sums = (n + Few) * unit;
  double meanError = centred ? row.meanError + sums * (magnitudes / n) +
                                   2 * unit * std::fabs(mean) + limits.subnormal
                             : 0;
  double partError = row.maxError + (joined ? sums * largest : 0);
  double deviation = std::sqrt(variance);
  double varianceError = 2 * sums * variance +
                         2 * deviation * (partError + limits.subnormal) +
                         2 * (partError * partError + meanError * meanError) +
                         n * limits.subnormal;
  double wideError = varianceError + 2 * unit * wide;
  // Sums may overflow before they are divided.
  double most = limits.largest / 4;
  if ((centred && magnitudes > most) || squares + n * varianceError > most) {
    result.mean.error = centred && magnitudes > most ? Inf : meanError;
    result.variance.error = result.scale.error = Inf;
    return result;
  }
  result.mean.error = meanError;
  result.variance.error = varianceError + 2 * unit * variance;
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
