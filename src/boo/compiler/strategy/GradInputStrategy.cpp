//===- GradInputStrategy.cpp - Schedules of input gradients ---------------===//

#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Strategy.h"
#include "boo/compiler/strategy/WinogradStrategy.h"

using namespace boo;
using namespace boo::compiler;

StatusOr<Decision>
boo::compiler::decideGradInput(const Graph &group, const Target &target,
                               const Mode &mode,
                               std::optional<Algorithm> asked) {
  bool gaps = false;
  std::vector<ConvNest> nests = makeGradInputNests(group, &gaps);
  Decision decision;
  NestBounds bounds;
  double flops = 0;
  for (const ConvNest &nest : nests)
    flops += nest.problem.flops();
  if (nests.empty()) {
    RegisterFile registers = registerFile(target.isa);
    decision.schedule.vectorBits = registers.bits;
    decision.schedule.fma = registers.fma;
  } else {
    // The one with most work decides for all.
    bounds.packedAhead = isFilterPackedAhead(group, nests.front(), mode);
    decision = decideNest(nests.front(), target, mode.math, bounds);
  }
  decision.schedule.serial = flops < 5e5;
  if (nests.size() == 1 && !gaps && asked != decision.schedule.algorithm) {
    BOO_ASSIGN_OR_RETURN(decision, weighWinograd(nests.front(), target,
                                                 mode.math, bounds.packedAhead,
                                                 std::move(decision), asked));
  }
  std::string form = "gradient of the input: ";
  form += nests.size() == 1
              ? "a convolution of the output's gradient with the flipped filter"
              : std::to_string(nests.size()) +
                    " convolutions of the output's gradient with taps of the "
                    "flipped filter, for the phases of the stride";
  if (gaps)
    form += "; zeros first, some pixels meet no tap";
  decision.why.insert(decision.why.begin(), form);
  return decision;
}
