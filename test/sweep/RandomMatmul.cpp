//===- RandomMatmul.cpp - Groups of matrix products from a seed -----------===//

#include "RandomMatmul.h"
#include "RandomSource.h"

#include <algorithm>
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
    List batch(size_t(one(2) ? 0 : of(1, 4)));
    for (int64_t &size : batch)
      size = of(1, 4);
    int64_t m = size(), n = size(), k = size();
    if (one(12)) { // several chunks of the reduction
      k = of(1540, 2100);
      m = std::min<int64_t>(m, 80);
      n = std::min<int64_t>(n, 80);
    }
    List a = operandBatch(batch), b = operandBatch(batch);
    Out.assign(std::max(a.size(), b.size()), 1);
    for (const List *sizes : {&a, &b})
      for (size_t i = 0; i != sizes->size(); ++i) {
        int64_t &size = Out[Out.size() - sizes->size() + i];
        size = std::max(size, (*sizes)[i]);
      }
    a.insert(a.end(), {m, k});
    b.insert(b.end(), {k, n});
    Out.insert(Out.end(), {m, n});

    Graph graph;
    ValueId left = graph.addArgument(operand(a));
    ValueId right =
        graph.addArgument(operand(b), one(4) ? Role::Constant : Role::Input);
    TensorType result = dense(Out);
    ValueId y = graph.addNode(
        Op::Matmul, {left, right},
        {{"acc", Type == DType::F64 ? DType::F64 : DType::F32}}, {result})[0];
    for (int64_t i = of(0, 3); i > 0; --i)
      y = addTail(graph, y, result);
    graph.addOutput(y);
    return canonicalize(graph);
  }

private:
  /// Few, one beside a multiple of a vector, or anything.
  int64_t size() {
    switch (of(0, 5)) {
    case 0:
      return of(1, 4);
    case 1:
      return of(5, 9);
    case 2:
      return 16 * of(1, 9) + of(-1, 1);
    case 3:
      return one(4) ? of(300, 700) : of(10, 60);
    default:
      return of(1, 120);
    }
  }

  /// The last dimensions of the batch, some of size 1.
  List operandBatch(const List &batch) {
    List sizes;
    size_t first = one(3) ? size_t(of(0, int64_t(batch.size()))) : 0;
    for (size_t i = first; i < batch.size(); ++i)
      sizes.push_back(one(4) ? 1 : batch[i]);
    return sizes;
  }

  TensorType dense(const List &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (one(3))
      std::swap(order[order.size() - 1], order[order.size() - 2]);
    else if (one(3))
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
    return TensorType::permuted(Type, sizes, order);
  }

  /// Dense, or a part of a larger tensor, or broadcast over a dimension.
  TensorType operand(const List &sizes) {
    TensorType type = dense(sizes);
    if (one(4)) {
      List larger = sizes;
      larger.back() += of(1, 9);
      type.strides = dense(larger).strides;
    }
    if (sizes.size() > 2 && one(4))
      type.strides[size_t(of(0, int64_t(sizes.size()) - 3))] = 0;
    return type;
  }

  ValueId addTail(Graph &graph, ValueId y, const TensorType &type) {
    auto add = [&](TensorType operand, PointwiseFn fn) {
      ValueId id = graph.addArgument(std::move(operand));
      return graph.addPointwise(fn, {y, id}, type);
    };
    switch (of(0, 7)) {
    case 0: // a value a column
      return add(TensorType::contiguous(Type, {Out.back()}), PointwiseFn::Add);
    case 1: { // a value a row
      List sizes(Out.size(), 1);
      sizes[Out.size() - 2] = Out[Out.size() - 2];
      return add(TensorType::contiguous(Type, sizes), PointwiseFn::Mul);
    }
    case 2: // a layout of its own
      return add(operand(Out), PointwiseFn::Add);
    case 3:
      return add(operand(operandBatchOf(Out)), PointwiseFn::Add);
    case 4:
      return graph.addPointwise(PointwiseFn::Clamp, {y}, type, {-1.5, 2.5});
    case 5:
      return graph.addPointwise(PointwiseFn::Gelu, {y}, type);
    default:
      return graph.addPointwise(PointwiseFn::Relu, {y}, type);
    }
  }

  /// The result's sizes, broadcast in some batch dimensions.
  List operandBatchOf(const List &out) {
    List sizes = operandBatch(List(out.begin(), out.end() - 2));
    sizes.insert(sizes.end(), out.end() - 2, out.end());
    return sizes;
  }

  List Out;
};

} // namespace

Graph boo::testing::randomMatmul(uint64_t seed) {
  return RandomGroup(seed).make();
}
