//===- Off.cpp - Values with error bounds ---------------------------------===//

#include "boo/ops/Off.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

static bool isUnknown(Off a) { return a.error == Inf; }

/// Whether doubles overflowed: the kernel's type may not be wider.
static bool overflows(Off a, Off b, double value) {
  return std::isfinite(a.value) && std::isfinite(b.value) &&
         !std::isfinite(value);
}

/// Rounds a result. What overflows on the way is lost, whatever it meets later.
static Off rounded(Off exact, const FloatLimits &limits) {
  if (!std::isfinite(exact.value))
    return {exact.value, 0};
  double size = std::fabs(exact.value) + exact.error;
  exact.error += 2 * limits.unit * size + limits.subnormal;
  if (!(std::fabs(exact.value) + exact.error <= limits.largest))
    exact.error = Inf;
  return exact;
}

Off boo::plus(Off a, Off b, const FloatLimits &limits) {
  double value = a.value + b.value;
  if (isUnknown(a) || isUnknown(b) || overflows(a, b, value))
    return {value, Inf};
  return rounded({value, a.error + b.error}, limits);
}

Off boo::times(Off a, Off b, const FloatLimits &limits) {
  Off result{a.value * b.value, Inf};
  if (isUnknown(a) || isUnknown(b) || overflows(a, b, result.value))
    return result;
  // Beside an infinity the sign of the other counts, and whether it is zero.
  auto meets = [](Off infinite, Off other) {
    return std::isinf(infinite.value) && other.error > 0 &&
           std::fabs(other.value) <= other.error;
  };
  if (meets(a, b) || meets(b, a))
    return result;
  result.error = std::fabs(a.value) * b.error + std::fabs(b.value) * a.error +
                 a.error * b.error;
  return rounded(result, limits);
}

Off boo::exponential(Off a, const FloatLimits &limits) {
  double value = std::exp(a.value);
  if (isUnknown(a))
    return {value, Inf};
  if (!std::isfinite(a.value))
    return {value, 0};
  double high = std::exp(a.value + a.error);
  double error = high - value + 16 * limits.unit * high + 128 * limits.normal;
  return {value, value + error <= limits.largest ? error : Inf};
}

void OffSum::add(Off term) {
  Value += term.value;
  if (std::isfinite(term.value))
    Magnitudes += std::fabs(term.value);
  Errors += term.error;
  ++Count;
}

Off OffSum::result(const FloatLimits &limits) const {
  // n units for n terms in any order (Jeannerod and Rump, Improved error bounds
  // for inner products, 2013), a few for float64's own.
  constexpr double Few = 4;
  double error = Errors + (Count + Few) * limits.unit * (Magnitudes + Errors);
  if (!(Magnitudes + error <= limits.largest))
    return {Value, Inf};
  return {Value, std::isfinite(Value) ? error : 0};
}
