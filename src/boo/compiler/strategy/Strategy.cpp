//===- Strategy.cpp - Chooses the family, applies the tuning entry --------===//

#include "boo/compiler/strategy/Strategy.h"

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

StatusOr<Decision> boo::compiler::decide(const Graph &group,
                                         const Target &target,
                                         std::string_view tuningEntry) {
  if (group.nodes().empty())
    return invalidArgument("a group needs at least one node");
  Decision decision;
  switch (group.nodes().front().op) {
  case Op::Conv:
    BOO_RETURN_IF_ERROR(checkConvGroup(group));
    decision = decideConv(group, target);
    break;
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
  Algorithm model = decision.schedule.algorithm;
  BOO_ASSIGN_OR_RETURN(decision.schedule,
                       parseSchedule(tuningEntry, decision.schedule));
  if (decision.schedule.algorithm != model)
    return unsupported("tuning entry: this group has no algorithm '" +
                       std::string(algorithmName(decision.schedule.algorithm)) +
                       "', only '" + std::string(algorithmName(model)) + "'");
  if (group.nodes().front().op == Op::Conv)
    BOO_RETURN_IF_ERROR(checkConvSchedule(group, target, decision.schedule));
  decision.why.push_back("tuned: " + std::string(tuningEntry));
  return decision;
}
