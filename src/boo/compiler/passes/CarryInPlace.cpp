//===- CarryInPlace.cpp - Tensors that loops carry keep their buffer ------===//

#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_CARRYINPLACE
#include "boo/compiler/passes/Passes.h.inc"

namespace {

struct CarryInPlace : impl::CarryInPlaceBase<CarryInPlace> {
  void runOnOperation() override {
    getOperation().walk([](scf::ForOp loop) {
      auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
      OpBuilder builder(yield);
      for (auto [carried, operand] :
           llvm::zip_equal(loop.getRegionIterArgs(), yield->getOpOperands())) {
        if (!isa<RankedTensorType>(carried.getType()) ||
            operand.get() == carried)
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
