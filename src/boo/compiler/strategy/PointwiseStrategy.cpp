//===- PointwiseStrategy.cpp - Schedules of groups without an anchor ------===//

#include "boo/compiler/strategy/Strategy.h"

using namespace boo;
using namespace boo::compiler;

/// Bytes of what is computed in one grid tile: enough that finding the tile's
/// place costs nothing, little enough that small tensors feed all cores.
static constexpr int64_t tileBytes = 16 << 10;

static Decision decideElements(const Target &target, Algorithm algorithm) {
  Decision decision;
  RegisterFile registers = registerFile(target.isa);
  decision.schedule.algorithm = algorithm;
  decision.schedule.vectorBits = registers.bits;
  decision.schedule.fma = registers.fma;
  decision.schedule.wChunk = tileBytes * 8 / registers.bits;
  decision.why = {std::string(algorithmName(algorithm)) +
                  ": one pass over the output, in its memory order; grid tiles "
                  "of up to " +
                  std::to_string(decision.schedule.wChunk) + " vectors"};
  return decision;
}

Decision boo::compiler::decidePointwise(const Graph &, const Target &target) {
  return decideElements(target, Algorithm::Pointwise);
}

Decision boo::compiler::decidePad(const Graph &, const Target &target) {
  return decideElements(target, Algorithm::Pad);
}
