//===- RandomPool.cpp - Poolings from a seed ------------------------------===//

#include "RandomPool.h"
#include "RandomSource.h"
#include "boo/graph/ShapeInference.h"

#include <algorithm>
#include <numeric>

using namespace boo;
using namespace boo::testing;

namespace {

using List = std::vector<int64_t>;

class RandomGraph : RandomSource {
public:
  explicit RandomGraph(uint64_t seed) : RandomSource(seed) {}

  Graph make() {
    Type = anyFloat();
    static const char *const fns[] = {"max", "avg", "avg_in"};
    std::string fn = fns[of(0, 2)];
    chooseSizes(fn);
    switch (of(0, 2)) {
    case 0:
      return forward();
    case 1:
      return gradient(fn == "max");
    default:
      return fn == "max" ? both() : forward();
    }
  }

private:
  void chooseSizes(const std::string &fn) {
    auto rank = size_t(of(1, 3));
    List window, stride, dilation, lo, hi;
    In = {of(1, 3), one(3) ? of(1, 80) : of(1, 9)};
    for (size_t i = 0; i != rank; ++i) {
      window.push_back(one(12) ? of(5, 9) : of(1, 4));
      stride.push_back(of(1, 4));
      dilation.push_back(one(4) ? of(2, 3) : 1);
      int64_t extent = (window[i] - 1) * dilation[i] + 1;
      lo.push_back(one(2) ? 0 : of(0, extent - 1));
      hi.push_back(one(2) ? lo[i] : of(0, extent - 1));
      int64_t least = std::max<int64_t>(extent - lo[i] - hi[i], 1);
      bool last = i + 1 == rank;
      In.push_back(of(least, least + (last ? 70 : rank == 3 ? 5 : 12)));
    }
    Attributes = {{"acc", Type == DType::F64 ? DType::F64 : DType::F32},
                  {"ceil", one(3)},
                  {"dilation", dilation},
                  {"fn", fn},
                  {"pad_hi", hi},
                  {"pad_lo", lo},
                  {"stride", stride},
                  {"window", window}};
    AttributeMap attributes = Attributes;
    attributes["indices"] = false;
    auto results =
        inferResults(Op::Pool, attributes, {TensorType::contiguous(Type, In)});
    for (Dim dim : (*results)[0].sizes)
      Out.push_back(dim.size());
  }

  Graph forward() {
    Graph graph;
    ValueId x = graph.addArgument(operand(Type, In));
    AttributeMap attributes = Attributes;
    attributes["indices"] = false;
    graph.addOutput(
        graph.addNode(Op::Pool, {x}, attributes, {dense(Type, Out)})[0]);
    return canonicalize(graph);
  }

  ValueId addGradient(Graph &graph, std::vector<ValueId> operands) {
    AttributeMap attributes = Attributes;
    attributes["size"] = List(In.begin() + 2, In.end());
    return graph.addNode(Op::PoolGrad, std::move(operands), attributes,
                         {dense(Type, In)})[0];
  }

  Graph gradient(bool indices) {
    Graph graph;
    std::vector<ValueId> operands{graph.addArgument(operand(Type, Out))};
    if (indices)
      operands.push_back(graph.addArgument(operand(DType::I64, Out)));
    graph.addOutput(addGradient(graph, operands));
    return canonicalize(graph);
  }

  Graph both() {
    Graph graph;
    ValueId x = graph.addArgument(operand(Type, In));
    AttributeMap attributes = Attributes;
    attributes["indices"] = true;
    ValueId indices =
        graph.addNode(Op::Pool, {x}, attributes,
                      {dense(Type, Out), dense(DType::I64, Out)})[1];
    ValueId dy = graph.addArgument(operand(Type, Out));
    graph.addOutput(addGradient(graph, {dy, indices}));
    return canonicalize(graph);
  }

  /// Channels first, channels last, or in any order.
  TensorType dense(DType dtype, const List &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (one(2))
      std::rotate(order.begin() + 1, order.begin() + 2, order.end());
    else if (one(4))
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
    return TensorType::permuted(dtype, sizes, order);
  }

  /// The same, or a part of a larger tensor, or one value all along a
  /// dimension.
  TensorType operand(DType dtype, const List &sizes) {
    TensorType type = dense(dtype, sizes);
    if (one(4)) {
      List larger = sizes;
      larger[size_t(of(1, int64_t(sizes.size()) - 1))] += of(1, 9);
      type.strides = dense(dtype, larger).strides;
    }
    if (one(10))
      type.strides[size_t(of(0, int64_t(sizes.size()) - 1))] = 0;
    return type;
  }

  List In, Out;
  AttributeMap Attributes;
};

} // namespace

Graph boo::testing::randomPool(uint64_t seed) {
  return RandomGraph(seed).make();
}
