//===- Pipelines.h - Passes in their order ----------------------*- C++ -*-===//
#pragma once

#include "boo/compiler/strategy/Schedule.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

namespace boo::compiler {

/// From an emitter's module to the llvm dialect.
struct LoweringOptions {
  int64_t vectorBits = 512;
  bool fma = true;
  /// The ISA converts f16 in hardware (F16C, AVX-512).
  bool hardwareF16 = true;
};
void buildLoweringPipeline(mlir::OpPassManager &pm,
                           const LoweringOptions &options);

/// Every dialect and interface that the pipeline needs.
void registerDialects(mlir::DialectRegistry &registry);
/// BOO's passes and pipelines, by name, for boo-opt.
void registerPasses();

} // namespace boo::compiler
