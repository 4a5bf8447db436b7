//===- Neighbours.h - What a search for Schedules may try -------*- C++ -*-===//
//
// The strategy of `boo tune`: which Schedules are worth a measurement. Running
// them is not its business (driver/tune/).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/strategy/Strategy.h"

namespace boo::compiler {

struct Neighbours {
  Schedule from;
  /// Those that differ from it in one decision, in the form that the emitter
  /// obeys, each once. Likely ones first; what the model finds hopeless is left
  /// out.
  std::vector<Schedule> steps;
};

/// Of the Schedule that decide() makes of `from`: a Schedule's text, possibly
/// partial, or "" for the model's own choice. No step widens what the math mode
/// allows. Equal arguments give equal results.
StatusOr<Neighbours> neighboursOf(const Graph &group, const Target &target,
                                  const Mode &mode, std::string_view from);

/// As text: a line for the Schedule itself, and one for each step.
std::string printNeighbours(const Neighbours &neighbours);

} // namespace boo::compiler
