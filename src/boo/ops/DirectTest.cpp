//===- DirectTest.cpp - A Graph computed in its own dtypes ----------------===//

#include "boo/ops/Reference.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace boo;

namespace {

Graph parse(std::string_view text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  return std::move(*graph);
}

std::vector<double> direct(std::string_view text,
                           std::vector<std::vector<float>> arguments) {
  std::vector<const void *> pointers;
  for (const std::vector<float> &argument : arguments)
    pointers.push_back(argument.data());
  auto outputs = evaluateDirect(parse(text), pointers, 2);
  EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
  return outputs->front();
}

TEST(Direct, sumsRoundInTheAccumulationType) {
  // 1 + 2^-24 is a tie that goes back to 1; twice as much is not.
  const char *text = "boo.graph 1\n%0 = input f32[1,3]\n%1 = input f32[3,1]\n"
                     "%2 = matmul(%0, %1) {acc = f32} : f32[1,1]\nreturn %2";
  EXPECT_EQ(direct(text, {{1, 0x1p-24f, 0x1p-24f}, {1, 1, 1}}),
            std::vector<double>{1});
  EXPECT_EQ(direct(text, {{0x1p-24f, 0x1p-24f, 1}, {1, 1, 1}}),
            std::vector<double>{1 + 0x1p-23});
}

TEST(Direct, nodesRoundToWhatTheyAreComputedIn) {
  const char *text =
      "boo.graph 1\n%0 = input f32[1]\n%1 = input f32[1]\n"
      "%2 = pointwise(%0, %1) {fn = \"add\"} : f32[1]\n"
      "%3 = pointwise(%2, %0) {fn = \"sub\"} : f32[1]\nreturn %3";
  EXPECT_EQ(direct(text, {{1}, {0x1p-30f}}), std::vector<double>{0});
}

TEST(Direct, aConvStaysWithinTheBoundsAndIsNotExact) {
  const char *text =
      "boo.graph 1\n%0 = input f32[2,32,9,9]\n%1 = input f32[16,32,3,3]\n"
      "%2 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, pad_hi = "
      "[1, 1], pad_lo = [1, 1], stride = [1, 1]} : f32[2,16,9,9]\nreturn %2";
  std::mt19937 engine;
  std::uniform_real_distribution<float> real(-1, 1);
  std::vector<float> x(2 * 32 * 81), w(16 * 32 * 9);
  for (auto *list : {&x, &w})
    for (float &value : *list)
      value = real(engine);
  const void *pointers[] = {x.data(), w.data()};
  Graph graph = parse(text);
  auto exact = evaluateReference(graph, pointers, "direct", 1);
  ASSERT_TRUE(exact.isOk()) << exact.status().toString();
  std::vector<double> values = direct(text, {x, w});
  ASSERT_EQ(values.size(), exact->front().values.size());
  size_t off = 0;
  for (size_t i = 0; i != values.size(); ++i) {
    double error = std::fabs(values[i] - exact->front().values[i]);
    EXPECT_LE(error, exact->front().bounds[i]);
    EXPECT_EQ(values[i], double(float(values[i])));
    // Better than one rounding of the result it is rarely.
    off += error > std::fabs(values[i]) * 0x1p-24;
  }
  EXPECT_GT(off, values.size() / 2);
}

TEST(Direct, gradientsAndNarrowTypes) {
  const char *text =
      "boo.graph 1\n%0 = input bf16[1,4,5,5]\n%1 = input bf16[4,3,3,3]\n"
      "%2 = conv_grad_input(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, "
      "pad_hi = [0, 0], pad_lo = [0, 0], size = [7, 7], stride = [1, 1]} : "
      "bf16[1,3,7,7]\n"
      "return %2";
  Graph graph = parse(text);
  std::vector<uint16_t> dy(100), w(108);
  for (size_t i = 0; i != dy.size(); ++i)
    storeElement(dy.data(), DType::BF16, int64_t(i), double(i % 7) - 3);
  for (size_t i = 0; i != w.size(); ++i)
    storeElement(w.data(), DType::BF16, int64_t(i), double(i % 5) - 2);
  const void *pointers[] = {dy.data(), w.data()};
  auto values = evaluateDirect(graph, pointers, 1);
  auto exact = evaluateReference(graph, pointers, "direct", 1);
  ASSERT_TRUE(values.isOk() && exact.isOk());
  // Small whole numbers: sums are exact, and fit into 8 bits or are rounded.
  for (size_t i = 0; i != exact->front().values.size(); ++i) {
    char bytes[2];
    storeElement(bytes, DType::BF16, 0, exact->front().values[i]);
    EXPECT_EQ((*values)[0][i], loadElement(bytes, DType::BF16, 0));
  }
}

TEST(Direct, givesUpWhenItIsTold) {
  Graph graph = parse("boo.graph 1\n%0 = input f32[1,3]\n%1 = input f32[3,1]\n"
                      "%2 = matmul(%0, %1) {acc = f32} : f32[1,1]\nreturn %2");
  std::vector<float> data(3);
  const void *pointers[] = {data.data(), data.data()};
  auto outputs = evaluateDirect(graph, pointers, {1, [] { return true; }});
  EXPECT_EQ(outputs.status().message(), cancelledReference().message());
}

} // namespace
