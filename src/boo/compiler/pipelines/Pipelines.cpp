//===- Pipelines.cpp - Passes in their order ------------------------------===//

#include "boo/compiler/pipelines/Pipelines.h"
#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/AMX/Transforms.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace boo::compiler;

void boo::compiler::registerDialects(DialectRegistry &registry) {
  registry.insert<BooDialect, amx::AMXDialect, arith::ArithDialect,
                  cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  vector::VectorDialect>();
  registerConvertBooToLLVMInterface(registry);
  registerConvertAMXToLLVMInterface(registry);
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

/// The canonicalizer without a search, quadratic in the number of a tile's
/// sums, for two of them that are the same: they never are.
static std::unique_ptr<Pass> createTileCanonicalizer() {
  GreedyRewriteConfig config;
  config.setUseTopDownTraversal(true).setRegionSimplificationLevel(
      GreedySimplifyRegionLevel::Normal);
  return createCanonicalizerPass(
      config, {"(anonymous namespace)::RemoveDuplicateSuccessorInputUses"});
}

void boo::compiler::buildLoweringPipeline(OpPassManager &pm,
                                          const LoweringOptions &options) {
  if (options.linalg)
    buildLinalgLowering(pm, options);
  // Tiles for a matrix unit first: what stays is for vectors.
  pm.addNestedPass<func::FuncOp>(createLowerBrgemmToAmx());
  LowerBrgemmOptions brgemm;
  brgemm.vectorBits = options.vectorBits;
  brgemm.fma = options.fma;
  pm.addNestedPass<func::FuncOp>(createLowerBrgemm(brgemm));
  pm.addPass(createIntegerHalves());
  OpPassManager &func = pm.nest<func::FuncOp>();
  func.addPass(createExpandFloatConversions(
      {options.hardwareF16, options.flushingBf16}));
  func.addPass(
      createExpandMath({options.fma, /*scalef=*/options.vectorBits == 512}));
  // The tile's index arithmetic repeats itself: fold it before it multiplies.
  func.addPass(createTileCanonicalizer());
  func.addPass(createCSEPass());
  // The canonicalizer makes lists of elements, of any shape.
  if (options.imported)
    pm.addNestedPass<func::FuncOp>(createLowerVectors());
  if (options.stream)
    pm.addPass(createStreamStores());
  OpPassManager &late = pm.nest<func::FuncOp>();
  late.addPass(arith::createArithExpandOpsPass());
  late.addPass(createSCFToControlFlowPass());
  // One conversion for all dialects: separate ones leave casts between them.
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCheckLowered());
}

void boo::compiler::registerPasses() {
  boo::compiler::registerCarryInPlace();
  boo::compiler::registerCheckLowered();
  boo::compiler::registerExpandFloatConversions();
  boo::compiler::registerExpandMath();
  boo::compiler::registerFuseElementwise();
  boo::compiler::registerIntegerHalves();
  boo::compiler::registerLowerBrgemm();
  boo::compiler::registerLowerBrgemmToAmx();
  boo::compiler::registerLowerElementwise();
  boo::compiler::registerLowerVectors();
  boo::compiler::registerPlaceAllocations();
  boo::compiler::registerStreamStores();
}
