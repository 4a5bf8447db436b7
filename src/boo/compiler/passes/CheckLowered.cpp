//===- CheckLowered.cpp - Name every op that did not reach LLVM -----------===//

#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace boo::compiler {
#define GEN_PASS_DEF_CHECKLOWERED
#include "boo/compiler/passes/Passes.h.inc"

namespace {
struct CheckLowered : impl::CheckLoweredBase<CheckLowered> {
  void runOnOperation() override {
    mlir::WalkResult result = getOperation()->walk([](mlir::Operation *op) {
      if (mlir::isa<mlir::ModuleOp>(op) ||
          mlir::isa<mlir::LLVM::LLVMDialect>(op->getDialect()))
        return mlir::WalkResult::advance();
      op->emitOpError("has no lowering to the llvm dialect");
      return mlir::WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
} // namespace boo::compiler
