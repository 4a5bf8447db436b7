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
  /// The module holds linalg ops on memrefs, as groups without an anchor do.
  bool linalg = false;
  /// And views and reductions, as what comes out of buildImportPipeline.
  bool imported = false;
  /// Outputs are written past the caches where they can be.
  bool stream = false;
  /// The ISA converts f16 in hardware (F16C, AVX-512).
  bool hardwareF16 = true;
  /// Subnormal bf16 results may be zeros, and the ISA has AVX512-BF16.
  bool flushingBf16 = false;
};
void buildLoweringPipeline(mlir::OpPassManager &pm,
                           const LoweringOptions &options);

/// The part of it that makes loops of linalg ops.
void buildLinalgLowering(mlir::OpPassManager &pm,
                         const LoweringOptions &options);
/// From functions on tensors, one of them public, to that function alone, on
/// memrefs: without calls, and without arithmetic on floats of 16 bits.
void buildImportPipeline(mlir::OpPassManager &pm);

/// Every dialect and interface that the kernels of an anchor need.
void registerDialects(mlir::DialectRegistry &registry);
/// What groups without an anchor need beyond them. Apart, because loading them
/// costs each convolution's compile some time.
void registerTensorDialects(mlir::DialectRegistry &registry);
/// BOO's passes and pipelines, by name, for boo-opt.
void registerPasses();

} // namespace boo::compiler
