//===- RandomConv.cpp - Convolution groups from a seed --------------------===//

#include "RandomConv.h"
#include "RandomSource.h"
#include "boo/graph/ShapeInference.h"
#include "boo/graph/partition/Partition.h"

#include <algorithm>
#include <numeric>

using namespace boo;
using namespace boo::testing;

namespace {

class RandomGroup : RandomSource {
public:
  explicit RandomGroup(uint64_t seed) : RandomSource(seed) {}

  Graph make() {
    Type = anyFloat();
    Rank = of(1, 3);
    chooseChannels();
    chooseSpace();
    return makeGroup();
  }

  Graph makeSeparable() {
    Type = anyFloat();
    Rank = of(1, 3);
    Gradients = false;
    Batch = of(1, 3);
    Groups = In = Out = of(2, 70);
    chooseSpace();
    Graph graph;
    std::vector<int64_t> in = inSizes();
    ValueId y = convolve(graph, graph.addArgument(layout(in)));
    Space = {OutSizes.begin() + 2, OutSizes.end()};
    Out = of(1, 100);
    Groups = 1;
    for (List *list : {&Filter, &Stride, &Dilation})
      list->assign(size_t(Rank), 1);
    for (List *list : {&PadLo, &PadHi})
      list->assign(size_t(Rank), 0);
    graph.addOutput(convolve(graph, y));
    return canonicalize(graph);
  }

  Graph makeWinograd() {
    static constexpr DType dtypes[] = {DType::F32, DType::F32, DType::BF16,
                                       DType::F16};
    Type = dtypes[of(0, 3)];
    Gradients = false;
    Batch = of(1, 3);
    Groups = one(3) ? of(2, 3) : 1;
    In = Groups * of(2, 70);
    Out = Groups * of(2, 80);
    Rank = one(4) ? 3 : 2;
    bool gradient = one(3);
    for (int64_t d = 0; d != Rank; ++d) {
      bool depth = d + 2 < Rank;
      int64_t lo = of(0, 2), hi = of(0, 2);
      Filter.push_back(depth ? of(1, 3) : 3);
      Dilation.push_back(depth ? of(1, 2) : 1);
      Stride.push_back(depth && !gradient ? of(1, 2) : 1);
      int64_t extent = (Filter.back() - 1) * Dilation.back() + 1;
      Space.push_back(std::max(of(1, depth ? 4 : 23), extent - lo - hi));
      PadLo.push_back(lo);
      PadHi.push_back(hi);
    }
    return gradient ? inputGradient() : makeGroup();
  }

private:
  using List = std::vector<int64_t>;

  List inSizes() const {
    List in{Batch, In};
    in.insert(in.end(), Space.begin(), Space.end());
    return in;
  }
  List filterSizes() const {
    List filter{Out, In / Groups};
    filter.insert(filter.end(), Filter.begin(), Filter.end());
    return filter;
  }
  List outSizes() const {
    List out{Batch, Out};
    for (size_t d = 0; d != size_t(Rank); ++d)
      out.push_back(convOutputSize(Space[d], Filter[d], Stride[d], Dilation[d],
                                   PadLo[d], PadHi[d]));
    return out;
  }
  AttributeMap attributes() const {
    return {{"stride", Stride},
            {"dilation", Dilation},
            {"pad_lo", PadLo},
            {"pad_hi", PadHi},
            {"groups", Groups},
            {"acc", Type == DType::F64 ? DType::F64 : DType::F32}};
  }

  /// A convolution of `x` and up to three nodes behind it.
  ValueId convolve(Graph &graph, ValueId x) {
    ValueId w = graph.addArgument(layout(filterSizes()),
                                  one(4) ? Role::Constant : Role::Input);
    OutSizes = outSizes();
    TensorType result = layout(OutSizes);
    ValueId y = graph.addNode(Op::Conv, {x, w}, attributes(), {result})[0];
    for (int64_t i = of(0, 3); i > 0; --i)
      y = addTail(graph, y, result);
    return y;
  }

  Graph makeGroup() {
    List in = inSizes(), filter = filterSizes(), out = outSizes();
    AttributeMap attributes = this->attributes();
    switch (Gradients ? of(0, 4) : 4) {
    case 0:
      attributes["size"] = Filter;
      return gradient(Op::ConvGradWeight, attributes, out, in, filter);
    case 1:
      return inputGradient();
    }
    Graph graph;
    graph.addOutput(convolve(graph, graph.addArgument(layout(in))));
    return canonicalize(graph);
  }

  Graph inputGradient() {
    AttributeMap attributes = this->attributes();
    attributes["size"] = Space;
    return gradient(Op::ConvGradInput, attributes, outSizes(), filterSizes(),
                    inSizes());
  }

  Graph gradient(Op op, const AttributeMap &attributes,
                 const std::vector<int64_t> &outGrad,
                 const std::vector<int64_t> &other,
                 const std::vector<int64_t> &result) {
    Graph graph;
    ValueId a = graph.addArgument(layout(outGrad));
    bool constant = op == Op::ConvGradInput && one(4);
    ValueId b = graph.addArgument(layout(other),
                                  constant ? Role::Constant : Role::Input);
    TensorType type = layout(result);
    ValueId y = graph.addNode(op, {a, b}, attributes, {type})[0];
    OutSizes = result;
    bool takes = takesTail(graph, graph.nodes().front());
    for (int64_t i = takes ? of(0, 2) : 0; i > 0; --i)
      y = addTail(graph, y, type);
    graph.addOutput(y);
    return canonicalize(graph);
  }

  void chooseChannels() {
    Batch = of(1, 3);
    switch (of(0, 5)) {
    case 0: // depthwise
      Groups = In = Out = of(2, 70);
      break;
    case 1: // depthwise with a multiplier
      Groups = In = of(2, 20);
      Out = Groups * of(2, 3);
      break;
    case 2: // groups
      Groups = of(2, 5);
      In = Groups * of(1, 20);
      Out = Groups * of(1, 40);
      break;
    default:
      In = of(1, 80);
      Out = of(1, 100);
    }
  }

  void chooseSpace() {
    // Odd sizes, single pixels and filters as large as the input all occur.
    int64_t most = Rank == 1 ? 120 : Rank == 2 ? 30 : 8;
    for (int64_t d = 0; d != Rank; ++d) {
      int64_t filter = one(3) ? 1 : of(1, Rank == 1 ? 9 : 4);
      int64_t dilation = one(3) ? of(1, 3) : 1;
      int64_t reach = (filter - 1) * dilation + 1;
      int64_t lo = one(2) ? 0 : of(0, reach), hi = one(3) ? of(0, reach) : lo;
      int64_t size = of(1, most);
      size = std::max(size, reach - lo - hi);
      Space.push_back(size);
      Filter.push_back(filter);
      Dilation.push_back(dilation);
      Stride.push_back(one(3) ? of(1, 4) : 1);
      PadLo.push_back(lo);
      PadHi.push_back(hi);
    }
  }

  TensorType layout(const std::vector<int64_t> &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    switch (of(0, 3)) {
    case 0: // channels last
      std::rotate(order.begin() + 1, order.begin() + 2, order.end());
      break;
    case 1: // anything
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
      break;
    default: // two in four: channels first, the one that is easy to forget
      break;
    }
    return TensorType::permuted(Type, sizes, order);
  }

  ValueId addTail(Graph &graph, ValueId y, const TensorType &type) {
    switch (of(0, 8)) {
    case 0: { // bias
      std::vector<int64_t> sizes(type.rank(), 1);
      sizes[1] = OutSizes[1];
      ValueId b = graph.addArgument(TensorType::contiguous(Type, sizes));
      return graph.addPointwise(PointwiseFn::Add, {y, b}, type);
    }
    case 1: { // residual, in a layout of its own
      ValueId r = graph.addArgument(layout(OutSizes));
      return graph.addPointwise(PointwiseFn::Add, {r, y}, type);
    }
    case 2: { // a factor for each row of the last dimension
      std::vector<int64_t> sizes{OutSizes.back()};
      ValueId f = graph.addArgument(TensorType::contiguous(Type, sizes));
      return graph.addPointwise(PointwiseFn::Mul, {y, f}, type);
    }
    case 3:
      return graph.addPointwise(PointwiseFn::Clamp, {y}, type, {-1.5, 2.5});
    case 4:
      return graph.addPointwise(PointwiseFn::HardSwish, {y}, type);
    case 5:
      return graph.addPointwise(PointwiseFn::Silu, {y}, type);
    case 6:
      return graph.addPointwise(PointwiseFn::Gelu, {y}, type);
    case 7:
      return graph.addPointwise(PointwiseFn::Tanh, {y}, type);
    default:
      return graph.addPointwise(PointwiseFn::Relu, {y}, type);
    }
  }

  bool Gradients = true; ///< now and then
  int64_t Rank = 2, Batch = 1, In = 1, Out = 1, Groups = 1;
  std::vector<int64_t> Space, Filter, Stride, Dilation, PadLo, PadHi, OutSizes;
};

} // namespace

Graph boo::testing::randomConv(uint64_t seed) {
  return RandomGroup(seed).make();
}

Graph boo::testing::randomSeparable(uint64_t seed) {
  return RandomGroup(seed).makeSeparable();
}

Graph boo::testing::randomWinograd(uint64_t seed) {
  return RandomGroup(seed).makeWinograd();
}

std::string boo::testing::randomWinogradSchedule(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text =
      pick(random, 0, 1) ? "algorithm=winograd-4x4" : "algorithm=winograd-2x2";
  auto add = [&](const char *field, int64_t low, int64_t high) {
    if (pick(random, 0, 1))
      text += " " + std::string(field) + "=" +
              std::to_string(pick(random, low, high));
  };
  add("m_tile", 1, 14);
  add("n_vectors", 1, 2);
  add("w_chunk", 1, 5);
  add("n_chunk", 1, 3);
  add("k_unroll", 1, 3);
  add("scratch_input", 1, 1);
  add("filter_outer", 0, 1);
  add("serial", 0, 1);
  add("vector_bits", 128, 128);
  add("stream", 0, 1);
  return text;
}
