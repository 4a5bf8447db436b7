//===- AtenImport.cpp -----------------------------------------------------===//

#include "boo/driver/commands/aten/AtenImport.h"
#include "boo/driver/commands/aten/AtenOps.h"

using namespace boo;

ValueId AtenImport::argument(TensorType type, Role role) {
  return G.addArgument(std::move(type), role);
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
  std::vector<ValueId> results;
  for (const Output &output : build.results()) {
    if (output.into != kNoValue)
      return unsupported(std::string(name) + " writes to an operand");
    results.push_back(output.value);
  }
  return results;
}

std::vector<ValueId> AtenImport::sources() const {
  std::vector<ValueId> all;
  for (ValueId argument : G.arguments()) {
    auto view = ViewOf.find(argument);
    all.push_back(view == ViewOf.end() ? argument : view->second);
  }
  return all;
}
