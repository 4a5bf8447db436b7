//===- ErrorBound.cpp - Rounding errors of the float types ----------------===//

#include "boo/ops/ErrorBound.h"

#include <cassert>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

FloatLimits boo::floatLimits(DType dtype) {
  double unit = dtypeEpsilon(dtype) / 2;
  switch (dtype) {
  case DType::F64:
    return {unit, std::numeric_limits<double>::max(), 0x1p-1022, 0x1p-1074};
  case DType::F32:
    return {unit, std::numeric_limits<float>::max(), 0x1p-126, 0x1p-149};
  case DType::F16:
    return {unit, 65504, 0x1p-14, 0x1p-24};
  case DType::BF16:
    return {unit, 0x1.fep127, 0x1p-126, 0x1p-133};
  default:
    assert(false && "floats only");
    return {0, 0, 0, 0};
  }
}

double boo::lostProduct(DType dtype, DType accType) {
  FloatLimits limits = floatLimits(accType);
  return dtype == DType::BF16 ? limits.normal : limits.subnormal;
}

DType boo::computeType(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

double boo::settledError(double value, double error, DType dtype) {
  if (!std::isfinite(value))
    // Infinities and NaNs that come from exact operands are certain; a NaN
    // error is but their trace in the arithmetic of the bound.
    return error == Inf ? Inf : 0;
  if (std::isnan(error) ||
      std::fabs(value) + error > floatLimits(dtype).largest)
    return Inf;
  return error;
}

double boo::roundedError(double value, double error, DType dtype) {
  if (!std::isfinite(value))
    return settledError(value, error, dtype);
  FloatLimits limits = floatLimits(dtype);
  // Behind dot products of pairs what is subnormal in bf16 becomes zero.
  double lost = dtype == DType::BF16 ? limits.normal : limits.subnormal / 2;
  double step = limits.unit * (std::fabs(value) + error) + lost;
  return settledError(value, error + step, dtype);
}
