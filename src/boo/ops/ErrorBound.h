//===- ErrorBound.h - Rounding errors of the float types --------*- C++ -*-===//
//
// What the reference's bounds are made of. All in the standard model of
// rounding to nearest: fl(a op b) = (a op b)(1 + d) + t, |d| <= unit,
// |t| <= smallest subnormal / 2.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/DType.h"

namespace boo {

struct FloatLimits {
  double unit;      ///< half the epsilon
  double largest;   ///< finite; more may become infinity
  double normal;    ///< smallest normal number
  double subnormal; ///< smallest subnormal number
};
FloatLimits floatLimits(DType dtype);

/// What a product or a sum of products may lose by being tiny. Sums of bf16
/// pairs, in matrix unit and dot products, take denormals as zeros.
double lostProduct(DType dtype, DType accType);

/// The type in which a pointwise function on `dtype` is computed: f64 for f64,
/// f32 for the rest.
DType computeType(DType dtype);

/// `error` after a value within `error` of `value` was rounded to `dtype`.
/// Infinite where the rounding may overflow.
double roundedError(double value, double error, DType dtype);

/// Settles an error bound: 0 for a result that is surely infinite or NaN,
/// infinite where nothing can be said or `dtype` may overflow.
double settledError(double value, double error, DType dtype);

} // namespace boo
