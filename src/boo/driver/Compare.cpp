//===- Compare.cpp --------------------------------------------------------===//

#include "boo/driver/Compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace boo;

void Comparison::merge(const Comparison &other) {
  if (ok && !other.ok) {
    index = other.index;
    expected = other.expected;
    got = other.got;
    bound = other.bound;
  }
  ok = ok && other.ok;
  count += other.count;
  failures += other.failures;
  unbounded += other.unbounded;
  maxAbsErr = std::max(maxAbsErr, other.maxAbsErr);
  maxRelErr = std::max(maxRelErr, other.maxRelErr);
  maxBound = std::max(maxBound, other.maxBound);
  sumErr += other.sumErr;
  sumSquaredErr += other.sumSquaredErr;
}

void ErrorHistogram::add(double error) {
  if (error == 0) {
    ++Zeros;
    return;
  }
  int exponent = std::isfinite(error)
                     ? std::clamp(std::ilogb(error), Lowest, Highest)
                     : Highest;
  First = std::min(First, exponent);
  Last = std::max(Last, exponent);
  ++Counts[size_t(exponent - Lowest)];
}

int64_t ErrorHistogram::at(int exponent) const {
  if (exponent < Lowest || exponent > Highest)
    return 0;
  return Counts[size_t(exponent - Lowest)];
}

void Differences::add(double got, double want, double rtol, double atol) {
  ++count;
  if (std::isnan(got) || std::isnan(want)) {
    bool mismatch = std::isnan(got) != std::isnan(want);
    nanMismatches += mismatch;
    notClose += mismatch;
    return;
  }
  double difference = got == want ? 0 : got - want; // infinities too
  histogram.add(difference);
  maxAbs = std::max(maxAbs, std::fabs(difference));
  if (want != 0 && std::isfinite(want))
    maxRel = std::max(maxRel, std::fabs(difference) / std::fabs(want));
  // Not so for an infinity or a NaN.
  bool close = std::fabs(difference) <= atol + rtol * std::fabs(want);
  notClose += !close || (std::isinf(want) && difference != 0);
  if (std::isfinite(difference)) {
    sum += difference;
    sumSquared += difference * difference;
  }
}

double Differences::mean() const { return count ? sum / double(count) : 0; }

double Differences::stddev() const {
  if (!count)
    return 0;
  double variance = sumSquared / double(count) - mean() * mean();
  return std::sqrt(std::max(variance, 0.0));
}

double boo::closeRtol(DType dtype) {
  return std::max(1e-4, isFloat(dtype) ? dtypeEpsilon(dtype) : 0);
}

void ErrorFigures::add(const TensorType &type, const void *got,
                       const std::vector<double> &direct,
                       const ReferenceOutput &expected) {
  double rtol = closeRtol(type.dtype);
  std::vector<int64_t> positions = elementPositions(type);
  for (size_t i = 0; i != expected.values.size(); ++i) {
    if (std::isinf(expected.bounds[i]))
      continue;
    double have = loadElement(got, type.dtype, positions[i]);
    double want = expected.values[i];
    kernelDirect.add(have, direct[i], rtol, CloseAtol);
    kernelReference.add(have, want, rtol, CloseAtol);
    directReference.add(direct[i], want, rtol, CloseAtol);
  }
}

static double rounded(DType dtype, double value) {
  alignas(8) char bytes[8];
  storeElement(bytes, dtype, 0, value);
  return loadElement(bytes, dtype, 0);
}

Comparison boo::compareOutput(const TensorType &type, const void *got,
                              const ReferenceOutput &expected, Judge judge) {
  Comparison result;
  std::vector<int64_t> at(type.rank(), 0);
  for (size_t i = 0; i != expected.values.size(); ++i) {
    int64_t offset = 0;
    for (size_t d = 0; d != at.size(); ++d)
      offset += at[d] * type.strides[d];
    double have = loadElement(got, type.dtype, offset);
    double want = expected.values[i];
    double bound = judge == Judge::Exact ? 0 : expected.bounds[i];
    double error = have - want;
    bool ok;
    if (std::isinf(bound)) {
      ok = true; // nothing is known of it, so it tells nothing of the kernel
      error = 0;
      ++result.unbounded;
    } else if (std::isnan(want) || std::isnan(have)) {
      ok = std::isnan(want) && std::isnan(have);
      error = 0;
    } else if (judge == Judge::Bounds && std::fabs(error) <= bound) {
      ok = true; // covers the usual case without a rounding
    } else {
      double nearestValue = rounded(type.dtype, want);
      ok = have == nearestValue;
      if (ok && std::isinf(have))
        error = 0;
    }
    ++result.count;
    if (std::isfinite(error)) {
      result.maxAbsErr = std::max(result.maxAbsErr, std::fabs(error));
      if (std::fabs(want) > bound && want != 0)
        result.maxRelErr =
            std::max(result.maxRelErr, std::fabs(error) / std::fabs(want));
      result.sumErr += error;
      result.sumSquaredErr += error * error;
    } else {
      result.maxAbsErr = INFINITY;
    }
    if (std::isfinite(bound))
      result.maxBound = std::max(result.maxBound, bound);
    if (!ok && result.failures++ == 0) {
      result.ok = false;
      result.index = at;
      result.expected = want;
      result.got = have;
      result.bound = bound;
    }
    for (size_t d = at.size(); d-- != 0;) {
      if (++at[d] != type.sizes[d].size())
        break;
      at[d] = 0;
    }
  }
  return result;
}

/// The sign of a NaN says nothing.
static double unsignedNan(double value) {
  return std::isnan(value) ? NAN : value;
}

std::string boo::describeFailure(const Comparison &comparison) {
  std::string text = "at [";
  for (size_t d = 0; d != comparison.index.size(); ++d)
    text += (d ? ", " : "") + std::to_string(comparison.index[d]);
  char figures[200];
  std::snprintf(figures, sizeof figures,
                "]: expected %.9g, got %.9g, bound %.3g (the first of %lld bad "
                "among %lld)",
                unsignedNan(comparison.expected), unsignedNan(comparison.got),
                comparison.bound, (long long)comparison.failures,
                (long long)comparison.count);
  return text + figures;
}
