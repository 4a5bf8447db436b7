//===- AtenActivationGrad.cpp - Gradients of torch's activations ----------===//
//
// Each is the output's gradient times a function of the activation's input or
// result. What is used twice is made twice: values with one user stay in one
// kernel, where equal ones become one again.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

namespace {

/// Makes the nodes that formulas consist of, all of one type, and the operand
/// that stands beside the gradient.
class Formula {
public:
  Formula(AtenGraph &build, TensorType type, ValueId dy, ValueId x)
      : Build(build), Type(std::move(type)), Dy(dy), X(x) {}

  StatusOr<ValueId> gradient();

private:
  const AtenCall &call() const { return Build.call(); }
  ValueId make(PointwiseFn fn, std::vector<ValueId> operands,
               std::vector<double> parameters = {}) {
    return Build.graph().addPointwise(fn, std::move(operands), Type,
                                      std::move(parameters));
  }
  ValueId mul(ValueId a, ValueId b) { return make(PointwiseFn::Mul, {a, b}); }
  ValueId add(ValueId a, ValueId b) { return make(PointwiseFn::Add, {a, b}); }
  ValueId scale(ValueId a, double factor, double added = 0) {
    return make(PointwiseFn::Scale, {a}, {factor, added});
  }
  ValueId one() { return make(PointwiseFn::Pow, {X}, {0.0}); }
  ValueId squared() { return mul(X, X); }
  /// `value` where the operand is above `low`.
  ValueId above(ValueId value, double low) {
    return make(PointwiseFn::Gate, {value, X}, {low, Inf});
  }
  ValueId notAbove(ValueId value, double high) {
    return make(PointwiseFn::Gate, {value, X}, {-Inf, high});
  }
  ValueId negated() { return make(PointwiseFn::Neg, {X}); }
  ValueId below(ValueId value, double high) {
    return make(PointwiseFn::Gate, {value, negated()}, {-high, Inf});
  }
  ValueId notBelow(ValueId value, double low) {
    return make(PointwiseFn::Gate, {value, negated()}, {-Inf, -low});
  }

  ValueId hardSwish();
  ValueId silu();
  ValueId normalDistribution();
  ValueId gelu();
  ValueId geluTanh();
  StatusOr<ValueId> leakyRelu();
  StatusOr<ValueId> elu();

  AtenGraph &Build;
  TensorType Type;
  ValueId Dy, X;
};

} // namespace

/// 0 up to -3, 1 from 3 on, x / 3 + 1 / 2 in between.
ValueId Formula::hardSwish() {
  ValueId middle = below(above(scale(X, 1.0 / 3, 0.5), -3), 3);
  return add(middle, notBelow(one(), 3));
}

/// s * (1 + x * (1 - s)), s = sigmoid(x).
ValueId Formula::silu() {
  ValueId rest = scale(make(PointwiseFn::Sigmoid, {X}), -1, 1);
  return mul(make(PointwiseFn::Sigmoid, {X}), scale(mul(X, rest), 1, 1));
}

/// The normal distribution's function, which the Graph has as a factor of gelu
/// alone: of |x|, which is kept from 0.
ValueId Formula::normalDistribution() {
  auto ofMagnitude = [&] {
    auto magnitude = [&] {
      constexpr double tiny = 1e-30;
      return make(PointwiseFn::Clamp, {make(PointwiseFn::Abs, {X})},
                  {tiny, Inf});
    };
    return make(PointwiseFn::Div,
                {make(PointwiseFn::Gelu, {magnitude()}), magnitude()});
  };
  ValueId left = notAbove(scale(ofMagnitude(), -1, 1), 0);
  return add(above(ofMagnitude(), 0), left);
}

ValueId Formula::gelu() {
  constexpr double invSqrt2Pi = 0.39894228040143267794;
  ValueId density = make(PointwiseFn::Exp, {scale(squared(), -0.5)});
  return add(normalDistribution(), scale(mul(X, density), invSqrt2Pi));
}

/// (1 + t) / 2 + x / 2 * (1 - t^2) * u', t = tanh(u), u = b (x + k x^3).
ValueId Formula::geluTanh() {
  constexpr double b = 0.79788456080286535588, k = 0.044715;
  auto t = [&] {
    ValueId u = scale(mul(X, scale(squared(), k, 1)), b);
    return make(PointwiseFn::Tanh, {u});
  };
  ValueId slope = scale(mul(t(), t()), -1, 1);
  ValueId inner = scale(squared(), 1.5 * k * b, 0.5 * b);
  return add(scale(t(), 0.5, 0.5), mul(mul(X, slope), inner));
}

StatusOr<ValueId> Formula::leakyRelu() {
  BOO_ASSIGN_OR_RETURN(double slope, call().real(2, std::nullopt));
  BOO_ASSIGN_OR_RETURN(bool ofResult, call().truth(3, false));
  if (ofResult && slope < 0)
    return call().error(2, "must not be below 0 where the result is given");
  return add(above(one(), 0), scale(notAbove(one(), 0), slope));
}

/// Of scale * (x > 0 ? x : alpha * (exp(x * inputScale) - 1)).
StatusOr<ValueId> Formula::elu() {
  BOO_ASSIGN_OR_RETURN(double alpha, call().real(1, std::nullopt));
  BOO_ASSIGN_OR_RETURN(double factor, call().real(2, std::nullopt));
  BOO_ASSIGN_OR_RETURN(double inputFactor, call().real(3, std::nullopt));
  BOO_ASSIGN_OR_RETURN(bool ofResult, call().truth(4, false));
  double left = alpha * factor;
  if (ofResult && left < 0)
    return call().error(1, "must not be below 0 where the result is given");
  ValueId slope;
  if (ofResult) {
    slope = scale(X, inputFactor, inputFactor * left);
  } else {
    // Of what is shut out the exponential must not overflow.
    ValueId negative = make(PointwiseFn::Clamp, {X}, {-Inf, 0});
    slope = scale(make(PointwiseFn::Exp, {scale(negative, inputFactor)}),
                  inputFactor * left);
  }
  return add(scale(above(one(), 0), factor), notAbove(slope, 0));
}

StatusOr<ValueId> Formula::gradient() {
  std::string_view name = call().name();
  name.remove_suffix(std::string_view("_backward").size());
  if (name == "threshold") {
    BOO_ASSIGN_OR_RETURN(double threshold, call().real(2, std::nullopt));
    return above(Dy, threshold);
  }
  if (name == "hardtanh") {
    BOO_ASSIGN_OR_RETURN(double low, call().real(2, std::nullopt));
    BOO_ASSIGN_OR_RETURN(double high, call().real(3, std::nullopt));
    return below(above(Dy, low), high);
  }
  if (name == "hardsigmoid")
    return below(above(scale(Dy, 1.0 / 6), -3), 3);
  if (name == "sigmoid")
    return mul(Dy, mul(X, scale(X, -1, 1)));
  if (name == "tanh")
    return mul(Dy, scale(squared(), -1, 1));
  if (name == "hardswish")
    return mul(Dy, hardSwish());
  if (name == "silu")
    return mul(Dy, silu());
  if (name == "softplus") {
    BOO_RETURN_IF_ERROR(checkSoftplus(call(), 1, 2));
    return mul(Dy, make(PointwiseFn::Sigmoid, {X}));
  }
  if (name == "gelu") {
    BOO_ASSIGN_OR_RETURN(std::string form, call().text(2, "none"));
    if (form != "none" && form != "tanh")
      return call().error(2, "must be 'none' or 'tanh'");
    return mul(Dy, form == "tanh" ? geluTanh() : gelu());
  }
  if (name == "leaky_relu" || name == "elu") {
    BOO_ASSIGN_OR_RETURN(ValueId slope, name == "elu" ? elu() : leakyRelu());
    return mul(Dy, slope);
  }
  return internalError("no formula for " + std::string(call().name()));
}

Status boo::checkSoftplus(const AtenCall &call, size_t self, size_t beta) {
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(self));
  for (auto [i, value] : {std::pair(beta, 1.0), std::pair(beta + 1, 20.0)}) {
    BOO_ASSIGN_OR_RETURN(double given, call.real(i, value));
    if (given != value)
      return call.refusal(i, "must be " + std::to_string(int(value)));
  }
  // Beyond the threshold torch has x itself, which is 2e-9 off.
  if (type.dtype == DType::F64)
    return call.refusal(self, "is of doubles, of which torch's threshold "
                              "leaves fewer digits than they have");
  return Status::ok();
}

Status boo::buildAtenActivationGrad(AtenGraph &build) {
  const AtenCall &call = build.call();
  size_t other = call.name() == "elu_backward" ? 5 : 1;
  BOO_ASSIGN_OR_RETURN(TensorType outGrad, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(other));
  if (type.sizes != outGrad.sizes || type.dtype != outGrad.dtype)
    return call.refusal(other, "must be of grad_output's type and sizes");
  BOO_ASSIGN_OR_RETURN(ValueId dy, build.input(0));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(other));
  // Whose layout the result has: torch's functions name the two in either
  // order.
  bool ofInput = call.name() == "threshold_backward" ||
                 call.name() == "leaky_relu_backward";
  BOO_ASSIGN_OR_RETURN(
      std::vector<TensorType> inferred,
      build.infer(Op::Pointwise, {dy, x}, {{"fn", std::string("mul")}}));
  TensorType result =
      inOrderOf(ofInput ? type : outGrad, std::move(inferred.front()));
  BOO_ASSIGN_OR_RETURN(ValueId made, Formula(build, result, dy, x).gradient());
  build.result(made);
  build.setDirection("input_backward");
  return Status::ok();
}
