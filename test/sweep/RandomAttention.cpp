//===- RandomAttention.cpp - Attentions from a seed -----------------------===//

#include "RandomAttention.h"
#include "RandomSource.h"

#include <numeric>

using namespace boo;
using namespace boo::testing;

namespace {

using List = std::vector<int64_t>;

class RandomGroup : RandomSource {
public:
  explicit RandomGroup(uint64_t seed) : RandomSource(seed) {}

  Graph make() {
    Type = anyFloat();
    int64_t batch = of(1, 3), kvHeads = of(1, 3), group = one(2) ? of(1, 8) : 1;
    int64_t queries = one(3) ? of(1, 3) : one(3) ? of(60, 140) : of(1, 40);
    int64_t keys = one(3) ? queries : one(4) ? of(200, 700) : of(1, 90);
    int64_t depth = one(3) ? 16 * of(1, 5) : of(1, 70);
    int64_t valueDepth = one(2) ? depth : of(1, 70);
    int64_t heads = kvHeads * group;
    // So that the reference takes no time.
    while (batch * heads * queries * keys > 150000 && keys > 1)
      keys /= 2;
    bool flat = one(4);

    Graph graph;
    std::vector<ValueId> operands;
    for (auto [count, rows, columns] :
         {std::tuple(heads, queries, depth), std::tuple(kvHeads, keys, depth),
          std::tuple(kvHeads, keys, valueDepth)})
      operands.push_back(
          graph.addArgument(operand(flat ? List{batch, rows, count * columns}
                                         : List{batch, count, rows, columns})));
    if (one(2)) {
      List sizes{batch, heads, queries, keys};
      for (int64_t &size : sizes)
        if (one(3))
          size = 1;
      if (one(4))
        sizes.erase(sizes.begin(), sizes.begin() + of(0, 3));
      TensorType type = operand(sizes);
      if (one(3))
        type.dtype = DType::F32;
      operands.push_back(graph.addArgument(type));
    }
    AttributeMap attributes{
        {"acc", Type == DType::F64 ? DType::F64 : DType::F32},
        {"causal", one(3)},
        {"logsumexp", false},
        {"scale", one(2) ? 0.125 : double(of(-30, 30)) / 10}};
    if (flat)
      attributes["heads"] = heads;
    TensorType out = dense(flat ? List{batch, queries, heads * valueDepth}
                                : List{batch, heads, queries, valueDepth});
    graph.addOutput(
        graph.addNode(Op::Attention, operands, attributes, {out})[0]);
    return canonicalize(graph);
  }

private:
  /// Row-major, often; or heads inside; or any order of dimensions.
  TensorType dense(const List &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (sizes.size() == 4 && one(3))
      std::swap(order[1], order[2]);
    if (one(6))
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
    return TensorType::permuted(Type, sizes, order);
  }

  /// The same, or a part of a larger tensor, or broadcast over a dimension.
  TensorType operand(const List &sizes) {
    TensorType type = dense(sizes);
    if (one(4)) {
      List larger = sizes;
      larger.back() += of(1, 9);
      type.strides = dense(larger).strides;
    }
    if (one(8))
      type.strides[size_t(of(0, int64_t(sizes.size()) - 1))] = 0;
    return type;
  }
};

} // namespace

Graph boo::testing::randomAttention(uint64_t seed) {
  return RandomGroup(seed).make();
}

Graph boo::testing::plainAttention(DType dtype, bool causal) {
  Graph graph;
  auto add = [&](List sizes) {
    return graph.addArgument(TensorType::contiguous(dtype, std::move(sizes)));
  };
  std::vector<ValueId> operands{add({1, 2, 37, 20}), add({1, 2, 50, 20}),
                                add({1, 2, 50, 24}), add({1, 2, 37, 50})};
  graph.addOutput(
      graph.addNode(Op::Attention, operands,
                    {{"acc", dtype == DType::F64 ? DType::F64 : DType::F32},
                     {"causal", causal},
                     {"logsumexp", false},
                     {"scale", 0.25}},
                    {TensorType::contiguous(dtype, {1, 2, 37, 24})})[0]);
  return graph;
}
