//===- TripCounts.h - Tells the code generator of rounds --------*- C++ -*-===//
#pragma once

#include "llvm/Transforms/Scalar/LoopPassManager.h"

namespace boo::compiler {

/// Writes the number of rounds of each loop, where it is a constant, into its
/// branch. Otherwise the register allocator takes every loop for one of some 30
/// rounds, and now and then keeps the constants of a tail in registers while
/// the sums of a long reduction go through memory.
struct TripCounts : llvm::PassInfoMixin<TripCounts> {
  llvm::PreservedAnalyses run(llvm::Loop &loop, llvm::LoopAnalysisManager &,
                              llvm::LoopStandardAnalysisResults &results,
                              llvm::LPMUpdater &);
};

} // namespace boo::compiler
