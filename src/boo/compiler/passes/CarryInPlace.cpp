//===- CarryInPlace.cpp - Tensors that loops carry keep their buffer ------===//

#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_CARRYINPLACE
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Whether nothing looks at `value`, or at a slice of it, behind `update`.
bool isReadBefore(Value value, Operation *update) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    if (user == update)
      return llvm::count(update->getOperands(), value) == 1;
    Operation *here = update->getBlock()->findAncestorOpInBlock(*user);
    if (!here || !here->isBeforeInBlock(update))
      return false;
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    return !slice || isReadBefore(slice.getResult(), update);
  });
}

/// Whether `value` is `carried` with parts of it overwritten by ops that can do
/// so in place, tiled loops among them.
bool updates(Value value, Value carried) {
  while (value != carried) {
    Operation *op = value.getDefiningOp();
    Value before;
    if (auto insert = dyn_cast_if_present<tensor::InsertSliceOp>(op))
      before = insert.getDest();
    else if (auto write = dyn_cast_if_present<vector::TransferWriteOp>(op))
      before = write.getBase();
    else if (auto loop = dyn_cast_if_present<scf::ForOp>(op))
      before = loop.getInitArgs()[cast<OpResult>(value).getResultNumber()];
    if (!before || !isReadBefore(before, op))
      return false;
    value = before;
  }
  return true;
}

struct CarryInPlace : impl::CarryInPlaceBase<CarryInPlace> {
  void runOnOperation() override {
    // Loops inside of others come first.
    getOperation().walk([](scf::ForOp loop) {
      auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
      OpBuilder builder(yield);
      for (auto [carried, operand] :
           llvm::zip_equal(loop.getRegionIterArgs(), yield->getOpOperands())) {
        if (!isa<RankedTensorType>(carried.getType()) ||
            updates(operand.get(), carried))
          continue;
        auto placed = bufferization::MaterializeInDestinationOp::create(
            builder, yield.getLoc(), operand.get(), carried);
        operand.set(placed.getResult());
      }
    });
  }
};

} // namespace
} // namespace boo::compiler
