//===- LaneMath.cpp - Arithmetic on vectors of lanes ----------------------===//

#include "boo/compiler/kernels/LaneMath.h"

#include "mlir/Dialect/Math/IR/Math.h"

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
Value LaneMath::rsqrtF(Value a) {
  return divF(splat(1), math::SqrtOp::create(K.builder(), K.loc(), a));
}

} // namespace boo::compiler
