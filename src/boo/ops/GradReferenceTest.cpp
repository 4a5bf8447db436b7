//===- GradReferenceTest.cpp - Gradients of norms and softmaxes -----------===//
//
// Each gradient against differences of the forward reference, and against the
// same formula in float, which must stay in bounds.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace boo;

namespace {

constexpr double Inf = std::numeric_limits<double>::infinity();

template <typename T>
std::vector<ReferenceOutput>
evaluate(const std::string &text,
         const std::vector<std::vector<T>> &arguments) {
  StatusOr<Graph> graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  std::vector<const void *> pointers;
  for (const auto &argument : arguments)
    pointers.push_back(argument.data());
  auto outputs = evaluateReference(*graph, pointers, "rows", 2);
  EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
  return outputs.isOk() ? *outputs : std::vector<ReferenceOutput>();
}

template <typename T = double>
std::vector<T> randoms(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<T> values(count);
  for (T &value : values)
    value = uniform(engine);
  return values;
}

using Arguments = std::vector<std::vector<double>>;

/// The derivative of the sum of dy * the forward Graph's first result by every
/// element of its argument `by`, as differences.
std::vector<double> differences(const std::string &forward, Arguments arguments,
                                size_t by, const std::vector<double> &dy) {
  std::vector<double> result;
  constexpr double step = 1e-5;
  for (size_t i = 0; i != arguments[by].size(); ++i) {
    double sums[2] = {0, 0};
    for (int side : {0, 1}) {
      Arguments moved = arguments;
      moved[by][i] += side ? step : -step;
      auto outputs = evaluate(forward, moved);
      for (size_t j = 0; j != dy.size(); ++j)
        sums[side] += dy[j] * outputs[0].values[j];
    }
    result.push_back((sums[1] - sums[0]) / (2 * step));
  }
  return result;
}

void expectNear(const std::vector<double> &got,
                const std::vector<double> &want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i != got.size(); ++i)
    EXPECT_NEAR(got[i], want[i], 1e-7) << i;
}

TEST(GradReference, NormIsTheForwardsDerivative) {
  const std::string Forward =
      "boo.graph 1\n%0 = input f64[3,2,5]\n%1 = input f64[2,5]\n"
      "%2 = input f64[2,5]\n%3, %4, %5 = norm(%0, %1, %2) {acc = f64, dims = "
      "2, eps = 0.1, stats = true} : f64[3,2,5], f64[3,1,1], f64[3,1,1]\n"
      "return %3, %4, %5";
  const std::string Gradient =
      "boo.graph 1\n%0 = input f64[3,2,5]\n%1 = input f64[3,2,5]\n"
      "%2 = input f64[3,1,1]\n%3 = input f64[3,1,1]\n%4 = input f64[2,5]\n"
      "%5, %6, %7 = norm_grad(%0, %1, %2, %3, %4) {acc = f64, dbias = true, "
      "dims = 2, dweight = true, dx = true} : f64[3,2,5], f64[2,5], f64[2,5]\n"
      "return %5, %6, %7";
  Arguments in{randoms(30, 1), randoms(10, 2), randoms(10, 3)};
  std::vector<double> dy = randoms(30, 4);
  auto forward = evaluate(Forward, in);
  auto got = evaluate(Gradient, Arguments{dy, in[0], forward[1].values,
                                          forward[2].values, in[1]});
  for (size_t by : {0, 1, 2})
    expectNear(got[by].values, differences(Forward, in, by, dy));
}

TEST(GradReference, BatchNormIsTheForwardsDerivative) {
  const std::string Forward =
      "boo.graph 1\n%0 = input f64[3,2,5]\n%1 = input f64[1,2,1]\n"
      "%2 = input f64[1,2,1]\n%3, %4, %5 = batch_norm(%0, %1, %2) {acc = f64, "
      "eps = 0.1, momentum = 0.0, stats = true} : f64[3,2,5], f64[1,2,1], "
      "f64[1,2,1]\nreturn %3, %4, %5";
  const std::string Gradient =
      "boo.graph 1\n%0 = input f64[3,2,5]\n%1 = input f64[3,2,5]\n"
      "%2 = input f64[1,2,1]\n%3 = input f64[1,2,1]\n%4 = input f64[1,2,1]\n"
      "%5, %6, %7 = batch_norm_grad(%0, %1, %2, %3, %4) {acc = f64} : "
      "f64[3,2,5], f64[1,2,1], f64[1,2,1]\nreturn %5, %6, %7";
  Arguments in{randoms(30, 1), randoms(2, 2), randoms(2, 3)};
  std::vector<double> dy = randoms(30, 4);
  auto forward = evaluate(Forward, in);
  auto got = evaluate(Gradient, Arguments{dy, in[0], forward[1].values,
                                          forward[2].values, in[1]});
  for (size_t by : {0, 1, 2})
    expectNear(got[by].values, differences(Forward, in, by, dy));
}

TEST(GradReference, SoftmaxIsTheForwardsDerivative) {
  for (const char *log : {"false", "true"}) {
    std::string attributes =
        "{acc = f64, axis = 1, log = " + std::string(log) + "} : f64[2,7,3]\n";
    std::string forward = "boo.graph 1\n%0 = input f64[2,7,3]\n"
                          "%1 = softmax(%0) " +
                          attributes + "return %1";
    std::string gradient = "boo.graph 1\n%0 = input f64[2,7,3]\n%1 = input "
                           "f64[2,7,3]\n%2 = softmax_grad(%0, %1) " +
                           attributes + "return %2";
    Arguments in{randoms(42, 1)};
    std::vector<double> dy = randoms(42, 2);
    auto y = evaluate(forward, in);
    auto got = evaluate(gradient, Arguments{dy, y[0].values});
    expectNear(got[0].values, differences(forward, in, 0, dy));
  }
}

TEST(GradReference, FloatsStayInBounds) {
  for (size_t n : {1, 7, 100, 1000}) {
    std::string size = std::to_string(n);
    auto dy = randoms<float>(n, n), x = randoms<float>(n, n + 1);
    float mean = 0.25f, rstd = 1.5f, sum = 0, product = 0;
    auto outputs = evaluate<float>(
        "boo.graph 1\n%0 = input f32[" + size + ",1]\n%1 = input f32[" + size +
            ",1]\n%2 = input f32[1,1]\n%3 = input f32[1,1]\n%4 = input "
            "f32[1,1]\n%5, %6, %7 = batch_norm_grad(%0, %1, %2, %3, %4) {acc = "
            "f32} : f32[" +
            size + ",1], f32[1,1], f32[1,1]\nreturn %5, %6, %7",
        {dy, x, {mean}, {rstd}, {-2}});
    for (size_t i = 0; i != n; ++i) {
      sum += dy[i];
      product += dy[i] * ((x[i] - mean) * rstd);
    }
    auto check = [&](float got, size_t output, size_t at, double loose) {
      EXPECT_LE(std::fabs(double(got) - outputs[output].values[at]),
                outputs[output].bounds[at]);
      EXPECT_LE(outputs[output].bounds[at], loose);
    };
    check(product, 1, 0, 1e-6 * double(n * n + 10));
    check(sum, 2, 0, 1e-6 * double(n * n + 10));
    for (size_t i = 0; i != n; ++i) {
      float along = (x[i] - mean) * rstd * (product / float(n));
      check((dy[i] - sum / float(n) - along) * (rstd * -2), 0, i,
            1e-5 * double(n + 10));
    }
  }
}

TEST(GradReference, RunningStatistics) {
  auto run = [](const char *sizes, const char *scale, std::vector<double> x) {
    return evaluate<double>(
        "boo.graph 1\n%0 = input f64" + std::string(sizes) +
            "\n%1 = input f64" + scale + "\n%2 = input f64" + scale +
            "\n%3 = input f64" + scale + "\n%4 = input f64" + scale +
            "\n%5, %6, %7 = batch_norm(%0, %1, %2, %3, %4) {acc = f64, eps = "
            "1.0, momentum = 0.5, stats = false} : f64" +
            sizes + ", f64" + scale + ", f64" + scale + "\nreturn %5, %6, %7",
        {std::move(x), {1}, {0}, {10}, {20}});
  };
  // Mean 2, sum of squares 2: variance 2/3, of n - 1 elements 1.
  auto outputs = run("[3,1]", "[1,1]", {1, 2, 3});
  EXPECT_NEAR(outputs[1].values[0], 6, 1e-12);
  EXPECT_NEAR(outputs[2].values[0], 10.5, 1e-12);
  EXPECT_NEAR(outputs[0].values[0], -1 / std::sqrt(2.0 / 3 + 1), 1e-12);
  outputs = run("[1,1]", "[1,1]", {4});
  EXPECT_NEAR(outputs[1].values[0], 7, 1e-12);
  EXPECT_NEAR(outputs[2].values[0], 10, 1e-12);
}

TEST(GradReference, KnowsWhatItDoesNotKnow) {
  const char Text[] =
      "boo.graph 1\n%0 = input f32[2,2]\n%1 = input f32[2,2]\n%2 = "
      "softmax_grad(%0, %1) {acc = f32, axis = 1, log = false} : f32[2,2]\n"
      "return %2";
  auto outputs =
      evaluate<float>(Text, {{3e38f, 3e38f, INFINITY, 1}, {1, 1, 0.5f, 0.5f}});
  EXPECT_EQ(outputs[0].bounds[0], Inf); // the sum overflows
  EXPECT_TRUE(std::isnan(outputs[0].values[2]));
  EXPECT_EQ(outputs[0].bounds[2], 0);
  EXPECT_EQ(outputs[0].values[3], -Inf);
  EXPECT_EQ(outputs[0].bounds[3], 0);
}

} // namespace
