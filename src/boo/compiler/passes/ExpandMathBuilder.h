//===- ExpandMathBuilder.h - Arithmetic on scalars and vectors --*- C++ -*-===//
//
// Short names for the arith ops that expansions are written in. All work on
// scalars and on vectors of any length alike: types follow from the operands,
// and a C++ number in the place of an operand becomes a constant, splat over
// the lanes.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

#include "llvm/ADT/ArrayRef.h"

namespace boo::compiler {

using mlir::Value;

class ExpandMathBuilder {
public:
  /// `fma`: mulAdd may be one instruction; otherwise it is two, since math.fma
  /// would call libm.
  ExpandMathBuilder(mlir::OpBuilder &builder, mlir::Location loc,
                    bool fma = false)
      : Builder(builder), Loc(loc), Fma(fma) {}

  using Predicate = mlir::arith::CmpFPredicate;
  using IntPredicate = mlir::arith::CmpIPredicate;

  Value c(mlir::Type type, double value) {
    mlir::Type element = mlir::getElementTypeOrSelf(type);
    return constant(type, Builder.getFloatAttr(element, value));
  }
  Value ci(mlir::Type type, int64_t value) {
    mlir::Type element = mlir::getElementTypeOrSelf(type);
    auto bits = llvm::APInt(element.getIntOrFloatBitWidth(), uint64_t(value),
                            /*isSigned=*/true, /*implicitTrunc=*/true);
    return constant(type, Builder.getIntegerAttr(element, bits));
  }

  // Floats.
  Value add(Value a, Value b) { return make<mlir::arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return make<mlir::arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return make<mlir::arith::MulFOp>(a, b); }
  Value div(Value a, Value b) { return make<mlir::arith::DivFOp>(a, b); }
  Value add(Value a, double b) { return add(a, c(a.getType(), b)); }
  Value sub(Value a, double b) { return sub(a, c(a.getType(), b)); }
  Value mul(Value a, double b) { return mul(a, c(a.getType(), b)); }
  Value negate(Value a) { return make<mlir::arith::NegFOp>(a); }
  /// The size of `a` with the sign of `b`.
  Value copySign(Value a, Value b) {
    return make<mlir::math::CopySignOp>(a, b);
  }
  Value abs(Value a) { return make<mlir::math::AbsFOp>(a); }
  /// a * b + d
  Value mulAdd(Value a, Value b, Value d) {
    if (Fma)
      return make<mlir::math::FmaOp>(a, b, d);
    return add(mul(a, b), d);
  }
  Value mulAdd(Value a, double b, Value d) {
    return mulAdd(a, c(a.getType(), b), d);
  }
  Value mulAdd(Value a, Value b, double d) {
    return mulAdd(a, b, c(a.getType(), d));
  }
  /// coefficients[0] + x * (coefficients[1] + x * …)
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients) {
    Value sum = c(x.getType(), coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = mulAdd(sum, x, coefficient);
    return sum;
  }
  Value compare(Predicate predicate, Value a, Value b) {
    return make<mlir::arith::CmpFOp>(predicate, a, b);
  }
  Value compare(Predicate predicate, Value a, double b) {
    return compare(predicate, a, c(a.getType(), b));
  }
  /// A NaN stays one.
  Value atLeast(Value x, double low) {
    return select(compare(Predicate::OLT, x, low), c(x.getType(), low), x);
  }
  /// Within [low, high]; a NaN stays one.
  Value clamp(Value x, double low, double high) {
    x = atLeast(x, low);
    return select(compare(Predicate::OGT, x, high), c(x.getType(), high), x);
  }

  // Integers.
  Value addInt(Value a, Value b) { return make<mlir::arith::AddIOp>(a, b); }
  Value subInt(Value a, Value b) { return make<mlir::arith::SubIOp>(a, b); }
  Value addInt(Value a, int64_t b) { return addInt(a, ci(a.getType(), b)); }
  Value subInt(Value a, int64_t b) { return subInt(a, ci(a.getType(), b)); }
  Value shiftLeft(Value a, int64_t bits) {
    return make<mlir::arith::ShLIOp>(a, ci(a.getType(), bits));
  }
  Value shiftRight(Value a, int64_t bits) { ///< zeros come in from the left
    return make<mlir::arith::ShRUIOp>(a, ci(a.getType(), bits));
  }
  Value bitAnd(Value a, int64_t b) {
    return make<mlir::arith::AndIOp>(a, ci(a.getType(), b));
  }
  Value bitOr(Value a, Value b) { return make<mlir::arith::OrIOp>(a, b); }
  Value bitOr(Value a, int64_t b) { return bitOr(a, ci(a.getType(), b)); }
  Value compareInt(IntPredicate predicate, Value a, int64_t b) {
    return make<mlir::arith::CmpIOp>(predicate, a, ci(a.getType(), b));
  }

  // Both.
  Value select(Value condition, Value yes, Value no) {
    return make<mlir::arith::SelectOp>(condition, yes, no);
  }
  Value bitcast(mlir::Type element, Value a) {
    return convert<mlir::arith::BitcastOp>(element, a);
  }
  /// The bits of a float, as an integer of its width.
  Value bits(Value a) {
    mlir::Type element = mlir::getElementTypeOrSelf(a.getType());
    return bitcast(Builder.getIntegerType(element.getIntOrFloatBitWidth()), a);
  }
  /// An op from `a` to as many lanes of another element type.
  template <typename OpTy> Value convert(mlir::Type element, Value a) {
    element = mlir::getElementTypeOrSelf(element);
    mlir::Type type = element;
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(a.getType()))
      type = vector.clone(element);
    return OpTy::create(Builder, Loc, type, a);
  }

  mlir::OpBuilder &builder() { return Builder; }
  mlir::Location location() const { return Loc; }

private:
  template <typename OpTy, typename... Args> Value make(Args &&...args) {
    return OpTy::create(Builder, Loc, std::forward<Args>(args)...);
  }
  Value constant(mlir::Type type, mlir::TypedAttr element) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(type))
      return make<mlir::arith::ConstantOp>(
          mlir::DenseElementsAttr::get(vector, mlir::Attribute(element)));
    return make<mlir::arith::ConstantOp>(element);
  }

  mlir::OpBuilder &Builder;
  mlir::Location Loc;
  bool Fma;
};

} // namespace boo::compiler
