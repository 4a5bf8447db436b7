//===- ImportTest.cpp - Lone pointwise groups, compiled and run -----------===//

#include "boo/compiler/import/testing/Launch.h"

#include <cmath>
#include <cstdlib>
#include <numeric>
#include <random>

using namespace boo;
using namespace boo::testing;

namespace {

/// Random groups: any rank, layout, gaps, broadcast, dtype, function.
class RandomPointwise {
public:
  explicit RandomPointwise(uint64_t seed) : Random(seed) {}

  Graph make() {
    static constexpr DType dtypes[] = {DType::F32, DType::F32, DType::BF16,
                                       DType::F16, DType::F64};
    DType dtype = dtypes[of(0, 4)];
    int64_t rank = of(0, 5);
    static constexpr int64_t most[] = {0, 9000, 150, 30, 11, 7};
    for (int64_t d = 0; d != rank; ++d)
      Sizes.push_back(one(4) ? 1 : of(1, most[rank]));
    if (rank > 0 && one(12))
      Sizes[size_t(of(0, rank - 1))] = 0;
    Graph graph;
    bool inOut = one(5);
    ValueId first = graph.addArgument(inOut ? layout(dtype, Sizes, true)
                                            : argument(dtype, true),
                                      inOut ? Role::InOut : Role::Input);
    ValueId y = first;
    DType now = dtype;
    for (int64_t i = of(1, 4); i > 0; --i) {
      if (one(4)) {
        now = dtypes[of(0, 4)];
        y = graph.addNode(Op::Cast, {y}, {{"to", now}}, {result(now)})[0];
      } else {
        y = addFunction(graph, y, now);
      }
    }
    // The last node decides where the output lies.
    inOut &= now == dtype;
    TensorType type =
        inOut ? graph.value(first).type : layout(now, Sizes, true);
    y = graph.addPointwise(PointwiseFn::Scale, {y}, type, {0.5, 1.25});
    graph.addOutput(y, inOut ? first : kNoValue);
    return graph;
  }

private:
  int64_t of(int64_t low, int64_t high) {
    return low + int64_t(Random() % uint64_t(high - low + 1));
  }
  bool one(int64_t in) { return of(1, in) == 1; }

  TensorType result(DType dtype) {
    return TensorType::contiguous(dtype, Sizes);
  }

  /// `sizes` in some order in memory, with gaps now and then.
  TensorType layout(DType dtype, std::vector<int64_t> sizes, bool gaps) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    if (one(2))
      for (size_t i = order.size(); i-- > 1;)
        std::swap(order[i], order[size_t(of(0, int64_t(i)))]);
    std::vector<int64_t> padded = sizes;
    if (gaps && one(3))
      for (int64_t &size : padded)
        size += of(0, 2);
    TensorType type = TensorType::permuted(dtype, padded, order);
    type.sizes.assign(sizes.begin(), sizes.end());
    return type;
  }

  /// Something that broadcasts to the output; `whole`: of the same sizes.
  TensorType argument(DType dtype, bool whole) {
    std::vector<int64_t> sizes = Sizes;
    bool stretches = !whole && one(2);
    if (stretches) {
      sizes.erase(sizes.begin(), sizes.begin() + of(0, int64_t(sizes.size())));
      for (int64_t &size : sizes)
        if (one(3))
          size = 1;
    }
    TensorType type = layout(dtype, sizes, true);
    if (one(5))
      for (int64_t &stride : type.strides)
        if (one(2))
          stride = 0;
    return type;
  }

  ValueId addFunction(Graph &graph, ValueId y, DType dtype) {
    auto fn = PointwiseFn(of(0, int64_t(PointwiseFn::Scale)));
    std::vector<ValueId> operands{y};
    if (pointwiseFnOperands(fn) == 2)
      operands.insert(operands.begin() + of(0, 1),
                      graph.addArgument(argument(dtype, false)));
    std::vector<double> parameters(pointwiseFnParameters(fn).size(), 0.25);
    if (fn == PointwiseFn::Clamp)
      parameters = {-1.5, 2};
    return graph.addPointwise(fn, operands, result(dtype), parameters);
  }

  std::mt19937_64 Random;
  std::vector<int64_t> Sizes;
};

/// Compares with the reference; true when a bound said something.
void expectWithinBounds(const Launch &launch, const TensorType &type,
                        const ReferenceOutput &expected) {
  std::vector<int64_t> at = elementPositions(type);
  ASSERT_EQ(at.size(), expected.values.size());
  for (size_t i = 0; i != at.size(); ++i) {
    double got = loadElement(launch.outs()[0], type.dtype, at[i]);
    double want = expected.values[i], bound = expected.bounds[i];
    if (std::isinf(bound) || (std::isnan(want) && std::isnan(got)) ||
        got == want || std::abs(got - want) <= bound)
      continue;
    FAIL() << "element " << i << " of " << at.size() << ": got " << got
           << ", expected " << want << " within " << bound;
  }
}

void checkPointwise(const Graph &graph, uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + printGraph(graph));
  ASSERT_TRUE(graph.verify().isOk()) << graph.verify().message();
  for (Isa isa : isas()) {
    SCOPED_TRACE(std::string("target ") + std::string(isaName(isa)));
    Launch launch(graph, seed % 2 ? Guard::After : Guard::Before);
    std::mt19937_64 random(seed);
    launch.fill([&] {
      static constexpr double special[] = {0, -0.0, INFINITY, NAN, 1e-40, -30};
      if (seed % 3 == 0 && random() % 32 == 0)
        return special[random() % std::size(special)];
      return double(random() % 8001) / 1000 - 4;
    });
    std::vector<const void *> ins(launch.ins().begin(), launch.ins().end());
    auto expected = evaluateReference(graph, ins, "pointwise", 1);
    ASSERT_TRUE(expected.isOk()) << expected.status().message();
    launch.compileAndRun(isa);
    if (!::testing::Test::HasFatalFailure())
      expectWithinBounds(launch,
                         graph.value(graph.outputs().front().value).type,
                         expected->front());
    if (::testing::Test::HasFailure())
      return;
  }
}

TEST(Import, RandomPointwiseGroups) {
  const char *from = std::getenv("BOO_IMPORT_SEED");
  uint64_t first = from ? std::strtoull(from, nullptr, 10) : 1;
  uint64_t count = from ? 1 : 60;
  for (uint64_t seed = first; seed != first + count; ++seed) {
    Graph graph = canonicalize(RandomPointwise(seed).make());
    checkPointwise(graph, seed);
    ASSERT_FALSE(HasFailure()) << "repeat with BOO_IMPORT_SEED=" << seed;
  }
}

/// A whole tile and a part, in every dtype.
TEST(Import, EveryFunctionInEveryType) {
  uint64_t seed = 1;
  for (DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F64})
    for (int i = 0; i <= int(PointwiseFn::Scale); ++i) {
      auto fn = PointwiseFn(i);
      TensorType type = TensorType::contiguous(dtype, {131});
      Graph graph;
      std::vector<ValueId> operands;
      for (int j = 0; j != pointwiseFnOperands(fn); ++j)
        operands.push_back(graph.addArgument(type));
      std::vector<double> parameters(pointwiseFnParameters(fn).size(), 0.25);
      if (fn == PointwiseFn::Clamp)
        parameters = {-1.5, 2};
      graph.addOutput(graph.addPointwise(fn, operands, type, parameters));
      checkPointwise(graph, seed++);
      ASSERT_FALSE(HasFailure()) << pointwiseFnName(fn);
    }
}

} // namespace
