//===- PointwiseStrategy.cpp - Schedules of groups without an anchor ------===//

#include "boo/compiler/strategy/Strategy.h"

using namespace boo;
using namespace boo::compiler;

Decision boo::compiler::decidePointwise(const Graph &group,
                                        const Target &target) {
  Decision decision;
  RegisterFile registers = registerFile(target.isa);
  decision.schedule.algorithm = Algorithm::Pointwise;
  decision.schedule.vectorBits = registers.bits;
  decision.schedule.fma = registers.fma;
  decision.why = {"pointwise: one pass over the output, in its memory order"};
  return decision;
}
