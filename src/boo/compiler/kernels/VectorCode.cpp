//===- VectorCode.cpp - Arithmetic on whole vectors -----------------------===//

#include "boo/compiler/kernels/VectorCode.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

NewKernel::NewKernel(MLIRContext &context)
    : Module(ModuleOp::create(UnknownLoc::get(&context))), Builder(*Module) {}

VectorCode::VectorCode(MLIRContext &context, DType compute, int64_t vectorBits,
                       bool fma)
    : NewKernel(context),
      LaneMath(Builder, compute,
               std::max<int64_t>(1, vectorBits / (8 * dtypeBytes(compute))),
               fma) {}

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
  return fold == Fold::Add ? addF(a, b) : greatestF(a, b);
}

Value VectorCode::foldAll(Fold how, Values values) {
  return foldVectors(std::move(values),
                     [&](Value a, Value b) { return fold(how, a, b); });
}

Value VectorCode::foldLanes(Fold how, Value value) {
  return foldAcross(value, [&](Value a, Value b) { return fold(how, a, b); });
}

Value VectorCode::broadcast(Value scalar) {
  return vector::BroadcastOp::create(K.builder(), K.loc(), Vector, scalar);
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
