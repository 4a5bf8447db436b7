//===- ReduceLoops.cpp - Loop strength reduction where it pays ------------===//

#include "boo/compiler/emit/ReduceLoops.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Transforms/Scalar/LoopStrengthReduce.h"

using namespace llvm;

/// A register tile has at most 28 accumulators and fewer operands; a square of
/// 16 vectors that is transposed has 32 accesses.
static constexpr int FewAccesses = 31;

PreservedAnalyses
boo::compiler::ReduceLoops::run(Loop &loop, LoopAnalysisManager &analyses,
                                LoopStandardAnalysisResults &results,
                                LPMUpdater &updater) {
  int accesses = 0;
  for (BasicBlock *block : loop.blocks())
    if (results.LI.getLoopFor(block) == &loop)
      for (Instruction &instruction : *block)
        accesses += instruction.mayReadOrWriteMemory();
  if (accesses > FewAccesses)
    return PreservedAnalyses::all();
  return LoopStrengthReducePass().run(loop, analyses, results, updater);
}

bool boo::compiler::LoopsReducedBefore::shouldRunPass(StringRef pass,
                                                      StringRef) const {
  return pass != "Loop Strength Reduction";
}
