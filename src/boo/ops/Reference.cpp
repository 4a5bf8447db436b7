//===- Reference.cpp - What the right answer is ---------------------------===//
//
// Walks the canonical Graph in float64. Between nodes of one group nothing is
// rounded, as in the kernels, but on the way into a convolution; what leaves a
// group is rounded once, which here adds to the bound and leaves the value
// alone.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/graph/partition/Partition.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/argreduce/Reference.h"
#include "boo/ops/attention/Reference.h"
#include "boo/ops/conv/Reference.h"
#include "boo/ops/matmul/Reference.h"
#include "boo/ops/norm/BatchReference.h"
#include "boo/ops/norm/GradReference.h"
#include "boo/ops/norm/Reference.h"
#include "boo/ops/pad/Reference.h"
#include "boo/ops/pointwise/Pointwise.h"
#include "boo/ops/pool/Reference.h"
#include "boo/ops/reduce/Reference.h"
#include "boo/ops/softmax/GradReference.h"
#include "boo/ops/softmax/Reference.h"

#include <cmath>
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

  /// Computes as evaluateDirect says; the bounds are of no use then.
  bool InOwnTypes = false;

private:
  void settle(ValueId id, Tensor &tensor) const;
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
    for (ValueId id : G.nodes()[i].operands) {
      LastUse[size_t(id)] = i;
      // One convolution may hand on to another in its group.
      if (isConv(G.nodes()[i].op))
        Leaves[size_t(id)] = true;
    }
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
  if (node.op == Op::AttentionGrad)
    return evaluateAttentionGradient(attentionProblem(G, node), views(node),
                                     TheWorkers);
  if (node.op == Op::Attention)
    return evaluateAttention(attentionProblem(G, node), views(node),
                             TheWorkers);
  if (node.op == Op::ArgReduce)
    return evaluateArgReduce(G, node, view(node.operands[0]), TheWorkers);
  if (node.op == Op::Pool)
    return evaluatePool(poolProblem(G, node), node.results.size() == 2,
                        view(node.operands[0]), TheWorkers);
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
    if (InOwnTypes)
      return directConv(convProblem(G, node, type), view(node.operands[0]),
                        view(node.operands[1]), TheWorkers);
    return evaluateConv(convProblem(G, node, type), view(node.operands[0]),
                        view(node.operands[1]), Algorithm, TheWorkers);
  case Op::Matmul:
    if (InOwnTypes)
      return directMatmul(matmulProblem(G, node, type), view(node.operands[0]),
                          view(node.operands[1]), TheWorkers);
    return evaluateMatmul(matmulProblem(G, node, type), view(node.operands[0]),
                          view(node.operands[1]), Algorithm, TheWorkers);
  case Op::Softmax:
    return evaluateSoftmax(G, node, view(node.operands[0]), TheWorkers);
  case Op::Reduce:
    return evaluateReduce(G, node, view(node.operands[0]), TheWorkers);
  case Op::SoftmaxGrad:
    return evaluateSoftmaxGrad(G, node, views(node), TheWorkers);
  case Op::Attention:
  case Op::AttentionGrad:
  case Op::Norm:
  case Op::NormGrad:
  case Op::BatchNorm:
  case Op::BatchNormGrad:
  case Op::ArgReduce:
  case Op::Pool:
    break;
  case Op::PoolGrad: {
    std::optional<TensorView> indices;
    if (node.operands.size() == 2)
      indices = view(node.operands[1]);
    return evaluatePoolGrad(poolProblem(G, node), view(node.operands[0]),
                            indices ? &*indices : nullptr, TheWorkers);
  }
  case Op::Pad:
    return evaluatePad(G, node, view(node.operands[0]), TheWorkers);
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

/// Rounds to a storage type, which adds to the bound. What is exact and goes to
/// another group (an operand's cast) is rounded itself and stays exact: bounds
/// of products of two factors that are off are loose.
static void leaveGroup(Tensor &tensor, DType dtype, bool isOutput) {
  for (size_t i = 0; i != tensor.values.size(); ++i) {
    double &value = tensor.values[i], &error = tensor.errors[i];
    double rounded = value;
    if (!isOutput && error == 0 && std::isfinite(value)) {
      storeElement(&rounded, dtype, 0, value);
      rounded = loadElement(&rounded, dtype, 0);
      if (std::isfinite(rounded)) {
        value = rounded;
        continue;
      }
    }
    error = roundedError(value, error, dtype);
  }
}

static void roundTo(DType dtype, std::vector<double> &values) {
  alignas(8) char bytes[8];
  for (double &value : values) {
    storeElement(bytes, dtype, 0, value);
    value = loadElement(bytes, dtype, 0);
  }
}

/// Sees to the rounding of a node's result.
void Evaluator::settle(ValueId id, Tensor &tensor) const {
  DType dtype = G.value(id).type.dtype;
  bool stored = Leaves[size_t(id)];
  if (!InOwnTypes) {
    if (stored && isFloat(dtype))
      leaveGroup(tensor, dtype, LastUse[size_t(id)] == G.nodes().size());
    return;
  }
  if (isFloat(dtype)) {
    roundTo(computeType(dtype), tensor.values);
    if (stored)
      roundTo(dtype, tensor.values);
  }
  // The next node takes it as it is: a Tensor without errors is exact.
  std::vector<double>().swap(tensor.errors);
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
      settle(id, tensor);
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

static Status checkEvaluable(const Graph &graph,
                             std::span<const void *const> arguments) {
  BOO_RETURN_IF_ERROR(graph.verify());
  for (const Value &value : graph.values())
    if (!value.type.isStatic())
      return unsupported("the reference of a Graph with symbolic sizes");
  if (arguments.size() != graph.arguments().size())
    return invalidArgument(
        "the Graph has " + std::to_string(graph.arguments().size()) +
        " arguments and " + std::to_string(arguments.size()) + " were given");
  return Status::ok();
}

StatusOr<std::vector<ReferenceOutput>>
boo::evaluateReference(const Graph &graph,
                       std::span<const void *const> arguments,
                       std::string_view algorithm, Workers workers) {
  BOO_RETURN_IF_ERROR(checkEvaluable(graph, arguments));
  // Canonical form drops dead nodes; arguments and outputs keep their order.
  Graph canonical = canonicalize(graph);
  return Evaluator(canonical, arguments, algorithm, workers).run();
}

StatusOr<std::vector<std::vector<double>>>
boo::evaluateDirect(const Graph &graph, std::span<const void *const> arguments,
                    Workers workers) {
  BOO_RETURN_IF_ERROR(checkEvaluable(graph, arguments));
  Graph canonical = canonicalize(graph);
  Evaluator evaluator(canonical, arguments, "direct", workers);
  evaluator.InOwnTypes = true;
  BOO_ASSIGN_OR_RETURN(auto outputs, evaluator.run());
  std::vector<std::vector<double>> values;
  for (ReferenceOutput &output : outputs)
    values.push_back(std::move(output.values));
  return values;
}
