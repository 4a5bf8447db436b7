//===- AtenPointwise.cpp - Element by element, as torch promotes ----------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <limits>

using namespace boo;

/// The smallest type that holds both.
static DType promote(DType a, DType b) {
  if (a == b)
    return a;
  for (DType wide : {DType::F64, DType::F32})
    if (a == wide || b == wide)
      return wide;
  return DType::F32; // f16 beside bf16
}

/// torch's rule among floats: tensors without dimensions do not widen others.
static DType promote(const TensorType &a, const TensorType &b) {
  if ((a.rank() == 0) == (b.rank() == 0))
    return promote(a.dtype, b.dtype);
  return a.rank() == 0 ? b.dtype : a.dtype;
}

/// Behind a number in place of the second tensor.
static StatusOr<ValueId> addNumber(AtenGraph &build, ValueId x, PointwiseFn fn,
                                   double number, double alpha) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  switch (fn) {
  case PointwiseFn::Add:
    return build.pointwise(PointwiseFn::Scale, {x}, {1.0, alpha * number});
  case PointwiseFn::Sub:
    return build.pointwise(PointwiseFn::Scale, {x}, {1.0, -alpha * number});
  case PointwiseFn::Mul:
    return build.pointwise(PointwiseFn::Scale, {x}, {number, 0.0});
  case PointwiseFn::Div:
    return build.pointwise(PointwiseFn::Scale, {x}, {1 / number, 0.0});
  case PointwiseFn::Maximum:
    return build.pointwise(PointwiseFn::Clamp, {x}, {number, inf});
  case PointwiseFn::Minimum:
    return build.pointwise(PointwiseFn::Clamp, {x}, {-inf, number});
  default:
    return internalError("no form with a number for " +
                         std::string(build.call().name()));
  }
}

Status boo::buildAtenBinary(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PointwiseFn fn, parsePointwiseFn(call.name()));
  BOO_ASSIGN_OR_RETURN(TensorType left, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(double alpha, call.real(2, 1.0));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  if (call.arguments().size() < 2 || !call.arguments()[1].tensor) {
    BOO_ASSIGN_OR_RETURN(double number, call.real(1, std::nullopt));
    BOO_ASSIGN_OR_RETURN(ValueId result,
                         addNumber(build, x, fn, number, alpha));
    build.result(result);
    return Status::ok();
  }
  BOO_ASSIGN_OR_RETURN(TensorType right, call.tensor(1));
  BOO_ASSIGN_OR_RETURN(ValueId y, build.input(1));
  DType made = promote(left, right);
  BOO_ASSIGN_OR_RETURN(x, build.cast(x, made));
  BOO_ASSIGN_OR_RETURN(y, build.cast(y, made));
  if (alpha != 1) {
    BOO_ASSIGN_OR_RETURN(
        y, build.pointwise(PointwiseFn::Scale, {y}, {alpha, 0.0}));
  }
  BOO_ASSIGN_OR_RETURN(ValueId result, build.pointwise(fn, {x, y}));
  build.result(result);
  return Status::ok();
}

/// The function's parameters, from the arguments behind the tensor.
static StatusOr<std::vector<double>> parametersOf(const AtenCall &call,
                                                  PointwiseFn fn) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<double> defaults;
  if (fn == PointwiseFn::LeakyRelu)
    defaults = {0.01};
  if (fn == PointwiseFn::Elu)
    defaults = {1.0};
  if (fn == PointwiseFn::Clamp)
    defaults = {-inf, inf};
  std::vector<double> parameters;
  for (size_t i = 0; i != defaults.size(); ++i) {
    BOO_ASSIGN_OR_RETURN(double value, call.real(i + 1, defaults[i]));
    parameters.push_back(value);
  }
  return parameters;
}

Status boo::buildAtenUnary(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PointwiseFn fn, parsePointwiseFn(call.name()));
  if (fn == PointwiseFn::Gelu) {
    BOO_ASSIGN_OR_RETURN(std::string form, call.text(1, "none"));
    if (form != "none" && form != "tanh")
      return call.error(1, "must be 'none' or 'tanh'");
    fn = form == "tanh" ? PointwiseFn::GeluTanh : fn;
  }
  BOO_ASSIGN_OR_RETURN(auto parameters, parametersOf(call, fn));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  BOO_ASSIGN_OR_RETURN(ValueId result, build.pointwise(fn, {x}, parameters));
  build.result(result);
  return Status::ok();
}
