//===- LaneMath.cpp - Arithmetic on vectors of lanes ----------------------===//

#include "boo/compiler/kernels/LaneMath.h"

#include "boo/compiler/dialect/BooDialect.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

LaneMath::LaneMath(KernelBuilder &builder, DType compute, int64_t lanes,
                   bool fma)
    : K(builder), Lanes(lanes), Fma(fma), Element(K.type(compute)),
      Vector(VectorType::get({lanes}, Element)) {}

Value LaneMath::splat(double value) {
  return arith::ConstantOp::create(
      K.builder(), K.loc(), Vector,
      DenseElementsAttr::get(Vector, K.builder().getFloatAttr(Element, value)));
}
Value LaneMath::addF(Value a, Value b) {
  return arith::AddFOp::create(K.builder(), K.loc(), a, b);
}
Value LaneMath::subF(Value a, Value b) {
  return arith::SubFOp::create(K.builder(), K.loc(), a, b);
}
Value LaneMath::mulF(Value a, Value b) {
  return arith::MulFOp::create(K.builder(), K.loc(), a, b);
}
Value LaneMath::divF(Value a, Value b) {
  return arith::DivFOp::create(K.builder(), K.loc(), a, b);
}
Value LaneMath::fmaF(Value a, Value b, Value c) {
  if (!Fma)
    return addF(mulF(a, b), c);
  return math::FmaOp::create(K.builder(), K.loc(), a, b, c);
}
Value LaneMath::expF(Value a) {
  return math::ExpOp::create(K.builder(), K.loc(), a);
}
Value LaneMath::expOfNonPositive(Value a) {
  auto exp = math::ExpOp::create(K.builder(), K.loc(), a);
  exp->setAttr(nonPositiveAttribute, K.builder().getUnitAttr());
  return exp;
}
Value LaneMath::rsqrtF(Value a) {
  return divF(splat(1), math::SqrtOp::create(K.builder(), K.loc(), a));
}

Value LaneMath::greatestF(Value a, Value b) {
  // One instruction.
  Value greater = arith::CmpFOp::create(K.builder(), K.loc(),
                                        arith::CmpFPredicate::OGT, b, a);
  return arith::SelectOp::create(K.builder(), K.loc(), greater, b, a);
}

Value LaneMath::foldVectors(SmallVector<Value> values, Join join) {
  for (; values.size() > 1; values.resize((values.size() + 1) / 2))
    for (size_t i = 0, half = (values.size() + 1) / 2; i + half < values.size();
         ++i)
      values[i] = join(values[i], values[i + half]);
  return values.front();
}

Value LaneMath::keepFirst(Value value, int64_t count, Value otherwise) {
  if (count == Lanes)
    return value;
  SmallVector<bool> bits(size_t(Lanes), false);
  std::fill_n(bits.begin(), count, true);
  auto type = VectorType::get({Lanes}, K.builder().getI1Type());
  Value used = arith::ConstantOp::create(
      K.builder(), K.loc(), type, DenseElementsAttr::get(type, ArrayRef(bits)));
  return arith::SelectOp::create(K.builder(), K.loc(), used, value, otherwise);
}

Value LaneMath::foldAcross(Value value, Join join) {
  // Lanes change places, so that all end with the same bits.
  for (int64_t distance = Lanes / 2; distance != 0; distance /= 2) {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane != Lanes; ++lane)
      places.push_back(lane ^ distance);
    value = join(value, vector::ShuffleOp::create(K.builder(), K.loc(), value,
                                                  value, places));
  }
  return value;
}

} // namespace boo::compiler
