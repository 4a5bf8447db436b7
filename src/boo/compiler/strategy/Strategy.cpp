//===- Strategy.cpp - Chooses the family, applies the tuning entry --------===//

#include "boo/compiler/strategy/Strategy.h"
#include "boo/graph/Attributes.h"

using namespace boo;
using namespace boo::compiler;

RegisterFile boo::compiler::registerFile(Isa isa) {
  switch (isa) {
  case Isa::Generic:
    return {128, 16, false};
  case Isa::Avx2:
    return {256, 16, true};
  case Isa::Avx512:
  case Isa::Amx:
    return {512, 32, true};
  }
  return {128, 16, false};
}

/// Whether the group is what partition makes of a convolution, with nothing
/// left open until launch.
static Status checkConvGroup(const Graph &group) {
  if (group.outputs().size() != 1)
    return unsupported("a convolution's group of several outputs");
  const auto &sizes = group.value(group.nodes().front().results[0]).type.sizes;
  for (const Value &value : group.values())
    if (!value.type.isStatic())
      return unsupported("a convolution with symbolic sizes");
  // Index arithmetic and cost model multiply these: the products of the large
  // ones are checked by the emitter, which knows them.
  constexpr int64_t largest = (int64_t(1) << 31) - 1;
  for (const char *name : {"stride", "dilation", "pad_lo", "pad_hi"})
    for (int64_t number :
         attribute<std::vector<int64_t>>(group.nodes().front(), name))
      if (number > largest)
        return unsupported("a convolution with a " + std::string(name) +
                           " of more than " + std::to_string(largest));
  for (size_t i = 1; i < group.nodes().size(); ++i) {
    const Node &node = group.nodes()[i];
    if ((node.op != Op::Pointwise && node.op != Op::Cast) ||
        group.value(node.results[0]).type.sizes != sizes)
      return unsupported("a convolution's group with a node '" +
                         std::string(opName(node.op)) +
                         "' that is not elementwise on its result");
  }
  return Status::ok();
}

/// What every family asks of a Schedule.
static Status checkSchedule(const Target &target, const Schedule &schedule) {
  RegisterFile registers = registerFile(target.isa);
  int64_t vector = schedule.vectorBits;
  if (vector < 64 || vector > registers.bits || (vector & (vector - 1)) != 0)
    return invalidArgument("schedule: vector_bits must be a power of two from "
                           "64 to " +
                           std::to_string(registers.bits) + " for " +
                           std::string(isaName(target.isa)));
  if (schedule.fma && !registers.fma)
    return invalidArgument("schedule: fma=1 needs a target with fused "
                           "multiply-add, not " +
                           std::string(isaName(target.isa)));
  if (schedule.amx && schedule.algorithm != Algorithm::Direct)
    return invalidArgument("schedule: amx=1 serves direct convolutions only");
  if (schedule.dot && isWinograd(schedule.algorithm))
    return invalidArgument("schedule: dot=1 serves direct convolutions only");
  return Status::ok();
}

/// The algorithm that a tuning entry names, if it does.
static StatusOr<std::optional<Algorithm>>
askedAlgorithm(std::string_view entry) {
  Schedule one, other;
  other.algorithm = Algorithm::Module;
  BOO_ASSIGN_OR_RETURN(one, parseSchedule(entry, one));
  BOO_ASSIGN_OR_RETURN(other, parseSchedule(entry, other));
  std::optional<Algorithm> asked;
  if (one.algorithm == other.algorithm)
    asked = one.algorithm;
  return asked;
}

StatusOr<Decision> boo::compiler::decide(const Graph &group,
                                         const Target &target, const Mode &mode,
                                         std::string_view tuningEntry) {
  if (group.nodes().empty())
    return invalidArgument("a group needs at least one node");
  BOO_ASSIGN_OR_RETURN(std::optional<Algorithm> asked,
                       askedAlgorithm(tuningEntry));
  Decision decision;
  switch (group.nodes().front().op) {
  case Op::Conv: {
    BOO_RETURN_IF_ERROR(checkConvGroup(group));
    BOO_ASSIGN_OR_RETURN(decision, decideConv(group, target, mode, asked));
    decision.schedule = fitConvSchedule(group, decision.schedule);
    break;
  }
  case Op::Pointwise:
  case Op::Cast:
    decision = decidePointwise(group, target);
    break;
  case Op::Mlir:
    decision.schedule.algorithm = Algorithm::Module;
    decision.why = {"module: an mlir node is compiled as it is written"};
    break;
  }
  if (tuningEntry.empty())
    return decision;
  if (asked && *asked != decision.schedule.algorithm)
    return unsupported("tuning entry: this group has no algorithm '" +
                       std::string(algorithmName(*asked)) + "', only '" +
                       std::string(algorithmName(decision.schedule.algorithm)) +
                       "'");
  BOO_ASSIGN_OR_RETURN(decision.schedule,
                       parseSchedule(tuningEntry, decision.schedule));
  BOO_RETURN_IF_ERROR(checkSchedule(target, decision.schedule));
  if (group.nodes().front().op == Op::Conv) {
    BOO_RETURN_IF_ERROR(checkConvSchedule(group, target, decision.schedule));
    decision.schedule = fitConvSchedule(group, decision.schedule);
  }
  decision.why.push_back("tuned: " + std::string(tuningEntry));
  return decision;
}
