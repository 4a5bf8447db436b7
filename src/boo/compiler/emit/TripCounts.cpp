//===- TripCounts.cpp - Tells the code generator of rounds ----------------===//

#include "boo/compiler/emit/TripCounts.h"

#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/ProfDataUtils.h"

#include <algorithm>

using namespace llvm;

PreservedAnalyses
boo::compiler::TripCounts::run(Loop &loop, LoopAnalysisManager &,
                               LoopStandardAnalysisResults &results,
                               LPMUpdater &) {
  BasicBlock *exiting = loop.getExitingBlock();
  auto *branch =
      exiting ? dyn_cast<BranchInst>(exiting->getTerminator()) : nullptr;
  if (!branch || !branch->isConditional())
    return PreservedAnalyses::all();
  // How often the branch is reached: all but the last time it stays.
  unsigned count = results.SE.getSmallConstantTripCount(&loop, exiting);
  if (count == 0)
    return PreservedAnalyses::all();
  uint32_t stay = std::max(1u, count - 1);
  bool first = loop.contains(branch->getSuccessor(0));
  setBranchWeights(*branch, {first ? stay : 1, first ? 1 : stay},
                   /*IsExpected=*/false);
  return PreservedAnalyses::all();
}
