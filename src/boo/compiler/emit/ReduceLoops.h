//===- ReduceLoops.h - Loop strength reduction where it pays ----*- C++ -*-===//
#pragma once

#include "llvm/IR/OptBisect.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"

namespace boo::compiler {

/// LLVM's loop strength reduction, except for loops with many memory accesses:
/// its search takes tens of milliseconds there and ends with the same code, as
/// the addresses are constants apart.
struct ReduceLoops : llvm::PassInfoMixin<ReduceLoops> {
  llvm::PreservedAnalyses run(llvm::Loop &loop,
                              llvm::LoopAnalysisManager &analyses,
                              llvm::LoopStandardAnalysisResults &results,
                              llvm::LPMUpdater &updater);
};

/// While it is its context's gate, the code generator leaves out the reduction
/// that it would run over all loops.
class LoopsReducedBefore : public llvm::OptPassGate {
public:
  bool shouldRunPass(llvm::StringRef pass, llvm::StringRef) const override;
  bool isEnabled() const override { return true; }
};

} // namespace boo::compiler
