//===- ReduceLoops.cpp - Loop strength reduction where it pays ------------===//

#include "boo/compiler/emit/ReduceLoops.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopStrengthReduce.h"

using namespace llvm;

namespace {

/// A register tile has at most 28 accumulators and fewer operands; a square of
/// 16 vectors that is transposed has 32 accesses.
constexpr int FewAccesses = 31;

struct ReduceLoops : PassInfoMixin<ReduceLoops> {
  PreservedAnalyses run(Loop &loop, LoopAnalysisManager &analyses,
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
};

} // namespace

void boo::compiler::addReduceLoops(FunctionPassManager &passes) {
  passes.addPass(createFunctionToLoopPassAdaptor(ReduceLoops()));
}

bool boo::compiler::LoopsReducedBefore::shouldRunPass(StringRef pass,
                                                      StringRef) const {
  return pass != "Loop Strength Reduction";
}
