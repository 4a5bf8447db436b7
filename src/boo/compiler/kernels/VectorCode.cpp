//===- VectorCode.cpp - Arithmetic on whole vectors -----------------------===//

#include "boo/compiler/kernels/VectorCode.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

VectorCode::VectorCode(MLIRContext &context, DType compute, int64_t vectorBits,
                       bool fma)
    : Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module),
      Element(K.type(compute)),
      Lanes(std::max<int64_t>(1, vectorBits / (8 * dtypeBytes(compute)))),
      Vector(VectorType::get({Lanes}, Element)), Fma(fma) {}

VectorCode::Values VectorCode::carry(Value from, Value to, int64_t step,
                                     Values init, const Carry &body) {
  OpBuilder &builder = K.builder();
  auto loop =
      scf::ForOp::create(builder, K.loc(), from, to, K.index(step), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(builder, K.loc(), next);
  return Values(loop.getResults());
}

Value VectorCode::fold(Fold fold, Value a, Value b) {
  if (fold == Fold::Add)
    return addF(a, b);
  // One instruction: a NaN in `b` leaves `a`.
  Value greater = arith::CmpFOp::create(K.builder(), K.loc(),
                                        arith::CmpFPredicate::OGT, b, a);
  return arith::SelectOp::create(K.builder(), K.loc(), greater, b, a);
}

Value VectorCode::foldAll(Fold how, Values values) {
  for (; values.size() > 1; values.resize((values.size() + 1) / 2))
    for (size_t i = 0, half = (values.size() + 1) / 2; i + half < values.size();
         ++i)
      values[i] = fold(how, values[i], values[i + half]);
  return values.front();
}

Value VectorCode::foldLanes(Fold how, Value value) {
  // Lanes change places, so that all end with the same bits.
  for (int64_t distance = Lanes / 2; distance != 0; distance /= 2) {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane != Lanes; ++lane)
      places.push_back(lane ^ distance);
    value = fold(
        how, value,
        vector::ShuffleOp::create(K.builder(), K.loc(), value, value, places));
  }
  return value;
}

Value VectorCode::splat(double value) {
  return arith::ConstantOp::create(
      K.builder(), K.loc(), Vector,
      DenseElementsAttr::get(Vector, K.builder().getFloatAttr(Element, value)));
}
Value VectorCode::broadcast(Value scalar) {
  return vector::BroadcastOp::create(K.builder(), K.loc(), Vector, scalar);
}
Value VectorCode::addF(Value a, Value b) {
  return arith::AddFOp::create(K.builder(), K.loc(), a, b);
}
Value VectorCode::subF(Value a, Value b) {
  return arith::SubFOp::create(K.builder(), K.loc(), a, b);
}
Value VectorCode::mulF(Value a, Value b) {
  return arith::MulFOp::create(K.builder(), K.loc(), a, b);
}
Value VectorCode::divF(Value a, Value b) {
  return arith::DivFOp::create(K.builder(), K.loc(), a, b);
}
Value VectorCode::fmaF(Value a, Value b, Value c) {
  if (!Fma)
    return addF(mulF(a, b), c);
  return math::FmaOp::create(K.builder(), K.loc(), a, b, c);
}
Value VectorCode::expF(Value a) {
  return math::ExpOp::create(K.builder(), K.loc(), a);
}
Value VectorCode::logF(Value a) {
  return math::LogOp::create(K.builder(), K.loc(), a);
}
Value VectorCode::loadVector(Value buffer, Value at) {
  return vector::LoadOp::create(K.builder(), K.loc(), Vector, buffer, at);
}
void VectorCode::storeVector(Value value, Value buffer, Value at) {
  vector::StoreOp::create(K.builder(), K.loc(), value, buffer, at);
}

} // namespace boo::compiler
