//===- Strategy.h - From a group and a target to a Schedule -----*- C++ -*-===//
//
// Pure functions: equal arguments give equal Schedules. They read no
// environment and no CPUID; what they may know of a machine is in its Target.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Target.h"
#include "boo/compiler/strategy/Schedule.h"
#include "boo/graph/Graph.h"

#include <optional>

namespace boo::compiler {

struct ConvNest;

/// What a caller asks for beyond the group and the target.
struct Mode {
  std::string_view math = "default"; ///< "strict", "default" or "fast"
  bool constantsPacked = false; ///< what depends on constants alone is free
};

/// The Schedule of a group in canonical form. Fields that `tuningEntry` (a
/// Schedule's text, possibly partial, or "") names override what the model
/// would choose; none of them widens what the math mode allows. Behind
/// BOO_OPTIONAL_ENTRY an entry that cannot serve is left aside.
StatusOr<Decision> decide(const Graph &group, const Target &target,
                          const Mode &mode, std::string_view tuningEntry);

/// Vector registers of an ISA.
struct RegisterFile {
  int64_t bits;  ///< of one register
  int64_t count; ///< of registers
  bool fma;      ///< fused multiply-add exists
};
RegisterFile registerFile(Isa isa);

/// Whether the emitter can obey `schedule`, and if not, which field is at
/// fault.
Status checkConvSchedule(const Graph &group, const Target &target,
                         const Schedule &schedule);

/// `schedule` without what the group is too small for: a row's pixels, its
/// register tiles and the blocks of channels bound m_tile, w_chunk and n_chunk.
/// The emitter wants this form.
Schedule fitConvSchedule(const Graph &group, Schedule schedule);
/// The same for one of a group's nests.
Status checkNestSchedule(const ConvNest &nest, const Target &target,
                         const Schedule &schedule);
Schedule fitNestSchedule(const ConvNest &nest, Schedule schedule);
/// That, and what another nest than the group's first cannot do as `schedule`
/// says done otherwise: filters in place are packed, rows copied to scratch.
Schedule adaptSchedule(const ConvNest &nest, Schedule schedule);

/// The same of a filter's gradient.
Status checkWeightGradSchedule(const Graph &group, const Target &target,
                               const Schedule &schedule);
Schedule fitWeightGradSchedule(const Graph &group, Schedule schedule);

/// Whether the emitter of norms, softmaxes and reductions can obey.
Status checkRowSchedule(const Graph &group, const Schedule &schedule);

/// The same of attentions. The keys of a block are made whole register tiles.
Status checkAttentionSchedule(const Graph &group, const Schedule &schedule);
Schedule fitAttentionSchedule(const Graph &group, Schedule schedule);

/// Whether the emitter of poolings can obey.
Status checkPoolSchedule(const Graph &group, const Schedule &schedule);

/// What else bounds the choices for one nest of several in a kernel.
struct NestBounds {
  /// Its input comes in scratch, a row at a time: chunks and grid are left to
  /// whoever feeds it.
  bool fed = false;
  int64_t vectorBits = 0;   ///< of the nest that it feeds; 0: it feeds none
  bool packedAhead = false; ///< its filter is, in a prepare plan
};
bool isFilterPackedAhead(const Graph &group, const ConvNest &nest,
                         const Mode &mode);
/// The Schedule of direct sums for one nest.
Decision decideNest(const ConvNest &nest, const Target &target,
                    std::string_view math, const NestBounds &bounds = {});

/// Of a depthwise convolution and a 1x1 one in one group.
Decision decideSeparable(const Graph &group, const Target &target,
                         std::string_view math);
Status checkSeparableSchedule(const Graph &group, const Target &target,
                              const Schedule &schedule);
Schedule fitSeparableSchedule(const Graph &group, Schedule schedule);

/// `asked`: the algorithm that a tuning entry names.
StatusOr<Decision> decideGradInput(const Graph &group, const Target &target,
                                   const Mode &mode,
                                   std::optional<Algorithm> asked);
Decision decideWeightGrad(const Graph &group, const Target &target,
                          std::string_view math);
Decision decidePointwise(const Graph &group, const Target &target);
Decision decidePad(const Graph &group, const Target &target);
Decision decideRows(const Graph &group, const Target &target);
Decision decideAttention(const Graph &group, const Target &target);
Decision decidePool(const Graph &group, const Target &target);

} // namespace boo::compiler
