//===- Pointwise.h - Meaning of the pointwise functions ---------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"

namespace boo {

/// `pow` multiplies as many factors at most; a larger exponent counts as one
/// that is not whole.
inline constexpr double maxPowerFactors = 0x1p30;

/// The function in float64. NaNs propagate, through maximum, relu and clamp
/// too.
double pointwiseValue(PointwiseFn fn, const double *operands,
                      const double *parameters);

/// How far a kernel may be off that computes `fn` in `compute` from operands
/// that are off by up to `errors`; `value` is pointwiseValue's.
double pointwiseError(PointwiseFn fn, const double *operands,
                      const double *errors, const double *parameters,
                      double value, DType compute);

/// All elements; operands broadcast to the static `type`, whose dtype tells
/// the compute type.
Tensor evaluatePointwise(PointwiseFn fn, const std::vector<double> &parameters,
                         const std::vector<TensorView> &operands,
                         const TensorType &type, Workers workers);

/// A cast inside a group changes the type in which what follows is computed:
/// only one from f64 to a narrower type rounds, to f32.
Tensor evaluateCast(const TensorView &operand, DType from,
                    const TensorType &type, Workers workers);

} // namespace boo
