//===- Reference.cpp - What the right answer is ---------------------------===//
//
// Walks the canonical Graph in float64. Between nodes of one group nothing is
// rounded, as in the kernels; what leaves a group is rounded once, which here
// adds to the bound and leaves the value alone.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/graph/partition/Partition.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/conv/Reference.h"
#include "boo/ops/matmul/Reference.h"
#include "boo/ops/norm/BatchReference.h"
#include "boo/ops/norm/GradReference.h"
#include "boo/ops/norm/Reference.h"
#include "boo/ops/pointwise/Pointwise.h"
#include "boo/ops/reduce/Reference.h"
#include "boo/ops/softmax/GradReference.h"
#include "boo/ops/softmax/Reference.h"

#include <optional>

using namespace boo;

namespace {

class Evaluator {
public:
  Evaluator(const Graph &graph, std::span<const void *const> arguments,
            std::string_view algorithm, Workers workers)
      : G(graph), Algorithm(algorithm), TheWorkers(workers),
        Buffers(graph.values().size()), Tensors(graph.values().size()),
        LastUse(graph.values().size()), Leaves(graph.values().size()) {
    for (size_t i = 0; i != arguments.size(); ++i)
      Buffers[size_t(graph.arguments()[i])] = arguments[i];
  }

  StatusOr<std::vector<ReferenceOutput>> run();

private:
  Status findLifetimes();
  TensorView view(ValueId id) const;
  std::vector<TensorView> views(const Node &node) const;
  /// A Tensor for each result.
  StatusOr<std::vector<Tensor>> evaluate(const Node &node) const;
  StatusOr<Tensor> evaluateOne(const Node &node) const;

  const Graph &G;
  std::string_view Algorithm;
  Workers TheWorkers;
  std::vector<const void *> Buffers;          ///< of arguments
  std::vector<std::optional<Tensor>> Tensors; ///< of results that are alive
  std::vector<size_t> LastUse;                ///< the last node to read a value
  std::vector<bool> Leaves;                   ///< stored by its group
};

} // namespace

Status Evaluator::findLifetimes() {
  BOO_ASSIGN_OR_RETURN(auto groups, partition(G));
  for (const Group &group : groups)
    for (ValueId id : group.outputs)
      Leaves[size_t(id)] = true;
  for (size_t i = 0; i != G.nodes().size(); ++i)
    for (ValueId id : G.nodes()[i].operands)
      LastUse[size_t(id)] = i;
  for (const Output &output : G.outputs())
    LastUse[size_t(output.value)] = G.nodes().size();
  return Status::ok();
}

TensorView Evaluator::view(ValueId id) const {
  const Value &value = G.value(id);
  if (value.producer < 0)
    return {Buffers[size_t(id)], value.type};
  return {*Tensors[size_t(id)], value.type};
}

std::vector<TensorView> Evaluator::views(const Node &node) const {
  std::vector<TensorView> operands;
  for (ValueId id : node.operands)
    operands.push_back(view(id));
  return operands;
}

StatusOr<std::vector<Tensor>> Evaluator::evaluate(const Node &node) const {
  if (node.op == Op::Norm)
    return evaluateNorm(G, node, views(node), TheWorkers);
  if (node.op == Op::NormGrad)
    return evaluateNormGrad(G, node, views(node), TheWorkers);
  if (node.op == Op::BatchNorm)
    return evaluateBatchNorm(G, node, views(node), TheWorkers);
  if (node.op == Op::BatchNormGrad)
    return evaluateBatchNormGrad(G, node, views(node), TheWorkers);
  BOO_ASSIGN_OR_RETURN(Tensor tensor, evaluateOne(node));
  std::vector<Tensor> results;
  results.push_back(std::move(tensor));
  return results;
}

StatusOr<Tensor> Evaluator::evaluateOne(const Node &node) const {
  const TensorType &type = G.value(node.results[0]).type;
  switch (node.op) {
  case Op::Conv:
  case Op::ConvGradInput:
  case Op::ConvGradWeight:
    return evaluateConv(convProblem(G, node, type), view(node.operands[0]),
                        view(node.operands[1]), Algorithm, TheWorkers);
  case Op::Matmul:
    return evaluateMatmul(matmulProblem(G, node, type), view(node.operands[0]),
                          view(node.operands[1]), Algorithm, TheWorkers);
  case Op::Softmax:
    return evaluateSoftmax(G, node, view(node.operands[0]), TheWorkers);
  case Op::Reduce:
    return evaluateReduce(G, node, view(node.operands[0]), TheWorkers);
  case Op::SoftmaxGrad:
    return evaluateSoftmaxGrad(G, node, views(node), TheWorkers);
  case Op::Norm:
  case Op::NormGrad:
  case Op::BatchNorm:
  case Op::BatchNormGrad:
    break;
  case Op::Pointwise:
    return evaluatePointwise(pointwiseFn(node), pointwiseParameters(node),
                             views(node), type, TheWorkers);
  case Op::Cast:
    return evaluateCast(view(node.operands[0]),
                        G.value(node.operands[0]).type.dtype, type, TheWorkers);
  case Op::Mlir:
    return unsupported("an mlir node has no reference");
  }
  return internalError("an op without a reference");
}

StatusOr<std::vector<ReferenceOutput>> Evaluator::run() {
  BOO_RETURN_IF_ERROR(findLifetimes());
  for (size_t i = 0; i != G.nodes().size(); ++i) {
    const Node &node = G.nodes()[i];
    BOO_ASSIGN_OR_RETURN(std::vector<Tensor> tensors, evaluate(node));
    if (TheWorkers.giveUp())
      return cancelledReference();
    for (size_t result = 0; result != tensors.size(); ++result) {
      Tensor &tensor = tensors[result];
      ValueId id = node.results[result];
      if (Leaves[size_t(id)])
        for (size_t j = 0; j != tensor.values.size(); ++j)
          tensor.errors[j] = roundedError(tensor.values[j], tensor.errors[j],
                                          G.value(id).type.dtype);
      Tensors[size_t(id)] = std::move(tensor);
    }
    for (ValueId operand : node.operands)
      if (LastUse[size_t(operand)] == i)
        Tensors[size_t(operand)].reset();
  }
  std::vector<ReferenceOutput> outputs;
  for (const Output &output : G.outputs()) {
    Tensor &tensor = *Tensors[size_t(output.value)];
    outputs.push_back({std::move(tensor.values), std::move(tensor.errors)});
  }
  return outputs;
}

Status boo::cancelledReference() {
  return internalError("the reference was told to give up");
}

StatusOr<std::vector<ReferenceOutput>>
boo::evaluateReference(const Graph &graph,
                       std::span<const void *const> arguments,
                       std::string_view algorithm, Workers workers) {
  BOO_RETURN_IF_ERROR(graph.verify());
  for (const Value &value : graph.values())
    if (!value.type.isStatic())
      return unsupported("the reference of a Graph with symbolic sizes");
  if (arguments.size() != graph.arguments().size())
    return invalidArgument(
        "the Graph has " + std::to_string(graph.arguments().size()) +
        " arguments and " + std::to_string(arguments.size()) + " were given");
  // Canonical form drops dead nodes; arguments and outputs keep their order.
  Graph canonical = canonicalize(graph);
  return Evaluator(canonical, arguments, algorithm, workers).run();
}
