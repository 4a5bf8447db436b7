//===- RandomPad.cpp - Borders from a seed --------------------------------===//

#include "RandomPad.h"
#include "RandomSource.h"

#include <algorithm>
#include <cmath>
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
    List in(size_t(of(1, 5))), lo, hi, out;
    for (int64_t &size : in)
      size = one(3) ? of(1, 3) : of(1, in.size() > 3 ? 12 : 40);
    if (one(4))
      in[size_t(of(0, int64_t(in.size()) - 1))] *= of(10, 90);
    for (int64_t size : in) {
      lo.push_back(border(size - 1));
      int64_t left = size + std::min<int64_t>(lo.back(), 0);
      hi.push_back(border(left - 1));
      out.push_back(size + lo.back() + hi.back());
    }
    static constexpr double values[] = {0, 1, -2.5, 3, 0x1.5p-130, 1e30};
    double value = one(8) ? one(2) ? INFINITY : NAN : values[of(0, 5)];
    Graph graph;
    ValueId x = graph.addArgument(operand(in));
    graph.addOutput(graph.addNode(Op::Pad, {x},
                                  {{"hi", hi}, {"lo", lo}, {"value", value}},
                                  {dense(out)})[0]);
    return canonicalize(graph);
  }

private:
  /// Of at most `most` elements that may be cut off.
  int64_t border(int64_t most) {
    if (one(2))
      return 0;
    return one(4) ? -of(0, most) : one(6) ? of(0, 70) : of(0, 4);
  }

  TensorType dense(const List &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (one(2))
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
    return TensorType::permuted(Type, sizes, order);
  }

  /// The same, or a part of a larger tensor, or one value all along a
  /// dimension.
  TensorType operand(const List &sizes) {
    TensorType type = dense(sizes);
    if (one(3)) {
      List larger = sizes;
      larger[size_t(of(0, int64_t(sizes.size()) - 1))] += of(1, 9);
      type.strides = dense(larger).strides;
    }
    if (one(6))
      type.strides[size_t(of(0, int64_t(sizes.size()) - 1))] = 0;
    return type;
  }
};

} // namespace

Graph boo::testing::randomPad(uint64_t seed) {
  return RandomGraph(seed).make();
}
