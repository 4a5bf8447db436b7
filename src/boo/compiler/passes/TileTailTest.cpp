//===- TileTailTest.cpp - Tails of many operands --------------------------===//

#include "boo/compiler/import/testing/Launch.h"
#include "boo/graph/partition/Partition.h"

#include <chrono>

using namespace boo;
using namespace boo::testing;

namespace {

/// A convolution and as many residuals as a group may hold, none of which lies
/// along the lanes or the rows of a tile.
Graph manyResiduals(DType dtype) {
  Graph graph;
  TensorType type = TensorType::contiguous(dtype, {2, 32, 14, 28});
  ValueId x = graph.addArgument(type);
  ValueId w = graph.addArgument(TensorType::contiguous(dtype, {32, 32, 3, 3}));
  using List = std::vector<int64_t>;
  AttributeMap attributes{{"stride", List{1, 1}}, {"dilation", List{1, 1}},
                          {"pad_lo", List{1, 1}}, {"pad_hi", List{1, 1}},
                          {"groups", int64_t(1)}, {"acc", DType::F32}};
  ValueId y = graph.addNode(Op::Conv, {x, w}, attributes, {type})[0];
  for (size_t i = 0; i != maxTailOperands; ++i)
    y = graph.addPointwise(PointwiseFn::Add,
                           {y, graph.addArgument(TensorType::permuted(
                                   dtype, {2, 32, 14, 28}, {1, 3, 2, 0}))},
                           type);
  graph.addOutput(y);
  return canonicalize(graph);
}

// Half a second each. Element by element and unrolled, all of them together
// take minutes: the bound leaves room for sanitizers and busy machines.
TEST(TileTail, ManyGatheredOperandsCompileQuickly) {
  for (DType dtype : {DType::F32, DType::BF16}) {
    Graph graph = manyResiduals(dtype);
    for (Isa isa : isas()) {
      SCOPED_TRACE(std::string(isaName(isa)));
      Launch launch(graph, Guard::After);
      std::string path = ::testing::TempDir() + "/tile-tail-test-" +
                         std::to_string(getpid()) + ".so";
      auto start = std::chrono::steady_clock::now();
      Status status = launch.compile(isa, path);
      std::chrono::duration<double> took =
          std::chrono::steady_clock::now() - start;
      ASSERT_TRUE(status.isOk()) << status.toString();
      EXPECT_LT(took.count(), 20);
      unlink(path.c_str());
    }
  }
}

} // namespace
