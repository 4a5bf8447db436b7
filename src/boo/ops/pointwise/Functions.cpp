//===- Functions.cpp - Each pointwise function and its error --------------===//
//
// A function's entry: its value; how it carries its operands' errors (by a
// Lipschitz constant, or by looking at both ends of the interval where it is
// monotone); and what evaluating it adds, in eps of the compute type: relative
// to the result, and absolute where usual formulas cancel.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/ErrorBound.h"
#include "boo/ops/pointwise/Pointwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

namespace {

constexpr double Inf = std::numeric_limits<double>::infinity();

/// x: operands, e: their errors, p: parameters, r: the exact result.
using Value = double (*)(const double *x, const double *p);
using Carried = double (*)(const double *x, const double *e, const double *p,
                           double r);
using Absolute = double (*)(const double *x, const double *p);

struct Function {
  Value value;
  Carried carried;
  double relativeEps;
  Absolute absoluteEps = [](const double *, const double *) { return 0.0; };
  /// Calls exp, tanh, …: results near the smallest normal may be lost.
  bool transcendental = false;
};

double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::numeric_limits<double>::quiet_NaN();
  return a > b ? a : b;
}
double minimum(double a, double b) { return -maximum(-a, -b); }
double clamp(double x, double low, double high) {
  return minimum(maximum(x, low), high);
}
double sigmoid(double x) {
  double e = std::exp(-std::fabs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
double tanhOfGelu(double x) {
  constexpr double Sqrt2OverPi = 0.79788456080286535588;
  return std::tanh(Sqrt2OverPi * (x + 0.044715 * x * x * x));
}

#define BOO_VALUE(expr)                                                        \
  [](const double *x, const double *p) -> double { return expr; }
#define BOO_CARRIED(expr)                                                      \
  [](const double *x, const double *e, const double *p, double r) -> double {  \
    return expr;                                                               \
  }

/// The larger step from r to either end of [x - e, x + e]. `f` is monotone and
/// undefined below `least`: an interval that reaches across says nothing.
template <typename F>
double monotone(F f, double x, double e, double r, double least = -Inf) {
  if (e == 0)
    return 0;
  if (x - e < least && x + e >= least)
    return Inf;
  return std::max(std::fabs(f(x + e) - r), std::fabs(f(x - e) - r));
}

double carriedByDiv(double a, double da, double b, double db, double r) {
  if (da == 0 && db == 0)
    return 0;
  double least = std::fabs(b) - db;
  return least > 0 ? (da + std::fabs(r) * db) / least : Inf;
}

/// Of a negative number only by a whole exponent.
double power(double x, double exponent) {
  bool whole = exponent == std::floor(exponent) &&
               std::fabs(exponent) <= maxPowerFactors;
  if (x < 0 && !whole)
    return std::numeric_limits<double>::quiet_NaN();
  return std::isnan(x) ? x : std::pow(x, exponent);
}
/// Between the ends of an interval that holds no zero a power is monotone.
double carriedByPower(double x, double e, double exponent, double r) {
  if (e == 0)
    return 0;
  bool whole = exponent == std::floor(exponent);
  if (x + e < 0 && !whole)
    return 0; // surely NaN
  double m = std::fabs(x);
  if (whole && exponent >= 0)
    return std::pow(m + e, exponent) - std::fabs(r);
  if (m <= e)
    return Inf;
  return std::max(std::fabs(std::pow(m + e, exponent) - std::fabs(r)),
                  std::fabs(std::pow(m - e, exponent) - std::fabs(r)));
}
/// A relative error of the logarithm is one of its magnitude in the result, as
/// is one for each factor; near the ends of f32 a reciprocal has few bits.
double powerEps(double x, double exponent) {
  double r = std::fabs(std::pow(x, exponent)), log = std::log(std::fabs(x));
  if (r == 0 || !std::isfinite(r) || exponent == 0)
    return 0;
  if (exponent < 0 && r > 0x1p120)
    return Inf;
  return r * (5 * std::fabs(exponent * log) + std::fabs(exponent));
}

/// Whether min < x <= max; nothing lies below a min of -inf.
bool isOpen(double x, const double *p) {
  return (x > p[0] || p[0] == -Inf) && x <= p[1];
}
double carriedByGate(const double *x, const double *e, const double *p) {
  if (e[1] == 0)
    return isOpen(x[1], p) ? e[0] : 0;
  bool low = isOpen(x[1] - e[1], p), high = isOpen(x[1] + e[1], p);
  if (low && high)
    return e[0];
  bool apart = x[1] + e[1] <= p[0] || x[1] - e[1] > p[1];
  return apart ? 0 : std::fabs(x[0]) + e[0];
}

constexpr Carried Times1 = BOO_CARRIED(e[0]);

constexpr Function Add = {BOO_VALUE(x[0] + x[1]), BOO_CARRIED(e[0] + e[1]), 1};
constexpr Function Sub = {BOO_VALUE(x[0] - x[1]), BOO_CARRIED(e[0] + e[1]), 1};
constexpr Function Mul = {
    BOO_VALUE(x[0] * x[1]),
    BOO_CARRIED(std::fabs(x[0]) * e[1] + std::fabs(x[1]) * e[0] + e[0] * e[1]),
    1};
constexpr Function Div = {BOO_VALUE(x[0] / x[1]),
                          BOO_CARRIED(carriedByDiv(x[0], e[0], x[1], e[1], r)),
                          2};
constexpr Function Maximum = {BOO_VALUE(maximum(x[0], x[1])),
                              BOO_CARRIED(std::max(e[0], e[1])), 0};
constexpr Function Minimum = {BOO_VALUE(minimum(x[0], x[1])),
                              BOO_CARRIED(std::max(e[0], e[1])), 0};
constexpr Function Neg = {BOO_VALUE(-x[0]), Times1, 0};
constexpr Function Abs = {BOO_VALUE(std::fabs(x[0])), Times1, 0};
constexpr Function Sqrt = {
    BOO_VALUE(std::sqrt(x[0])),
    BOO_CARRIED(
        monotone([](double v) { return std::sqrt(v); }, x[0], e[0], r, 0)),
    2};
constexpr Function Exp = {
    BOO_VALUE(std::exp(x[0])),
    BOO_CARRIED(monotone([](double v) { return std::exp(v); }, x[0], e[0], r)),
    4, BOO_VALUE(0), true};
constexpr Function Log = {
    BOO_VALUE(std::log(x[0])),
    BOO_CARRIED(
        monotone([](double v) { return std::log(v); }, x[0], e[0], r, 0)),
    4, BOO_VALUE(0), true};
constexpr Function Relu = {BOO_VALUE(maximum(x[0], 0)), Times1, 0};
constexpr Function Relu6 = {BOO_VALUE(clamp(x[0], 0, 6)), Times1, 0};
constexpr Function LeakyRelu = {
    BOO_VALUE(x[0] >= 0 ? x[0] : p[0] * x[0]),
    BOO_CARRIED(std::max(1.0, std::fabs(p[0])) * e[0]), 2};
// exp(x) - 1 loses what is small against 1.
constexpr Function Elu = {BOO_VALUE(x[0] > 0 ? x[0] : p[0] * std::expm1(x[0])),
                          BOO_CARRIED(std::max(1.0, std::fabs(p[0])) * e[0]), 4,
                          BOO_VALUE(x[0] > 0 ? 0 : 4 * std::fabs(p[0])), true};
constexpr Function Clamp = {BOO_VALUE(clamp(x[0], p[0], p[1])), Times1, 1};
constexpr Function Sigmoid = {BOO_VALUE(sigmoid(x[0])), BOO_CARRIED(e[0] / 4),
                              6, BOO_VALUE(0), true};
constexpr Function Tanh = {BOO_VALUE(std::tanh(x[0])), Times1, 8, BOO_VALUE(0),
                           true};
// 1 + erf and 1 + tanh cancel in the left tail: an error of eps there is one of
// |x| eps in the result. The slopes end at 1.13.
constexpr Function Gelu = {
    BOO_VALUE(x[0] / 2 * std::erfc(-x[0] * 0.70710678118654752440)),
    BOO_CARRIED(1.13 * e[0]), 4, BOO_VALUE(4 * std::fabs(x[0])), true};
constexpr Function GeluTanh = {BOO_VALUE(x[0] / 2 * (1 + tanhOfGelu(x[0]))),
                               BOO_CARRIED(1.13 * e[0]), 4,
                               BOO_VALUE(8 * std::fabs(x[0])), true};
constexpr Function Silu = {BOO_VALUE(x[0] * sigmoid(x[0])),
                           BOO_CARRIED(1.1 * e[0]), 8, BOO_VALUE(0), true};
constexpr Function Softplus = {
    BOO_VALUE(maximum(x[0], 0) + std::log1p(std::exp(-std::fabs(x[0])))),
    Times1, 4, BOO_VALUE(4), true};
// x / 6 + 1 / 2 cancels near -3.
constexpr Function HardSigmoid = {BOO_VALUE(clamp(x[0] + 3, 0, 6) / 6),
                                  BOO_CARRIED(e[0] / 6), 3, BOO_VALUE(1)};
constexpr Function HardSwish = {
    BOO_VALUE(x[0] * clamp(x[0] + 3, 0, 6) / 6), BOO_CARRIED(1.5 * e[0]), 4,
    BOO_VALUE(std::fabs(x[0]) < 4 ? std::fabs(x[0]) : 0)};
constexpr Function Pow = {BOO_VALUE(power(x[0], p[0])),
                          BOO_CARRIED(carriedByPower(x[0], e[0], p[0], r)), 4,
                          BOO_VALUE(powerEps(x[0], p[0])), true};
constexpr Function Gate = {BOO_VALUE(std::isnan(x[1])  ? x[1]
                                     : isOpen(x[1], p) ? x[0]
                                                       : 0),
                           BOO_CARRIED(carriedByGate(x, e, p)), 0};
constexpr Function Scale = {
    BOO_VALUE(x[0] * p[0] + p[1]), BOO_CARRIED(std::fabs(p[0]) * e[0]), 1,
    BOO_VALUE(2 * std::fabs(x[0] * p[0]) + std::fabs(p[1]))};

#undef BOO_VALUE
#undef BOO_CARRIED

constexpr Function Functions[] = {
#define BOO_POINTWISE(name, spelling, operands, parameters) name,
#include "boo/graph/PointwiseFns.inc"
};

} // namespace

double boo::pointwiseValue(PointwiseFn fn, const double *operands,
                           const double *parameters) {
  return Functions[size_t(fn)].value(operands, parameters);
}

double boo::pointwiseError(PointwiseFn fn, const double *operands,
                           const double *errors, const double *parameters,
                           double value, DType compute) {
  const Function &function = Functions[size_t(fn)];
  // An operand of which nothing is known leaves a result of which the same is
  // true, even where the formula makes a NaN of it.
  for (int i = 0; i != pointwiseFnOperands(fn); ++i)
    if (errors[i] == Inf)
      return Inf;
  double carried = function.carried(operands, errors, parameters, value);
  if (carried == Inf || !std::isfinite(value))
    return settledError(value, carried, compute);
  // Evaluation errors act on what the kernel has, not on the exact operands:
  // 8 is no less than any factor of |x| above.
  FloatLimits limits = floatLimits(compute);
  double own = function.relativeEps * std::fabs(value) +
               (function.relativeEps + 8) * carried +
               function.absoluteEps(operands, parameters);
  double least =
      function.transcendental ? 128 * limits.normal : limits.subnormal;
  return settledError(value, carried + 2 * limits.unit * own + least, compute);
}
