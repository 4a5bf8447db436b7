//===- LowerVectors.cpp - Vectors of one dimension ------------------------===//

#include "boo/compiler/passes/Passes.h"

#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_LOWERVECTORS
#include "boo/compiler/passes/Passes.h.inc"

namespace {
struct LowerVectors : impl::LowerVectorsBase<LowerVectors> {
  void runOnOperation() override {
    // What masks hold first: they hold one op each.
    if (failed(apply([](RewritePatternSet &patterns) {
          vector::populateVectorMaskLoweringPatternsForSideEffectingOps(
              patterns);
          vector::populateVectorContractLoweringPatterns(
              patterns, vector::VectorContractLowering::OuterProduct);
        })) ||
        failed(apply([](RewritePatternSet &patterns) {
          vector::populateVectorOuterProductLoweringPatterns(patterns);
          vector::populateVectorMultiReductionLoweringPatterns(
              patterns, vector::VectorMultiReductionLowering::InnerParallel);
          vector::populateVectorTransferPermutationMapLoweringPatterns(
              patterns);
        })) ||
        failed(apply([](RewritePatternSet &patterns) {
          populateVectorToSCFConversionPatterns(
              patterns, VectorTransferToSCFOptions().enableFullUnroll());
          vector::populateVectorTransferLoweringPatterns(patterns,
                                                         /*maxTransferRank=*/1);
          vector::populateVectorBroadcastLoweringPatterns(patterns);
          vector::populateVectorMaskOpLoweringPatterns(patterns);
          vector::populateVectorShapeCastLoweringPatterns(patterns);
          vector::populateVectorTransposeLoweringPatterns(
              patterns, vector::VectorTransposeLowering::Shuffle1D);
          vector::populateVectorInsertExtractStridedSliceTransforms(patterns);
          vector::populateVectorMaskMaterializationPatterns(
              patterns, /*force32BitVectorIndices=*/false);
          vector::populateVectorRankReducingFMAPattern(patterns);
        })) ||
        failed(apply([](RewritePatternSet &patterns) {
          vector::populateVectorFromElementsUnrollPatterns(patterns);
          vector::populateVectorToElementsUnrollPatterns(patterns);
        })))
      signalPassFailure();
  }

private:
  LogicalResult
  apply(llvm::function_ref<void(RewritePatternSet &patterns)> populate) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};
} // namespace
} // namespace boo::compiler
