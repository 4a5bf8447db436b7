//===- AtenImport.cpp -----------------------------------------------------===//

#include "boo/driver/commands/aten/AtenImport.h"
#include "boo/driver/commands/aten/AtenOps.h"

using namespace boo;

ValueId AtenImport::argument(TensorType type, Role role) {
  return G.addArgument(std::move(type), role);
}

/// Where the results of a call stand among those of its operator: an argument
/// `output_mask` says which there are.
static StatusOr<std::vector<ValueId>>
placeResults(const AtenCall &call, const std::vector<Output> &made) {
  std::vector<bool> wanted(made.size(), true);
  for (size_t i = 0; i != call.arguments().size(); ++i)
    if (call.arguments()[i].name == "output_mask") {
      BOO_ASSIGN_OR_RETURN(wanted, call.truths(i));
    }
  std::vector<ValueId> results;
  size_t next = 0;
  for (bool each : wanted)
    results.push_back(each && next < made.size() ? made[next++].value
                                                 : kNoValue);
  if (next != made.size())
    return internalError("aten::" + std::string(call.name()) +
                         " gives results that its mask does not ask for");
  return results;
}

StatusOr<std::vector<ValueId>> AtenImport::call(std::string_view name,
                                                std::vector<Operand> operands) {
  const AtenOp *op = findAtenOp(name);
  if (!op)
    return unsupported("no kernel computes " + std::string(name));
  std::vector<AtenArgument> arguments;
  std::vector<ValueId> given;
  for (Operand &operand : operands) {
    AtenArgument &argument = arguments.emplace_back();
    given.push_back(kNoValue);
    if (auto *value = std::get_if<ValueId>(&operand)) {
      argument.tensor = G.value(*value).type;
      given.back() = *value;
    } else {
      argument.value = std::move(std::get<Literal>(operand));
    }
  }
  BOO_ASSIGN_OR_RETURN(
      AtenCall call, AtenCall::create(name, op->schema, std::move(arguments)));
  AtenGraph build(call, G, given);
  BOO_RETURN_IF_ERROR(op->build(build));
  for (const AtenGraph::View &view : build.views())
    ViewOf[view.argument] = view.of;
  for (const Output &output : build.results())
    if (output.into != kNoValue)
      return unsupported(std::string(name) + " writes to an operand");
  return placeResults(call, build.results());
}

std::vector<ValueId> AtenImport::sources() const {
  std::vector<ValueId> all;
  for (ValueId argument : G.arguments()) {
    auto view = ViewOf.find(argument);
    all.push_back(view == ViewOf.end() ? argument : view->second);
  }
  return all;
}
