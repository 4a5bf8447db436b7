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
