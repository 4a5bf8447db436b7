//===- Consistent.cpp - Operands that belong together ---------------------===//
//
// With values at random rstd would be negative half of the time, and the sum of
// a softmax anything but 1: kernels would be right, but timed and judged on
// numbers that no model has.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/Consistent.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Reference.h"
#include "boo/ops/attention/AttentionProblem.h"
#include "boo/ops/norm/NormOperands.h"

#include <algorithm>
#include <cmath>
#include <thread>

using namespace boo;

namespace {

TensorType dense(const TensorType &type) {
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  return TensorType::contiguous(type.dtype, sizes);
}

class Forward {
public:
  Forward(const Graph &graph, std::span<void *const> arguments)
      : G(graph), Arguments(arguments) {}

  /// The buffer of an argument, or null of what a node makes.
  void *buffer(ValueId id) const {
    const std::vector<ValueId> &all = G.arguments();
    auto found = std::find(all.begin(), all.end(), id);
    return found == all.end() ? nullptr
                              : Arguments[size_t(found - all.begin())];
  }

  /// Runs `op` on `from`; from its result `first` on, results go to `to`.
  void run(Op op, AttributeMap attributes, const std::vector<ValueId> &from,
           std::vector<TensorType> types, size_t first,
           const std::vector<ValueId> &to) const {
    Graph forward;
    std::vector<ValueId> operands;
    std::vector<const void *> in;
    for (ValueId id : from) {
      operands.push_back(forward.addArgument(G.value(id).type));
      in.push_back(buffer(id));
    }
    for (ValueId id :
         forward.addNode(op, operands, std::move(attributes), std::move(types)))
      forward.addOutput(id);
    auto isMissing = [&](ValueId id) { return !buffer(id); };
    if (std::any_of(from.begin(), from.end(), isMissing) ||
        std::any_of(to.begin(), to.end(), isMissing))
      return;
    int threads = int(std::max(1u, std::thread::hardware_concurrency()));
    auto outputs = evaluateReference(forward, in, "rows", threads);
    if (!outputs.isOk())
      return;
    for (size_t i = 0; i != to.size(); ++i)
      store((*outputs)[first + i].values, to[i]);
  }

  /// Takes the sign from an argument.
  void makePositive(ValueId id) const {
    void *data = buffer(id);
    if (!data)
      return;
    const TensorType &type = G.value(id).type;
    for (int64_t at : elementPositions(type))
      storeElement(data, type.dtype, at,
                   std::fabs(loadElement(data, type.dtype, at)));
  }

private:
  void store(const std::vector<double> &values, ValueId to) const {
    const TensorType &type = G.value(to).type;
    std::vector<int64_t> at = elementPositions(type);
    for (size_t i = 0; i != at.size(); ++i)
      if (std::isfinite(values[i]))
        storeElement(buffer(to), type.dtype, at[i], values[i]);
  }

  const Graph &G;
  std::span<void *const> Arguments;
};

} // namespace

/// What stands under the root of a sum with a constant: a variance.
static ValueId radicand(const Graph &graph, const Node &root) {
  ValueId id = root.operands[0];
  int32_t producer = graph.value(id).producer;
  if (producer < 0)
    return id;
  const Node &inner = graph.nodes()[size_t(producer)];
  bool scale =
      inner.op == Op::Pointwise && pointwiseFn(inner) == PointwiseFn::Scale;
  return scale ? inner.operands[0] : id;
}

static double scoresOf(const AttentionProblem &problem) {
  return double(problem.batch) * double(problem.heads) * problem.pairs();
}

void boo::makeConsistent(const Graph &graph, std::span<void *const> arguments) {
  Forward forward(graph, arguments);
  auto type = [&](ValueId id) { return dense(graph.value(id).type); };
  for (const Node &node : graph.nodes()) {
    const std::vector<ValueId> &o = node.operands;
    if (node.op == Op::NormGrad && o.size() > 1) {
      AttributeMap attributes{{"acc", attribute<DType>(node, "acc")},
                              {"dims", attribute<int64_t>(node, "dims")},
                              {"eps", 1e-5},
                              {"stats", true}};
      std::vector<ValueId> stats{o[2]};
      if (isRmsNorm(node))
        attributes["rms"] = true;
      else
        stats.push_back(o[3]);
      std::vector<TensorType> types{type(o[1])};
      types.insert(types.end(), stats.size(), type(o[2]));
      forward.run(Op::Norm, attributes, {o[1]}, types, 1, stats);
    }
    if (node.op == Op::BatchNormGrad)
      forward.run(Op::BatchNorm,
                  {{"acc", attribute<DType>(node, "acc")},
                   {"eps", 1e-5},
                   {"momentum", 0.0},
                   {"stats", true}},
                  {o[1], o[4], o[4]}, {type(o[1]), type(o[2]), type(o[3])}, 1,
                  {o[2], o[3]});
    constexpr double mostScores = 1 << 26;
    if (node.op == Op::AttentionGrad &&
        scoresOf(attentionProblem(graph, node)) <= mostScores) {
      AttributeMap attributes = node.attributes;
      attributes["logsumexp"] = true;
      std::vector<ValueId> from{o[0], o[1], o[2]};
      if (o.size() > 6)
        from.push_back(o[6]);
      forward.run(Op::Attention, attributes, from, {type(o[3]), type(o[4])}, 0,
                  {o[3], o[4]});
    }
    if (node.op == Op::SoftmaxGrad)
      forward.run(Op::Softmax, node.attributes, {o[1]}, {type(o[1])}, 0,
                  {o[1]});
    if (node.op == Op::Pointwise && pointwiseFn(node) == PointwiseFn::Sqrt)
      forward.makePositive(radicand(graph, node));
  }
}
