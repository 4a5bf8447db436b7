//===- AtenCommand.cpp - `aten::mm …`: a recorded call of torch's ---------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <algorithm>
#include <numeric>

using namespace boo;

/// Sizes in the order in which the tensor lies in memory.
static std::vector<int64_t> memorySizes(const TensorType &type) {
  std::vector<size_t> order(type.rank());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return type.strides[a] > type.strides[b];
  });
  std::vector<int64_t> sizes;
  for (size_t dim : order)
    sizes.push_back(type.sizes[dim].size());
  return sizes;
}

StatusOr<CommandGraph> boo::buildAten(const CommandLine &line) {
  const AtenOp *op = findAtenOp(line.info->spelling);
  if (!op)
    return internalError("an aten command without a builder");
  BOO_ASSIGN_OR_RETURN(AtenCall call, AtenCall::parse(line, op->schema));
  CommandGraph result;
  AtenGraph build(call, result.graph);
  BOO_RETURN_IF_ERROR(op->build(build));
  for (const Output &output : build.results())
    result.graph.addOutput(output.value, output.into);
  auto verified = result.graph.verify();
  if (!verified.isOk())
    return verified.withContext(std::string(line.info->spelling));
  result.name = call.funcName();
  result.direction = build.direction();
  for (const Output &output : result.graph.outputs())
    result.outputSizes.push_back(memorySizes(build.typeOf(output.value)));
  return result;
}
