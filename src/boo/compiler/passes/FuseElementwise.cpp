//===- FuseElementwise.cpp - One pass over memory for elementwise chains --===//
//
// Upstream's fusion pass also fuses into reductions, which then compute the
// producer once for each product.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Moving elements about costs nothing wherever it is done.
bool onlyMoves(linalg::LinalgOp op) {
  return op.getBlock()->without_terminator().empty();
}

struct FuseElementwise : impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(
        patterns, [](OpOperand *operand) {
          auto producer = operand->get().getDefiningOp<linalg::LinalgOp>();
          auto consumer = dyn_cast<linalg::LinalgOp>(operand->getOwner());
          if (!producer || !consumer)
            return false;
          if (onlyMoves(producer))
            return true;
          return producer->hasOneUse() &&
                 consumer.getNumParallelLoops() == consumer.getNumLoops() &&
                 producer.getNumLoops() == consumer.getNumLoops();
        });
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("boo-fuse-elementwise: fusion does not end");
      signalPassFailure();
    }
  }
};

} // namespace
} // namespace boo::compiler
