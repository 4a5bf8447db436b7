//===- RowsReferenceTest.cpp ----------------------------------------------===//
//
// Norm, softmax and reduce against loops written straight from their formulas,
// and against the same in float, which must stay in bounds.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace boo;

namespace {

constexpr double Inf = std::numeric_limits<double>::infinity();

Graph parse(const std::string &text) {
  StatusOr<Graph> graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  return *graph;
}

std::vector<ReferenceOutput>
evaluate(const std::string &text,
         const std::vector<std::vector<float>> &arguments) {
  std::vector<const void *> pointers;
  for (const auto &argument : arguments)
    pointers.push_back(argument.data());
  auto outputs = evaluateReference(parse(text), pointers, "rows", 2);
  EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
  return outputs.isOk() ? *outputs : std::vector<ReferenceOutput>();
}

std::vector<float> randomRow(size_t count, uint64_t seed, float offset = 0) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float &value : values)
    value = uniform(engine) + offset;
  return values;
}

template <typename T>
std::vector<T> naiveNorm(const std::vector<float> &x, double eps, T *mean,
                         T *scale) {
  T sum = 0, squares = 0, n = T(x.size());
  for (float value : x)
    sum += T(value);
  *mean = sum / n;
  for (float value : x)
    squares += (T(value) - *mean) * (T(value) - *mean);
  *scale = 1 / std::sqrt(squares / n + T(eps));
  std::vector<T> y;
  for (float value : x)
    y.push_back((T(value) - *mean) * *scale);
  return y;
}

TEST(RowsReference, NormAgreesWithNaiveLoops) {
  for (size_t n : {1, 2, 7, 100, 1000})
    for (float offset : {0.0f, 100.0f}) {
      std::string size = std::to_string(n);
      std::vector<float> x = randomRow(n, n, offset);
      auto outputs = evaluate(
          "boo.graph 1\n%0 = input f32[" + size +
              "]\n%1, %2, %3 = norm(%0) "
              "{acc = f32, dims = 1, eps = 1.0e-3, stats = true} : f32[" +
              size + "], f32[1], f32[1]\nreturn %1, %2, %3",
          {x});
      ASSERT_EQ(outputs.size(), 3u);
      double mean, scale;
      float floatMean, floatScale;
      auto exact = naiveNorm<double>(x, 1e-3, &mean, &scale);
      auto kernel = naiveNorm<float>(x, 1e-3, &floatMean, &floatScale);
      for (size_t i = 0; i != n; ++i) {
        EXPECT_NEAR(outputs[0].values[i], exact[i], 1e-9);
        EXPECT_LE(std::fabs(double(kernel[i]) - exact[i]),
                  outputs[0].bounds[i]);
        // Loose, but no licence: the mean counts, times the scale.
        EXPECT_LE(outputs[0].bounds[i],
                  1e-7 * double(n + 16) * (2 + offset) * 40);
      }
      EXPECT_NEAR(outputs[1].values[0], mean, 1e-12);
      EXPECT_LE(std::fabs(double(floatMean) - mean), outputs[1].bounds[0]);
      EXPECT_NEAR(outputs[2].values[0], scale, 1e-9);
      EXPECT_LE(std::fabs(double(floatScale) - scale), outputs[2].bounds[0]);
    }
}

TEST(RowsReference, NormOfSeveralDimensionsWithWeightAndBias) {
  auto outputs = evaluate(
      "boo.graph 1\n%0 = input f32[2,2,2]{1,4,2}\n%1 = input f32[2,2]\n"
      "%2 = input f32[2,2]{0,0}\n%3 = norm(%0, %1, %2) {acc = f32, dims = 2, "
      "eps = 0.0, stats = false} : f32[2,2,2]\nreturn %3",
      {{1, 5, 1, 5, 3, 9, 3, 9}, {1, 2, 3, 4}, {10}});
  std::vector<double> want = {9, 8, 13, 14, 9, 8, 13, 14};
  for (size_t i = 0; i != 8; ++i)
    EXPECT_NEAR(outputs[0].values[i], want[i], 1e-12) << i;
}

TEST(RowsReference, NormKnowsWhatItDoesNotKnow) {
  const char Text[] = "boo.graph 1\n%0 = input f32[2,2]\n%1 = norm(%0) {acc = "
                      "f32, dims = 1, eps = 0.0, stats = false} : f32[2,2]\n"
                      "return %1";
  auto outputs = evaluate(Text, {{3, 3, NAN, 1}});
  EXPECT_EQ(outputs[0].bounds[0], Inf); // a variance of 0, or nearly
  EXPECT_TRUE(std::isnan(outputs[0].values[2]));
  EXPECT_EQ(outputs[0].bounds[3], 0);
  outputs = evaluate(Text, {{3e38f, -3e38f, 1e30f, 2e30f}});
  EXPECT_EQ(outputs[0].bounds[0], Inf); // squares overflow
  EXPECT_EQ(outputs[0].bounds[2], Inf);
}

TEST(RowsReference, SoftmaxAgreesWithNaiveLoops) {
  for (bool log : {false, true})
    for (size_t n : {1, 2, 7, 100, 1000}) {
      std::string size = std::to_string(n);
      std::vector<float> x = randomRow(n, n);
      for (float &value : x)
        value *= 20;
      auto outputs = evaluate("boo.graph 1\n%0 = input f32[" + size +
                                  ",2]\n%1 = softmax(%0) {acc "
                                  "= f32, axis = 0, log = " +
                                  (log ? "true" : "false") + "} : f32[" + size +
                                  ",2]\nreturn %1",
                              {[&] {
                                std::vector<float> both;
                                for (float value : x)
                                  both.insert(both.end(), {value, -value});
                                return both;
                              }()});
      float greatest = *std::max_element(x.begin(), x.end()), sum = 0;
      double exactSum = 0;
      for (float value : x) {
        sum += std::exp(value - greatest);
        exactSum += std::exp(double(value) - double(greatest));
      }
      for (size_t i = 0; i != n; ++i) {
        double exact = double(x[i]) - double(greatest) - std::log(exactSum);
        float kernel = x[i] - greatest - std::log(sum);
        if (!log) {
          exact = std::exp(exact);
          kernel = std::exp(x[i] - greatest) * (1 / sum);
        }
        EXPECT_NEAR(outputs[0].values[2 * i], exact, 1e-12);
        EXPECT_LE(std::fabs(double(kernel) - exact), outputs[0].bounds[2 * i]);
        EXPECT_LE(outputs[0].bounds[2 * i],
                  1e-7 * double(n + 100) * (log ? 40 : 2 * exact) + 1e-35);
      }
    }
}

TEST(RowsReference, SoftmaxOfInfinities) {
  float inf = INFINITY;
  auto outputs =
      evaluate("boo.graph 1\n%0 = input f32[3,2]\n%1 = softmax(%0) {acc = f32, "
               "axis = 1, log = false} : f32[3,2]\nreturn %1",
               {{-inf, 1, -inf, -inf, inf, 1}});
  EXPECT_EQ(outputs[0].values[0], 0);
  EXPECT_EQ(outputs[0].values[1], 1);
  for (size_t i = 2; i != 6; ++i) {
    EXPECT_TRUE(std::isnan(outputs[0].values[i]));
    EXPECT_EQ(outputs[0].bounds[i], 0);
  }
}

TEST(RowsReference, Reductions) {
  auto reduce = [](const std::string &fn, std::vector<float> x) {
    auto outputs = evaluate("boo.graph 1\n%0 = input f32[2,2]\n%1 = reduce(%0) "
                            "{acc = f32, dims = 1, fn = \"" +
                                fn + "\", keep = false} : f32[2]\nreturn %1",
                            {x});
    return std::pair(outputs[0].values, outputs[0].bounds);
  };
  using List = std::vector<double>;
  EXPECT_EQ(reduce("sum", {1, 2, 3, 4}).first, (List{3, 7}));
  EXPECT_EQ(reduce("mean", {1, 2, 3, 4}).first, (List{1.5, 3.5}));
  EXPECT_EQ(reduce("max", {1, 2, 4, 3}).first, (List{2, 4}));
  EXPECT_EQ(reduce("min", {1, 2, 4, 3}).first, (List{1, 3}));
  EXPECT_TRUE(std::isnan(reduce("max", {1, NAN, 4, 3}).first[0]));
  EXPECT_EQ(reduce("sum", {3e38f, 3e38f, 1, -1}).second[0], Inf);
  EXPECT_GT(reduce("sum", {3e38f, 3e38f, 1, -1}).second[1], 0);
  EXPECT_EQ(reduce("prod", {2, -3, 0, 3}).first, (List{-6, 0}));
  EXPECT_EQ(reduce("amax", {2, -3, 4, 3}).first, (List{3, 4}));
  EXPECT_EQ(reduce("norm1", {2, -3, 4, 3}).first, (List{5, 7}));
  EXPECT_EQ(reduce("norm2", {0, -3, 4, 3}).first, (List{3, 5}));
  EXPECT_TRUE(std::isnan(reduce("amax", {1, NAN, 4, 3}).first[0]));
}

// In any order of its factors, and of halves that are joined.
TEST(RowsReference, ProductsStayInBounds) {
  for (uint64_t seed = 0; seed != 200; ++seed) {
    size_t n = 2 + seed % 40;
    std::vector<float> x = randomRow(n, seed);
    for (float &value : x)
      value *= seed % 3 == 0 ? 1e-3f : 2;
    std::string size = std::to_string(n);
    auto outputs = evaluate("boo.graph 1\n%0 = input f32[" + size +
                                "]\n%1 = reduce(%0) {acc = f32, dims = 1, fn "
                                "= \"prod\", keep = false} : f32[]\nreturn %1",
                            {x});
    float forwards = 1, left = 1, right = 1;
    for (size_t i = 0; i != n; ++i) {
      forwards *= x[i];
      (i < n / 2 ? left : right) *= x[i];
    }
    double exact = outputs[0].values[0], bound = outputs[0].bounds[0];
    ASSERT_LT(bound, Inf);
    EXPECT_LE(std::fabs(double(forwards) - exact), bound);
    EXPECT_LE(std::fabs(double(left * right) - exact), bound);
    if (std::fabs(exact) > 1e-30)
      EXPECT_LE(bound, 1e-5 * std::fabs(exact) + 1e-36);
  }
}

TEST(RowsReference, ProductsThatMayBeLost) {
  auto bound = [](std::vector<float> x) {
    auto outputs =
        evaluate("boo.graph 1\n%0 = input f32[4]\n%1 = reduce(%0) {acc = f32, "
                 "dims = 1, fn = \"prod\", keep = false} : f32[]\nreturn %1",
                 {std::move(x)});
    return outputs[0].bounds[0];
  };
  // 1e60 is in between, in one order.
  EXPECT_EQ(bound({1e30f, 1e30f, 1e-30f, 1e-30f}), Inf);
  // 0 times infinity, in one order.
  EXPECT_EQ(bound({1e-30f, 1e-30f, INFINITY, 1}), Inf);
  EXPECT_EQ(bound({1e-30f, 1, INFINITY, 1}), 0);
  EXPECT_EQ(bound({1e-30f, 1e-30f, NAN, 1}), 0);
  // What is lost of 1e-60 comes back a million times as large.
  EXPECT_GE(bound({1e-30f, 1e-30f, 1e6f, 1}), 1e-39);
}

TEST(RowsReference, ArgReduce) {
  auto at = [](const std::string &fn, std::vector<float> x) {
    auto outputs = evaluate("boo.graph 1\n%0 = input f32[2,3]\n%1, %2 = "
                            "argreduce(%0) {dims = 1, fn = \"" +
                                fn +
                                "\", keep = false, values = true} : i64[2], "
                                "f32[2]\nreturn %1, %2",
                            {x});
    EXPECT_EQ(outputs[0].bounds, (std::vector<double>{0, 0}));
    return std::pair(outputs[0].values, outputs[1].values);
  };
  using List = std::vector<double>;
  EXPECT_EQ(at("max", {1, 3, 2, 5, 5, 4}),
            std::pair(List({1, 0}), List({3, 5})));
  EXPECT_EQ(at("min", {1, 3, 2, 5, 4, 4}),
            std::pair(List({0, 1}), List({1, 4})));
  EXPECT_EQ(at("max", {-INFINITY, -INFINITY, -INFINITY, 1, NAN, NAN}).first,
            (List{0, 1}));
  EXPECT_EQ(at("min", {NAN, 3, NAN, INFINITY, INFINITY, INFINITY}).first,
            (List{0, 0}));
}

// Of what another group rounds two elements may change places.
TEST(RowsReference, ArgReduceOfComputedElements) {
  auto outputs = evaluate(
      "boo.graph 1\n%0 = input f32[2,3]\n%1 = pointwise(%0) {fn = \"exp\"} : "
      "f32[2,3]\n%2 = argreduce(%1) {dims = 1, fn = \"max\", keep = false, "
      "values = false} : i64[2]\nreturn %2",
      {{1, 3, 2, 5, 5, 4}});
  EXPECT_EQ(outputs[0].bounds, (std::vector<double>{0, Inf}));
}

TEST(RowsReference, ReductionOverListedDimensions) {
  auto outputs = evaluate(
      "boo.graph 1\n%0 = input f32[2,2,2]\n%1 = reduce(%0) {acc = f32, dims = "
      "[0, 2], fn = \"sum\", keep = true} : f32[1,2,1]\nreturn %1",
      {{1, 2, 4, 8, 16, 32, 64, 128}});
  EXPECT_EQ(outputs[0].values, (std::vector<double>{51, 204}));
}

TEST(RowsReference, Work) {
  Graph graph = parse("boo.graph 1\n%0 = input f16[3,5]\n%1 = input f16[5]\n"
                      "%2, %3, %4 = norm(%0, %1) {acc = f32, dims = 1, eps = "
                      "1.0, stats = true} : f16[3,5], f32[3,1], f32[3,1]\n"
                      "return %2, %3, %4");
  EXPECT_EQ(graphWork(graph).flops, 8 * 15);
  EXPECT_EQ(graphWork(graph).bytes, 2 * (15 + 5 + 15) + 4 * 6);
}

} // namespace
