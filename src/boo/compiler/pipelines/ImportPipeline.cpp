//===- ImportPipeline.cpp - Tensors to buffers, linalg to loops -----------===//

#include "boo/compiler/passes/Passes.h"
#include "boo/compiler/pipelines/Pipelines.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace boo::compiler;

void boo::compiler::registerTensorDialects(DialectRegistry &registry) {
  registry.insert<affine::AffineDialect, bufferization::BufferizationDialect,
                  linalg::LinalgDialect, tensor::TensorDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(
      registry);
  func::registerInlinerExtension(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerSubsetOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
}

/// Arithmetic on floats of 16 bits would call libgcc: each op works in f32 and
/// rounds its result.
static void emulateHalves(OpPassManager &func) {
  arith::ArithEmulateUnsupportedFloatsOptions halves;
  halves.sourceTypeStrs = {"bf16", "f16"};
  func.addPass(arith::createArithEmulateUnsupportedFloats(halves));
  func.addPass(math::createMathExtendToSupportedTypes());
}

void boo::compiler::buildImportPipeline(OpPassManager &pm) {
  pm.addPass(createInlinerPass());
  pm.addPass(createSymbolDCEPass());
  {
    // Named ops hide the loops that fusion and the lowering look at.
    OpPassManager &func = pm.nest<func::FuncOp>();
    func.addPass(createConvertElementwiseToLinalgPass());
    func.addPass(createLinalgGeneralizeNamedOpsPass());
    func.addPass(createFuseElementwise());
    func.addPass(createCanonicalizerPass());
    func.addPass(createCSEPass());
    func.addPass(createCarryInPlace());
    func.addPass(bufferization::createEmptyTensorEliminationPass());
    func.addPass(bufferization::createEmptyTensorToAllocTensorPass());
  }
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createCanonicalizerPass());
  func.addPass(createCSEPass());
  func.addPass(createForallToForLoopPass());
  // A mask holds one op: what it masks comes apart first.
  func.addPass(createLowerVectors());
  emulateHalves(func);
}

void boo::compiler::buildLinalgLowering(OpPassManager &pm,
                                        const LoweringOptions &options) {
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createLowerElementwise({options.vectorBits}));
  if (!options.imported)
    return;
  func.addPass(createConvertLinalgToLoopsPass());
  func.addPass(createLowerVectors());
  emulateHalves(func);
  func.addPass(memref::createExpandStridedMetadataPass());
  func.addPass(createLowerAffinePass());
}
