//===- ImportModuleTest.cpp - mlir nodes, compiled and run ----------------===//

#include "boo/compiler/import/testing/Launch.h"

#include <cmath>
#include <gmock/gmock.h>
#include <memory>
#include <random>

using namespace boo;
using namespace boo::testing;

namespace {

/// A Graph of one mlir node; every result is an output.
Graph moduleGraph(const std::string &module,
                  const std::vector<TensorType> &arguments,
                  std::vector<TensorType> results) {
  Graph graph;
  std::vector<ValueId> operands;
  for (const TensorType &type : arguments)
    operands.push_back(graph.addArgument(type));
  for (ValueId id : graph.addNode(Op::Mlir, operands, {{"module", module}},
                                  std::move(results)))
    graph.addOutput(id);
  return graph;
}

TensorType dense(DType dtype, std::vector<int64_t> sizes) {
  return TensorType::contiguous(dtype, std::move(sizes));
}

double at(const std::vector<void *> &buffers, size_t i, DType dtype,
          int64_t index) {
  return loadElement(buffers[i], dtype, index);
}

/// Small integers: sums of their products are exact.
std::function<double()> integers(uint64_t seed) {
  auto random = std::make_shared<std::mt19937_64>(seed);
  return [random] { return double(int64_t((*random)() % 7)) - 3; };
}

/// Runs `graph` on every target and guard; `check` looks at the results.
void runModule(
    const Graph &graph, const std::function<void(const Launch &)> &check,
    const std::function<std::function<double()>()> &fill = [] {
      return integers(7);
    }) {
  ASSERT_TRUE(graph.verify().isOk()) << graph.verify().message();
  for (Isa isa : isas())
    for (Guard guard : {Guard::Before, Guard::After}) {
      SCOPED_TRACE(std::string("target ") + std::string(isaName(isa)));
      Launch launch(graph, guard);
      launch.fill(fill());
      launch.compileAndRun(isa);
      if (!::testing::Test::HasFatalFailure())
        check(launch);
      if (::testing::Test::HasFailure())
        return;
    }
}

TEST(ImportModule, MatmulsWithBiasAndRelu) {
  Graph graph = moduleGraph(
      R"(func.func @main(%x: tensor<5x37xf32>, %w: tensor<37x19xf32>,
                         %b: tensor<19xf32>, %v: tensor<19x3xf32>)
             -> (tensor<5x3xf32>, tensor<5x19xf32>) {
           %zero = arith.constant 0.0 : f32
           %0 = tensor.empty() : tensor<5x19xf32>
           %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<5x19xf32>)
                  -> tensor<5x19xf32>
           %2 = linalg.matmul
                  ins(%x, %w : tensor<5x37xf32>, tensor<37x19xf32>)
                  outs(%1 : tensor<5x19xf32>) -> tensor<5x19xf32>
           %3 = linalg.broadcast ins(%b : tensor<19xf32>)
                  outs(%0 : tensor<5x19xf32>) dimensions = [0]
           %4 = arith.addf %2, %3 : tensor<5x19xf32>
           %zeros = arith.constant dense<0.0> : tensor<5x19xf32>
           %5 = arith.maximumf %4, %zeros : tensor<5x19xf32>
           %6 = tensor.empty() : tensor<5x3xf32>
           %7 = linalg.fill ins(%zero : f32) outs(%6 : tensor<5x3xf32>)
                  -> tensor<5x3xf32>
           %8 = linalg.matmul
                  ins(%5, %v : tensor<5x19xf32>, tensor<19x3xf32>)
                  outs(%7 : tensor<5x3xf32>) -> tensor<5x3xf32>
           %9 = arith.negf %5 : tensor<5x19xf32>
           return %8, %9 : tensor<5x3xf32>, tensor<5x19xf32>
         })",
      {dense(DType::F32, {5, 37}), dense(DType::F32, {37, 19}),
       dense(DType::F32, {19}), dense(DType::F32, {19, 3})},
      {dense(DType::F32, {5, 3}), dense(DType::F32, {5, 19})});
  runModule(graph, [](const Launch &launch) {
    auto in = [&](size_t i, int64_t index) {
      return at(launch.ins(), i, DType::F32, index);
    };
    for (int64_t m = 0; m != 5; ++m) {
      double second[3] = {};
      for (int64_t n = 0; n != 19; ++n) {
        double sum = in(2, n);
        for (int64_t k = 0; k != 37; ++k)
          sum += in(0, m * 37 + k) * in(1, k * 19 + n);
        sum = std::max(sum, 0.0);
        ASSERT_EQ(at(launch.outs(), 1, DType::F32, m * 19 + n), -sum);
        for (int64_t o = 0; o != 3; ++o)
          second[o] += sum * in(3, n * 3 + o);
      }
      for (int64_t o = 0; o != 3; ++o)
        ASSERT_EQ(at(launch.outs(), 0, DType::F32, m * 3 + o), second[o]);
    }
  });
}

TEST(ImportModule, Convolution) {
  Graph graph = moduleGraph(
      R"(func.func @conv(%x: tensor<2x9x8x3xf32>, %w: tensor<3x2x3x5xf32>)
             -> tensor<2x4x6x5xf32> {
           %zero = arith.constant 0.0 : f32
           %0 = tensor.empty() : tensor<2x4x6x5xf32>
           %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<2x4x6x5xf32>)
                  -> tensor<2x4x6x5xf32>
           %2 = linalg.conv_2d_nhwc_hwcf
                  {dilations = dense<[1, 2]> : tensor<2xi64>,
                   strides = dense<[2, 1]> : tensor<2xi64>}
                  ins(%x, %w : tensor<2x9x8x3xf32>, tensor<3x2x3x5xf32>)
                  outs(%1 : tensor<2x4x6x5xf32>) -> tensor<2x4x6x5xf32>
           return %2 : tensor<2x4x6x5xf32>
         })",
      {dense(DType::F32, {2, 9, 8, 3}), dense(DType::F32, {3, 2, 3, 5})},
      {dense(DType::F32, {2, 4, 6, 5})});
  runModule(graph, [](const Launch &launch) {
    for (int64_t n = 0; n != 2; ++n)
      for (int64_t y = 0; y != 4; ++y)
        for (int64_t x = 0; x != 6; ++x)
          for (int64_t f = 0; f != 5; ++f) {
            double sum = 0;
            for (int64_t r = 0; r != 3; ++r)
              for (int64_t s = 0; s != 2; ++s)
                for (int64_t c = 0; c != 3; ++c)
                  sum += at(launch.ins(), 0, DType::F32,
                            ((n * 9 + 2 * y + r) * 8 + x + 2 * s) * 3 + c) *
                         at(launch.ins(), 1, DType::F32,
                            ((r * 2 + s) * 3 + c) * 5 + f);
            ASSERT_EQ(
                at(launch.outs(), 0, DType::F32, ((n * 4 + y) * 6 + x) * 5 + f),
                sum);
          }
  });
}

/// Each op on floats of 16 bits rounds its result, and calls nothing for it.
TEST(ImportModule, HalvesRoundAfterEachOp) {
  for (DType dtype : {DType::BF16, DType::F16}) {
    std::string type = "tensor<3x50x" + std::string(dtypeName(dtype)) + ">";
    std::string row = "tensor<50x" + std::string(dtypeName(dtype)) + ">";
    std::string matrix = "tensor<50x4x" + std::string(dtypeName(dtype)) + ">";
    std::string sums = "tensor<3x4x" + std::string(dtypeName(dtype)) + ">";
    Graph graph = moduleGraph(
        "func.func @main(%x: " + type + ", %y: " + row + ", %w: " + matrix +
            ") -> (" + type + ", " + sums +
            ") {\n%e = tensor.empty() : " + type +
            "\n%b = linalg.broadcast ins(%y : " + row + ") outs(%e : " + type +
            ") dimensions = [0]\n%0 = arith.addf %x, %b : " + type +
            "\n%1 = arith.mulf %0, %0 : " + type +
            "\n%2 = math.sqrt %1 : " + type +
            "\n%zero = arith.constant 0.0 : " + std::string(dtypeName(dtype)) +
            "\n%s = tensor.empty() : " + sums +
            "\n%f = linalg.fill ins(%zero : " + std::string(dtypeName(dtype)) +
            ") outs(%s : " + sums + ") -> " + sums +
            "\n%m = linalg.matmul ins(%x, %w : " + type + ", " + matrix +
            ") outs(%f : " + sums + ") -> " + sums +
            "\nreturn %2, %m : " + type + ", " + sums + "\n}",
        {dense(dtype, {3, 50}), dense(dtype, {50}), dense(dtype, {50, 4})},
        {dense(dtype, {3, 50}), dense(dtype, {3, 4})});
    auto round = [dtype](double value) {
      char bytes[8];
      storeElement(bytes, dtype, 0, value);
      return loadElement(bytes, dtype, 0);
    };
    runModule(
        graph,
        [&](const Launch &launch) {
          for (int64_t i = 0; i != 150; ++i) {
            double sum = round(at(launch.ins(), 0, dtype, i) +
                               at(launch.ins(), 1, dtype, i % 50));
            ASSERT_EQ(at(launch.outs(), 0, dtype, i),
                      round(std::sqrt(round(sum * sum))))
                << i;
          }
          for (int64_t i = 0; i != 12; ++i) {
            double sum = 0;
            for (int64_t k = 0; k != 50; ++k)
              sum =
                  round(sum + round(at(launch.ins(), 0, dtype, i / 4 * 50 + k) *
                                    at(launch.ins(), 2, dtype, k * 4 + i % 4)));
            ASSERT_EQ(at(launch.outs(), 1, dtype, i), sum) << i;
          }
        },
        [] {
          auto random = std::make_shared<std::mt19937_64>(3);
          return [random] { return double((*random)() % 4001) / 1000 - 2; };
        });
  }
}

/// Slices, padding, loops, a constant tensor, a private function, integers.
TEST(ImportModule, MoreThanElementwise) {
  Graph graph = moduleGraph(
      R"(func.func private @twice(%x: tensor<4x6xi32>) -> tensor<4x6xi32> {
           %0 = arith.addi %x, %x : tensor<4x6xi32>
           return %0 : tensor<4x6xi32>
         }
         func.func @main(%x: tensor<4x6xi32>, %p: tensor<24xi1>)
             -> (tensor<6x8xi32>, tensor<4x6xi64>, tensor<2x6xi32>) {
           %c0 = arith.constant 0 : index
           %c1 = arith.constant 1 : index
           %c5 = arith.constant 5 : index
           %0 = func.call @twice(%x) : (tensor<4x6xi32>) -> tensor<4x6xi32>
           %minus = arith.constant -1 : i32
           %1 = tensor.pad %0 low[1, 1] high[1, 1] {
           ^bb0(%i: index, %j: index):
             tensor.yield %minus : i32
           } : tensor<4x6xi32> to tensor<6x8xi32>
           %q = tensor.expand_shape %p [[0, 1]] output_shape [4, 6]
                  : tensor<24xi1> into tensor<4x6xi1>
           %table = arith.constant dense<[[1, 2, 3, 4, 5, 6],
             [7, 8, 9, 10, 11, 12], [13, 14, 15, 16, 17, 18],
             [19, 20, 21, 22, 23, 24]]> : tensor<4x6xi32>
           %2 = arith.select %q, %x, %table : tensor<4x6xi1>, tensor<4x6xi32>
           %3 = arith.extsi %2 : tensor<4x6xi32> to tensor<4x6xi64>
           %4 = tensor.extract_slice %x[0, 0] [2, 6] [2, 1]
                  : tensor<4x6xi32> to tensor<2x6xi32>
           %5 = scf.for %i = %c0 to %c5 step %c1
                  iter_args(%sum = %4) -> tensor<2x6xi32> {
             %6 = arith.addi %sum, %4 : tensor<2x6xi32>
             %7 = arith.addi %6, %4 : tensor<2x6xi32>
             scf.yield %7 : tensor<2x6xi32>
           }
           return %1, %3, %5
             : tensor<6x8xi32>, tensor<4x6xi64>, tensor<2x6xi32>
         })",
      {dense(DType::I32, {4, 6}), dense(DType::I1, {24})},
      {dense(DType::I32, {6, 8}), dense(DType::I64, {4, 6}),
       dense(DType::I32, {2, 6})});
  ASSERT_TRUE(graph.verify().isOk()) << graph.verify().message();
  for (Isa isa : isas()) {
    Launch launch(graph, Guard::After);
    auto *x = static_cast<int32_t *>(launch.ins()[0]);
    auto *p = static_cast<uint8_t *>(launch.ins()[1]);
    for (int i = 0; i != 24; ++i) {
      x[i] = i * 1000 - 7000;
      p[i] = i % 3 == 0;
    }
    launch.compileAndRun(isa);
    ASSERT_FALSE(HasFailure());
    auto *padded = static_cast<int32_t *>(launch.outs()[0]);
    auto *selected = static_cast<int64_t *>(launch.outs()[1]);
    auto *sums = static_cast<int32_t *>(launch.outs()[2]);
    for (int i = 0; i != 6; ++i)
      for (int j = 0; j != 8; ++j) {
        bool inside = i > 0 && i < 5 && j > 0 && j < 7;
        ASSERT_EQ(padded[i * 8 + j], inside ? 2 * x[(i - 1) * 6 + j - 1] : -1);
      }
    for (int i = 0; i != 24; ++i)
      ASSERT_EQ(selected[i], p[i] ? x[i] : i + 1);
    for (int i = 0; i != 12; ++i)
      ASSERT_EQ(sums[i], 11 * x[i / 6 * 12 + i % 6]);
  }
}

/// Results that are arguments, or one another, and outputs in the memory of
/// arguments.
TEST(ImportModule, ResultsThatShareMemory) {
  const char *module = R"(
    func.func @main(%x: tensor<40xf32>, %y: tensor<40xf32>)
        -> (tensor<40xf32>, tensor<40xf32>, tensor<40xf32>) {
      %0 = arith.addf %x, %y : tensor<40xf32>
      return %0, %x, %0 : tensor<40xf32>, tensor<40xf32>, tensor<40xf32>
    })";
  TensorType type = dense(DType::F32, {40});
  Graph apart = moduleGraph(module, {type, type}, {type, type, type});
  Graph overwriting;
  ValueId x = overwriting.addArgument(type, Role::InOut);
  ValueId y = overwriting.addArgument(type, Role::InOut);
  std::vector<ValueId> results = overwriting.addNode(
      Op::Mlir, {x, y}, {{"module", std::string(module)}}, {type, type, type});
  overwriting.addOutput(results[0], x);
  overwriting.addOutput(results[1], y);
  overwriting.addOutput(results[2]);
  for (const Graph *graph : {&apart, &overwriting}) {
    SCOPED_TRACE(printGraph(*graph));
    std::vector<double> first, second;
    auto fill = [&] {
      first.clear();
      second.clear();
      auto next = integers(11);
      return [&, next] {
        double value = next();
        (first.size() < 40 ? first : second).push_back(value);
        return value;
      };
    };
    runModule(
        *graph,
        [&](const Launch &launch) {
          for (int64_t i = 0; i != 40; ++i) {
            double sum = first[size_t(i)] + second[size_t(i)];
            ASSERT_EQ(at(launch.outs(), 0, DType::F32, i), sum);
            ASSERT_EQ(at(launch.outs(), 1, DType::F32, i), first[size_t(i)]);
            ASSERT_EQ(at(launch.outs(), 2, DType::F32, i), sum);
          }
        },
        fill);
  }
}

/// What the compiler says of a module that takes `argument` and gives f32[4].
std::string refusal(const std::string &module,
                    const TensorType &argument = dense(DType::F32, {4})) {
  Graph graph = moduleGraph(module, {argument}, {dense(DType::F32, {4})});
  Status status =
      Launch(graph, Guard::After).compile(Isa::Generic, "/dev/null");
  return status.isOk() ? "accepted" : status.message();
}

TEST(ImportModule, RefusalsSayWhy) {
  using ::testing::HasSubstr;
  std::string negate = R"(func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = arith.negf %x : tensor<4xf32>
    return %0 : tensor<4xf32>
  })";
  TensorType apart = dense(DType::F32, {4});
  apart.strides = {2};
  EXPECT_THAT(refusal(negate, apart),
              HasSubstr("argument 0 is tensor<4xf32> in the module and "
                        "f32[4]{2} in the Graph: the strides"));
  EXPECT_THAT(refusal(negate, dense(DType::F64, {4})),
              HasSubstr("the element types differ"));
  EXPECT_THAT(refusal(negate, dense(DType::F32, {4, 1})),
              HasSubstr("the ranks differ"));
  EXPECT_THAT(refusal(negate, dense(DType::F32, {5})),
              HasSubstr("dimension 0 differs"));
  EXPECT_THAT(refusal("func.func @main() { return }"),
              HasSubstr("the function has 0 arguments and the node 1"));
  EXPECT_THAT(refusal(""), HasSubstr("no public function"));
  // The parser would recurse as deep, and overflow the stack.
  EXPECT_THAT(
      refusal("func.func @main() attributes {a = " + std::string(200000, '[') +
              std::string(200000, ']') + "} { return }"),
      HasSubstr("brackets nest deeper than 200"));
  EXPECT_THAT(refusal(negate + "\nfunc.func @other() { return }"),
              HasSubstr("two public functions, @main and @other"));
  EXPECT_THAT(refusal("func.func private @f()"), HasSubstr("@f has no body"));
  EXPECT_THAT(refusal("func.func @main(%x: tensor<4xf32>) {\n  nonsense\n}"),
              HasSubstr("2:3: "));
  EXPECT_THAT(refusal(R"(func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = tosa.negate %x : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  })"),
              HasSubstr("tosa"));
  EXPECT_THAT(refusal(R"(func.func @main(%x: tensor<?xf32>) -> tensor<4xf32> {
    %0 = arith.constant dense<0.0> : tensor<4xf32>
    return %0 : tensor<4xf32>
  })"),
              HasSubstr("only ranked tensors of static shape"));
  EXPECT_THAT(
      refusal(R"(func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = func.call @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = func.call @f(%x) : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  })"),
      HasSubstr("@f cannot be inlined"));
  EXPECT_THAT(refusal(R"(func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    cf.br ^next
  ^next:
    %0 = arith.negf %x : tensor<4xf32>
    cf.br ^next
  })"),
              HasSubstr("mlir node: "));
  // What would need libm is named before the linker sees it.
  EXPECT_THAT(refusal(R"(func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = math.sin %x : tensor<4xf32>
    return %0 : tensor<4xf32>
  })"),
              HasSubstr("math.sin"));
}

} // namespace
