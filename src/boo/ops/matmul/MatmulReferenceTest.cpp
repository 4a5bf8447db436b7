//===- MatmulReferenceTest.cpp --------------------------------------------===//
//
// The reference against loops written straight from MatmulProblem.h's formula,
// on operands of any layout and broadcast; and against the same loops in float,
// which must stay in bounds.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/ops/matmul/ErrorBound.h"
#include "boo/ops/matmul/MatmulProblem.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace boo;
using List = std::vector<int64_t>;

namespace {

class RandomMatmul {
public:
  explicit RandomMatmul(uint64_t seed) : Engine(seed) {}

  int64_t integer(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(Engine);
  }

  Graph graph(DType dtype) {
    List batch(size_t(integer(0, 3)));
    for (int64_t &size : batch)
      size = integer(1, 3);
    int64_t m = integer(1, 21), n = integer(1, 21), k = integer(1, 40);
    Graph graph;
    ValueId a = graph.addArgument(operand(dtype, batch, m, k));
    ValueId b = graph.addArgument(operand(dtype, batch, k, n));
    List out;
    size_t rank =
        std::max(graph.value(a).type.rank(), graph.value(b).type.rank());
    for (size_t i = 0; i + 2 < rank; ++i) {
      int64_t size = 1;
      for (ValueId id : {a, b}) {
        const TensorType &type = graph.value(id).type;
        if (i + type.rank() >= rank)
          size = std::max(size, type.sizes[i + type.rank() - rank].size());
      }
      out.push_back(size);
    }
    out.insert(out.end(), {m, n});
    graph.addOutput(
        graph.addNode(Op::Matmul, {a, b},
                      {{"acc", dtype == DType::F64 ? DType::F64 : DType::F32}},
                      {layout(dtype, out)})[0]);
    return graph;
  }

private:
  TensorType layout(DType dtype, const List &sizes) {
    std::vector<size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), Engine);
    return TensorType::permuted(dtype, sizes, order);
  }

  TensorType operand(DType dtype, const List &batch, int64_t rows,
                     int64_t columns) {
    List sizes;
    for (size_t i = size_t(integer(0, int64_t(batch.size()))); i < batch.size();
         ++i)
      sizes.push_back(integer(0, 2) == 0 ? 1 : batch[i]);
    sizes.insert(sizes.end(), {rows, columns});
    TensorType type = layout(dtype, sizes);
    if (sizes.size() > 2 && integer(0, 3) == 0)
      type.strides[0] = 0;
    return type;
  }

  std::mt19937_64 Engine;
};

template <typename Acc>
std::vector<double> naive(const MatmulProblem &p,
                          const std::vector<const void *> &buffers) {
  std::vector<double> results;
  for (int64_t i = 0; i != p.batchCount(); ++i) {
    int64_t a = 0, b = 0, rest = i;
    for (size_t d = p.batch.size(); d-- > 0; rest /= p.batch[d]) {
      a += rest % p.batch[d] * p.a.batch[d];
      b += rest % p.batch[d] * p.b.batch[d];
    }
    for (int64_t m = 0; m != p.m; ++m)
      for (int64_t n = 0; n != p.n; ++n) {
        Acc sum = 0;
        for (int64_t k = 0; k != p.k; ++k)
          sum += Acc(loadElement(buffers[0], p.dtype,
                                 a + m * p.a.row + k * p.a.column)) *
                 Acc(loadElement(buffers[1], p.dtype,
                                 b + k * p.b.row + n * p.b.column));
        results.push_back(double(sum));
      }
  }
  return results;
}

TEST(MatmulReference, AgreesWithNaiveLoops) {
  for (uint64_t seed = 0; seed != 300; ++seed) {
    RandomMatmul random(seed);
    DType dtype =
        std::array{DType::F32, DType::F64, DType::F16, DType::BF16}[seed % 4];
    Graph graph = random.graph(dtype);
    ASSERT_TRUE(graph.verify().isOk()) << graph.verify().toString();
    SCOPED_TRACE(printGraph(graph));
    std::vector<std::vector<char>> bytes;
    std::vector<const void *> buffers;
    for (ValueId id : graph.arguments()) {
      int64_t size = graph.value(id).type.spanBytes();
      bytes.emplace_back(size_t(size));
      for (int64_t i = 0; i != size / dtypeBytes(dtype); ++i)
        storeElement(bytes.back().data(), dtype, i,
                     double(random.integer(-1000, 1000)) / 1000);
    }
    for (const auto &each : bytes)
      buffers.push_back(each.data());
    auto outputs =
        evaluateReference(graph, buffers, "direct", int(random.integer(1, 3)));
    ASSERT_TRUE(outputs.isOk()) << outputs.status().toString();
    const ReferenceOutput &output = (*outputs)[0];
    const TensorType &type = graph.value(graph.outputs()[0].value).type;
    MatmulProblem p = matmulProblem(graph, graph.nodes()[0], type);
    std::vector<double> exact = naive<double>(p, buffers);
    std::vector<double> kernel =
        dtype == DType::F64 ? exact : naive<float>(p, buffers);
    ASSERT_EQ(output.values.size(), exact.size());
    for (size_t i = 0; i != exact.size(); ++i) {
      ASSERT_NEAR(output.values[i], exact[i], 1e-15 * double(p.k)) << i;
      char rounded[8];
      storeElement(rounded, dtype, 0, kernel[i]);
      ASSERT_LE(std::fabs(loadElement(rounded, dtype, 0) - output.values[i]),
                output.bounds[i])
          << i;
      double terms = double(p.k);
      ASSERT_LE(output.bounds[i],
                1.01 * (terms * (terms + 4) * dtypeEpsilon(p.accType) +
                        dtypeEpsilon(dtype) * std::fabs(exact[i])) +
                    1e-7)
          << i;
    }
  }
}

TEST(MatmulReference, WorkAndBounds) {
  Graph graph;
  ValueId a = graph.addArgument(TensorType::contiguous(DType::F32, {3, 1, 5}));
  ValueId b = graph.addArgument(TensorType::contiguous(DType::F32, {5, 7}));
  graph.addOutput(
      graph.addNode(Op::Matmul, {a, b}, {{"acc", DType::F32}},
                    {TensorType::contiguous(DType::F32, {3, 1, 7})})[0]);
  Work work = graphWork(graph);
  EXPECT_EQ(work.flops, 2 * 3 * 5 * 7);
  EXPECT_EQ(work.bytes, 4 * (15 + 35 + 21));
  MatmulProblem p = matmulProblem(graph, graph.nodes()[0],
                                  graph.value(graph.outputs()[0].value).type);
  EXPECT_NEAR(*matmulErrorFactor("direct", p), 9 * 0x1p-24, 1e-14);
  EXPECT_FALSE(matmulErrorFactor("winograd", p).isOk());
}

} // namespace
