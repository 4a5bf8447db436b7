//===- CloneAsVector.cpp - Scalar bodies on vectors -----------------------===//

#include "boo/compiler/dialect/CloneAsVector.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

bool boo::compiler::isCloneableAsVector(Operation &op) {
  return isa<arith::ConstantOp>(op) ||
         OpTrait::hasElementwiseMappableTraits(&op);
}

void boo::compiler::cloneAsVector(OpBuilder &builder, Location loc,
                                  Operation &op, int64_t lanes,
                                  IRMapping &map) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto type = VectorType::get({lanes}, constant.getType());
    map.map(constant.getResult(),
            arith::ConstantOp::create(
                builder, loc, type,
                DenseElementsAttr::get(type, constant.getValue()))
                .getResult());
    return;
  }
  for (Value operand : op.getOperands())
    if (!map.contains(operand))
      map.map(operand, vector::BroadcastOp::create(
                           builder, loc,
                           VectorType::get({lanes}, operand.getType()), operand)
                           .getResult());
  Operation *copy = builder.clone(op, map);
  for (OpResult result : copy->getResults())
    result.setType(VectorType::get({lanes}, result.getType()));
  map.map(op.getResults(), copy->getResults());
}
