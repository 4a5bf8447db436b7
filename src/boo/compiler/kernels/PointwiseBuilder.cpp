//===- PointwiseBuilder.cpp - Pointwise functions as arith and math -------===//
//
// Comparisons are chosen so that a NaN operand ends in a NaN result: `x < 0`
// is false for NaN, so the branch that keeps x must be the other one.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/PointwiseBuilder.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/pointwise/Pointwise.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace boo::compiler {

namespace {

/// Names for the ops that formulas are made of.
struct Formula {
  OpBuilder &B;
  Location Loc;
  Type Element;

  Value c(double value) {
    TypedAttr scalar = B.getFloatAttr(getElementTypeOrSelf(Element), value);
    if (auto vector = dyn_cast<VectorType>(Element))
      return arith::ConstantOp::create(B, Loc, vector,
                                       DenseElementsAttr::get(vector, scalar));
    return arith::ConstantOp::create(B, Loc, scalar);
  }
  Value add(Value a, Value b) { return arith::AddFOp::create(B, Loc, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(B, Loc, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(B, Loc, a, b); }
  Value div(Value a, Value b) { return arith::DivFOp::create(B, Loc, a, b); }
  Value neg(Value a) { return arith::NegFOp::create(B, Loc, a); }
  Value exp(Value a) { return math::ExpOp::create(B, Loc, a); }
  /// `a < b ? yes : no`, `no` when unordered.
  Value less(Value a, Value b, Value yes, Value no) {
    Value test = arith::CmpFOp::create(B, Loc, arith::CmpFPredicate::OLT, a, b);
    return arith::SelectOp::create(B, Loc, test, yes, no);
  }
  Value clamp(Value x, double min, double max) {
    x = less(x, c(min), c(min), x);
    return less(c(max), x, c(max), x);
  }
  /// 1 / (1 + exp(-x)): exp may overflow to infinity, which gives 0.
  Value sigmoid(Value x) { return div(c(1), add(c(1), exp(neg(x)))); }
  Value relu6OfShifted(Value x) { return clamp(add(x, c(3)), 0, 6); }

  Value build(PointwiseFn fn, const std::vector<Value> &v,
              const std::vector<double> &p);
  /// Products for a whole exponent, else by the logarithm.
  Value power(Value x, double exponent);
  Value maximum(Value a, Value b) {
    return arith::MaximumFOp::create(B, Loc, a, b);
  }
  Value minimum(Value a, Value b) {
    return arith::MinimumFOp::create(B, Loc, a, b);
  }
};

Value Formula::power(Value x, double exponent) {
  double factors = std::fabs(exponent);
  if (exponent == 0) {
    Value isNan =
        arith::CmpFOp::create(B, Loc, arith::CmpFPredicate::UNO, x, x);
    return arith::SelectOp::create(B, Loc, isNan, x, c(1));
  }
  if (factors != std::floor(factors) || factors > maxPowerFactors) {
    if (exponent == 0.5)
      return math::SqrtOp::create(B, Loc, x);
    return exp(mul(c(exponent), math::LogOp::create(B, Loc, x)));
  }
  Value result, square = x;
  for (auto left = int64_t(factors); left != 0; left /= 2) {
    if (left % 2)
      result = result ? mul(result, square) : square;
    if (left > 1)
      square = mul(square, square);
  }
  return exponent < 0 ? div(c(1), result) : result;
}

Value Formula::build(PointwiseFn fn, const std::vector<Value> &v,
                     const std::vector<double> &p) {
  Value x = v[0];
  switch (fn) {
  case PointwiseFn::Add:
    return add(x, v[1]);
  case PointwiseFn::Sub:
    return sub(x, v[1]);
  case PointwiseFn::Mul:
    return mul(x, v[1]);
  case PointwiseFn::Div:
    return div(x, v[1]);
  case PointwiseFn::Maximum:
    return maximum(x, v[1]);
  case PointwiseFn::Minimum:
    return minimum(x, v[1]);
  case PointwiseFn::Neg:
    return neg(x);
  case PointwiseFn::Abs:
    return math::AbsFOp::create(B, Loc, x);
  case PointwiseFn::Sqrt:
    return math::SqrtOp::create(B, Loc, x);
  case PointwiseFn::Exp:
    return exp(x);
  case PointwiseFn::Log:
    return math::LogOp::create(B, Loc, x);
  case PointwiseFn::Relu:
    return less(x, c(0), c(0), x);
  case PointwiseFn::Relu6:
    return clamp(x, 0, 6);
  case PointwiseFn::LeakyRelu:
    return less(x, c(0), mul(x, c(p[0])), x);
  case PointwiseFn::Elu:
    return less(x, c(0), mul(c(p[0]), math::ExpM1Op::create(B, Loc, x)), x);
  case PointwiseFn::Clamp:
    return clamp(x, p[0], p[1]);
  case PointwiseFn::Sigmoid:
    return sigmoid(x);
  case PointwiseFn::Tanh:
    return math::TanhOp::create(B, Loc, x);
  case PointwiseFn::Gelu: {
    // x/2 * (1 + erf(x / sqrt(2)))
    Value e = math::ErfOp::create(B, Loc, mul(x, c(0.70710678118654752440)));
    return mul(mul(x, c(0.5)), add(c(1), e));
  }
  case PointwiseFn::GeluTanh: {
    // x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
    Value cube = mul(mul(x, x), mul(x, c(0.044715)));
    Value t = math::TanhOp::create(
        B, Loc, mul(add(x, cube), c(0.79788456080286535588)));
    return mul(mul(x, c(0.5)), add(c(1), t));
  }
  case PointwiseFn::Silu:
    return div(x, add(c(1), exp(neg(x))));
  case PointwiseFn::Softplus: {
    // max(x, 0) + log1p(exp(-|x|)) does not overflow.
    Value e = exp(neg(math::AbsFOp::create(B, Loc, x)));
    return add(less(x, c(0), c(0), x), math::Log1pOp::create(B, Loc, e));
  }
  case PointwiseFn::HardSigmoid:
    return mul(relu6OfShifted(x), c(1.0 / 6));
  case PointwiseFn::HardSwish:
    return mul(mul(x, relu6OfShifted(x)), c(1.0 / 6));
  case PointwiseFn::Pow:
    return power(x, p[0]);
  case PointwiseFn::Gate: {
    // What is shut out is 0, unless NaN decides.
    Value shut = less(c(p[1]), v[1], c(0), x);
    if (p[0] != -std::numeric_limits<double>::infinity())
      shut = less(c(p[0]), v[1], shut, c(0));
    Value isNan =
        arith::CmpFOp::create(B, Loc, arith::CmpFPredicate::UNO, v[1], v[1]);
    return arith::SelectOp::create(B, Loc, isNan, v[1], shut);
  }
  case PointwiseFn::Scale:
    return add(mul(x, c(p[0])), c(p[1]));
  }
  llvm_unreachable("all functions are listed");
}

} // namespace

Value buildPointwise(KernelBuilder &kernel, PointwiseFn fn,
                     const std::vector<Value> &operands,
                     const std::vector<double> &parameters) {
  Formula formula{kernel.builder(), kernel.loc(), operands[0].getType()};
  return formula.build(fn, operands, parameters);
}

Value buildTail(KernelBuilder &kernel, const Graph &group, size_t firstNode,
                ValueId result, DType compute,
                std::map<ValueId, Value> values) {
  auto last = size_t(group.value(result).producer);
  for (size_t i = firstNode; i <= last; ++i) {
    const Node &node = group.nodes()[i];
    // Nothing is rounded inside of a group: a cast only says whether what
    // follows is computed in f32 or in f64.
    bool wide = compute == DType::F64 ||
                group.value(node.results[0]).type.dtype == DType::F64;
    Type type = kernel.type(wide ? DType::F64 : DType::F32);
    std::vector<Value> operands;
    for (ValueId id : node.operands)
      operands.push_back(kernel.convert(values.at(id), type));
    values[node.results[0]] =
        node.op == Op::Cast
            ? operands[0]
            : buildPointwise(kernel, pointwiseFn(node), operands,
                             pointwiseParameters(node));
  }
  return kernel.convert(values.at(result),
                        kernel.type(group.value(result).type.dtype));
}

} // namespace boo::compiler
