//===- TransformLibraryTest.cpp - Kernels that a library changes ----------===//

#include "boo/compiler/import/testing/Launch.h"

#include <fstream>
#include <gmock/gmock.h>
#include <iterator>
#include <random>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

constexpr int64_t M = 13, N = 37, K = 9;

std::string library(const std::string &body) {
  return "module attributes {transform.with_named_sequence} {\n"
         "transform.named_sequence @__transform_main("
         "%module: !transform.any_op) {\n" +
         body + "\ntransform.yield\n}\n}\n";
}

Graph matmulModule(DType dtype) {
  Graph graph;
  ValueId x = graph.addArgument(TensorType::contiguous(dtype, {M, K}));
  ValueId w = graph.addArgument(TensorType::contiguous(dtype, {K, N}));
  std::string module = R"(
    func.func @main(%x: tensor<13x9x?>, %w: tensor<9x37x?>)
        -> tensor<13x37x?> {
      %zero = arith.constant 0.0 : ?
      %0 = tensor.empty() : tensor<13x37x?>
      %1 = linalg.fill ins(%zero : ?) outs(%0 : tensor<13x37x?>)
             -> tensor<13x37x?>
      %2 = linalg.matmul ins(%x, %w : tensor<13x9x?>, tensor<9x37x?>)
             outs(%1 : tensor<13x37x?>) -> tensor<13x37x?>
      return %2 : tensor<13x37x?>
    })";
  for (size_t at; (at = module.find('?')) != std::string::npos;)
    module.replace(at, 1, dtypeName(dtype));
  graph.addOutput(graph
                      .addNode(Op::Mlir, {x, w}, {{"module", module}},
                               {TensorType::contiguous(dtype, {M, N})})
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
      DType dtype = graph.value(graph.arguments().front()).type.dtype;
      auto at = [&](void *buffer, int64_t i) {
        return loadElement(buffer, dtype, i);
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

/// The module that the passes begin with.
std::string emitted(const Graph &graph, const std::string &transforms) {
  Launch launch(graph, Guard::After);
  launch.setTransforms(transforms);
  std::string path = ::testing::TempDir() + "/transform-emitted-" +
                     std::to_string(getpid()) + ".mlir";
  Status status = launch.compile(Isa::Avx2, "", path);
  EXPECT_TRUE(status.isOk()) << status.message();
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  unlink(path.c_str());
  return text;
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
  for (DType dtype : {DType::F32, DType::BF16}) {
    Graph graph = matmulModule(dtype);
    std::string module = emitted(graph, library(TileAndVectorize));
    EXPECT_THAT(module, HasSubstr("vector<4x8"));
    EXPECT_THAT(module, Not(HasSubstr("linalg.matmul")));
    runProduct(graph, library(TileAndVectorize));
  }
}

TEST(TransformLibrary, VectorsOfSeveralDimensionsAreLowered) {
  std::string vectorize = library(R"(
    %function = transform.structured.match ops{["func.func"]} in %module
        : (!transform.any_op) -> !transform.any_op
    %vectors =
        transform.structured.vectorize_children_and_apply_patterns %function
        : (!transform.any_op) -> !transform.any_op)");
  Graph graph = matmulModule(DType::F32);
  EXPECT_THAT(emitted(graph, vectorize), HasSubstr("vector."));
  runProduct(graph, vectorize);
}

TEST(TransformLibrary, ChangesWhatAnEmitterWrote) {
  std::string unroll = library(R"(
    %tiles = transform.structured.match ops{["boo.brgemm"]} in %module
        : (!transform.any_op) -> !transform.any_op
    %three = transform.param.constant 3 : i64 -> !transform.param<i64>
    transform.annotate %tiles "k_unroll" = %three
        : !transform.any_op, !transform.param<i64>)");
  EXPECT_THAT(emitted(matmul(), unroll), HasSubstr("k_unroll = 3"));
  runProduct(matmul(), unroll);
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
      refusal(matmulModule(DType::F32),
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
