//===- TransformLibraryTest.cpp - Kernels that a library changes ----------===//

#include "boo/compiler/import/testing/Launch.h"

#include <gmock/gmock.h>
#include <random>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

namespace {

constexpr int64_t M = 13, N = 37, K = 9;

std::string library(const std::string &body) {
  return "module attributes {transform.with_named_sequence} {\n"
         "transform.named_sequence @__transform_main("
         "%module: !transform.any_op) {\n" +
         body + "\ntransform.yield\n}\n}\n";
}

Graph matmulModule() {
  Graph graph;
  ValueId x = graph.addArgument(TensorType::contiguous(DType::F32, {M, K}));
  ValueId w = graph.addArgument(TensorType::contiguous(DType::F32, {K, N}));
  std::string module = R"(
    func.func @main(%x: tensor<13x9xf32>, %w: tensor<9x37xf32>)
        -> tensor<13x37xf32> {
      %zero = arith.constant 0.0 : f32
      %0 = tensor.empty() : tensor<13x37xf32>
      %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<13x37xf32>)
             -> tensor<13x37xf32>
      %2 = linalg.matmul ins(%x, %w : tensor<13x9xf32>, tensor<9x37xf32>)
             outs(%1 : tensor<13x37xf32>) -> tensor<13x37xf32>
      return %2 : tensor<13x37xf32>
    })";
  graph.addOutput(graph
                      .addNode(Op::Mlir, {x, w}, {{"module", module}},
                               {TensorType::contiguous(DType::F32, {M, N})})
                      .front());
  return graph;
}

Graph matmul() {
  Graph graph;
  ValueId x = graph.addArgument(TensorType::contiguous(DType::F32, {1, M, K}));
  ValueId w = graph.addArgument(TensorType::contiguous(DType::F32, {1, K, N}));
  graph.addOutput(graph
                      .addNode(Op::Matmul, {x, w}, {{"acc", DType::F32}},
                               {TensorType::contiguous(DType::F32, {1, M, N})})
                      .front());
  return canonicalize(graph);
}

/// Runs it on every target between guard pages; small integers, whose products
/// are exact.
void runProduct(const Graph &graph, const std::string &transforms) {
  ASSERT_TRUE(graph.verify().isOk()) << graph.verify().message();
  for (Isa isa : isas())
    for (Guard guard : {Guard::Before, Guard::After}) {
      SCOPED_TRACE(std::string(isaName(isa)));
      Launch launch(graph, guard);
      launch.setTransforms(transforms);
      std::mt19937_64 random(5);
      launch.fill([&] { return double(int64_t(random() % 7)) - 3; });
      launch.compileAndRun(isa);
      if (::testing::Test::HasFatalFailure())
        return;
      auto at = [](void *buffer, int64_t i) {
        return loadElement(buffer, DType::F32, i);
      };
      for (int64_t m = 0; m != M; ++m)
        for (int64_t n = 0; n != N; ++n) {
          double sum = 0;
          for (int64_t k = 0; k != K; ++k)
            sum +=
                at(launch.ins()[0], m * K + k) * at(launch.ins()[1], k * N + n);
          ASSERT_EQ(at(launch.outs()[0], m * N + n), sum) << m << ", " << n;
        }
    }
}

std::string refusal(const Graph &graph, const std::string &transforms) {
  Launch launch(graph, Guard::After);
  launch.setTransforms(transforms);
  std::string path = ::testing::TempDir() + "/transform-refusal-" +
                     std::to_string(getpid()) + ".so";
  Status status = launch.compile(Isa::Avx2, path);
  unlink(path.c_str());
  return status.message();
}

/// Tiles that do not divide the sizes: what is left over is masked.
const char *TileAndVectorize = R"(
  %product = transform.structured.match ops{["linalg.matmul"]} in %module
      : (!transform.any_op) -> !transform.any_op
  %tile, %loops:3 = transform.structured.tile_using_for %product
      tile_sizes [4, 8, 4]
      : (!transform.any_op) -> (!transform.any_op, !transform.any_op,
                                !transform.any_op, !transform.any_op)
  transform.structured.vectorize %tile vector_sizes [4, 8, 4]
      : !transform.any_op)";

} // namespace

TEST(TransformLibrary, TilesAndVectorizesAnMlirNode) {
  runProduct(matmulModule(), library(TileAndVectorize));
}

TEST(TransformLibrary, VectorsOfSeveralDimensionsAreLowered) {
  runProduct(matmulModule(), library(R"(
    %function = transform.structured.match ops{["func.func"]} in %module
        : (!transform.any_op) -> !transform.any_op
    %vectors =
        transform.structured.vectorize_children_and_apply_patterns %function
        : (!transform.any_op) -> !transform.any_op)"));
}

TEST(TransformLibrary, ChangesWhatAnEmitterWrote) {
  runProduct(matmul(), library(R"(
    %tiles = transform.structured.match ops{["boo.brgemm"]} in %module
        : (!transform.any_op) -> !transform.any_op
    %two = transform.param.constant 2 : i64 -> !transform.param<i64>
    transform.annotate %tiles "k_unroll" = %two
        : !transform.any_op, !transform.param<i64>)"));
}

TEST(TransformLibrary, LeavesAloneWhatItDoesNotMatch) {
  runProduct(matmul(), library(R"(
    %loops = transform.structured.match ops{["scf.while"]} in %module
        : (!transform.any_op) -> !transform.any_op)"));
}

TEST(TransformLibrary, RefusalsSayWhy) {
  EXPECT_THAT(refusal(matmul(), "module {"),
              HasSubstr("transform library: 1:"));
  EXPECT_THAT(refusal(matmul(), "module {}"), HasSubstr("__transform_main"));
  EXPECT_THAT(refusal(matmul(), library("%0 = foo.bar")), HasSubstr("foo"));
  EXPECT_THAT(refusal(matmul(), std::string(1000, '{')),
              HasSubstr("brackets nest deeper"));
  std::string find = R"(
    %functions = transform.structured.match ops{["func.func"]} in %module
        : (!transform.any_op) -> !transform.any_op
    )";
  EXPECT_THAT(
      refusal(matmulModule(),
              library(find + "transform.structured.fuse_into_containing_op "
                             "%functions into %functions : (!transform.any_op, "
                             "!transform.any_op) -> (!transform.any_op, "
                             "!transform.any_op)")),
      HasSubstr("transform library: "));
  // What the runtime calls has to stay.
  std::string rename = find + R"(
    %name = transform.param.constant "other" -> !transform.any_param
    transform.annotate %functions "sym_name" = %name
        : !transform.any_op, !transform.any_param)";
  EXPECT_THAT(refusal(matmul(), library(rename)),
              HasSubstr("it leaves no function @boo_dispatch_0"));
}
