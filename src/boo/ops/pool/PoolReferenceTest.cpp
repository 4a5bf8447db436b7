//===- PoolReferenceTest.cpp ----------------------------------------------===//
//
// Poolings against values that torch gives, and against loops in float that
// scatter where the reference gathers.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/ops/pool/PoolProblem.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace boo;

namespace {

using List = std::vector<double>;
constexpr double Inf = std::numeric_limits<double>::infinity();

std::vector<ReferenceOutput>
evaluate(const std::string &text, const std::vector<const void *> &arguments) {
  StatusOr<Graph> graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  auto outputs = evaluateReference(*graph, arguments, "pool", 2);
  EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
  return outputs.isOk() ? *outputs : std::vector<ReferenceOutput>();
}

/// Of one row of five elements.
std::vector<ReferenceOutput> pool(const std::string &fn, const std::string &how,
                                  int outputs, std::vector<float> x) {
  std::string size = "[1,1," + std::to_string(outputs) + "]";
  bool indices = fn == "max";
  return evaluate("boo.graph 1\n%0 = input f32[1,1,5]\n%1" +
                      std::string(indices ? ", %2" : "") +
                      " = pool(%0) {acc = f32, fn = \"" + fn + "\", " + how +
                      ", indices = " + (indices ? "true" : "false") +
                      "} : f32" + size + (indices ? ", i64" + size : "") +
                      "\nreturn %1" + (indices ? ", %2" : ""),
                  {x.data()});
}

constexpr const char *plain = "window = [3], stride = [2], dilation = [1], "
                              "pad_lo = [1], pad_hi = [1], ceil = false";
constexpr const char *ceiling = "window = [3], stride = [3], dilation = [1], "
                                "pad_lo = [1], pad_hi = [1], ceil = true";
constexpr const char *dilated = "window = [2], stride = [1], dilation = [3], "
                                "pad_lo = [0], pad_hi = [0], ceil = false";

TEST(PoolReference, Maxima) {
  auto outputs = pool("max", plain, 3, {1, 3, 3, 2, -1});
  EXPECT_EQ(outputs[0].values, (List{3, 3, 2}));
  EXPECT_EQ(outputs[1].values, (List{1, 1, 3}));
  EXPECT_EQ(outputs[1].bounds, (List{0, 0, 0}));
  for (double bound : outputs[0].bounds)
    EXPECT_LE(bound, 1e-6);
  outputs = pool("max", dilated, 2, {1, 9, 9, 4, -1});
  EXPECT_EQ(outputs[0].values, (List{4, 9}));
  EXPECT_EQ(outputs[1].values, (List{3, 1}));
}

// torch.nn.functional.max_pool1d: a NaN is greater than all else, and the last
// of several is meant; of infinities the first.
TEST(PoolReference, MaximaOfSpecialValues) {
  float inf = INFINITY;
  auto outputs = pool("max", plain, 3, {NAN, NAN, -inf, -inf, -inf});
  EXPECT_TRUE(std::isnan(outputs[0].values[0]));
  EXPECT_TRUE(std::isnan(outputs[0].values[1]));
  EXPECT_EQ(outputs[0].values[2], -Inf);
  EXPECT_EQ(outputs[1].values, (List{1, 1, 3}));
}

TEST(PoolReference, Averages) {
  std::vector<float> x{1, 3, 5, 2, -1};
  EXPECT_EQ(pool("avg", plain, 3, x)[0].values, (List{2, 10.0 / 3, 0.5}));
  EXPECT_EQ(pool("avg_in", plain, 3, x)[0].values,
            (List{4.0 / 3, 10.0 / 3, 1.0 / 3}));
  // The second window holds 5, 2, -1; with ceil = true there is no third one,
  // as it would start behind the input.
  EXPECT_EQ(pool("avg_in", ceiling, 2, x)[0].values, (List{4.0 / 3, 2}));
  EXPECT_EQ(pool("avg", dilated, 2, x)[0].values, (List{1.5, 1}));
}

TEST(PoolReference, AverageOfPaddingBehindTheEnd) {
  // Windows at -1, 1, 3: the last one holds two elements and one of padding,
  // and a fourth that is neither.
  constexpr const char *how = "window = [4], stride = [2], dilation = [1], "
                              "pad_lo = [1], pad_hi = [1], ceil = true";
  std::vector<float> x{1, 3, 5, 2, -1};
  EXPECT_EQ(pool("avg_in", how, 3, x)[0].values,
            (List{9.0 / 4, 9.0 / 4, 1.0 / 3}));
  EXPECT_EQ(pool("avg", how, 3, x)[0].values, (List{3, 9.0 / 4, 0.5}));
}

TEST(PoolReference, WindowThatHoldsNothing) {
  constexpr const char *how = "window = [2], stride = [5], dilation = [6], "
                              "pad_lo = [1], pad_hi = [1], ceil = false";
  auto outputs = pool("max", how, 1, {1, 2, 3, 4, 5});
  EXPECT_EQ(outputs[0].values[0], -Inf);
  EXPECT_EQ(outputs[1].values[0], -1);
  EXPECT_TRUE(std::isnan(pool("avg", how, 1, {1, 2, 3, 4, 5})[0].values[0]));
  EXPECT_EQ(pool("avg_in", how, 1, {1, 2, 3, 4, 5})[0].values[0], 0);
}

std::vector<float> randomValues(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float &value : values)
    value = uniform(engine);
  return values;
}

constexpr const char *image =
    "window = [3,2], stride = [2,3], dilation = [1,2], pad_lo = [1,0], pad_hi "
    "= [2,1], ceil = true";

/// Scatters in float, as a library would.
TEST(PoolReference, GradientsOfAverages) {
  for (const char *fn : {"avg", "avg_in"}) {
    std::vector<float> dy = randomValues(2 * 3 * 4 * 3, 5);
    std::string text = std::string("boo.graph 1\n%0 = input f32[2,3,4,3]\n%1 = "
                                   "pool_grad(%0) {acc = f32, fn = \"") +
                       fn + "\", " + image +
                       ", size = [6,8]} : f32[2,3,6,8]\nreturn %1";
    auto outputs = evaluate(text, {dy.data()});
    auto graph = parseGraph(text);
    PoolProblem p = poolProblem(*graph, graph->nodes()[0]);
    std::vector<float> dx(2 * 3 * 6 * 8, 0);
    for (size_t plane = 0; plane != 6; ++plane)
      for (int64_t h = 0; h != 4; ++h)
        for (int64_t w = 0; w != 3; ++w) {
          float term = dy[plane * 12 + size_t(h * 3 + w)] /
                       float(p.divisor(1, h) * p.divisor(2, w));
          for (int64_t kh = 0; kh != 3; ++kh)
            for (int64_t kw = 0; kw != 2; ++kw) {
              int64_t ih = h * 2 + kh - 1, iw = w * 3 + kw * 2;
              if (ih >= 0 && ih < 6 && iw < 8)
                dx[plane * 48 + size_t(ih * 8 + iw)] += term;
            }
        }
    for (size_t i = 0; i != dx.size(); ++i) {
      EXPECT_LE(std::fabs(double(dx[i]) - outputs[0].values[i]),
                outputs[0].bounds[i]);
      EXPECT_LE(outputs[0].bounds[i], 1e-5);
    }
  }
}

TEST(PoolReference, GradientOfMaximum) {
  std::vector<float> x = randomValues(2 * 3 * 6 * 8, 6),
                     dy = randomValues(2 * 3 * 4 * 3, 7);
  std::string attributes = std::string("acc = f32, fn = \"max\", ") + image;
  auto outputs = evaluate(
      "boo.graph 1\n%0 = input f32[2,3,6,8]\n%1 = input f32[2,3,4,3]\n%2, %3 = "
      "pool(%0) {" +
          attributes +
          ", indices = true} : f32[2,3,4,3], i64[2,3,4,3]\n%4 = "
          "pool_grad(%1, %3) {" +
          attributes + ", size = [6,8]} : f32[2,3,6,8]\nreturn %3, %4",
      {x.data(), dy.data()});
  std::vector<double> dx(x.size(), 0);
  for (size_t i = 0; i != dy.size(); ++i)
    dx[i / 12 * 48 + size_t(outputs[0].values[i])] += double(dy[i]);
  for (size_t i = 0; i != dx.size(); ++i)
    EXPECT_NEAR(dx[i], outputs[1].values[i], 1e-12);
}

// What another group rounds may change places, and then nothing is known of
// where a gradient goes.
TEST(PoolReference, IndicesOfComputedElements) {
  std::vector<float> x{1, 1, 0, 3, 2};
  auto outputs = evaluate(
      "boo.graph 1\n%0 = input f32[1,1,5]\n%1 = pointwise(%0) {fn = \"exp\"} : "
      "f32[1,1,5]\n%2, %3 = pool(%1) {acc = f32, fn = \"max\", window = [2], "
      "stride = [3], dilation = [1], pad_lo = [0], pad_hi = [0], ceil = false, "
      "indices = true} : f32[1,1,2], i64[1,1,2]\nreturn %2, %3",
      {x.data()});
  EXPECT_EQ(outputs[1].bounds, (List{Inf, 0}));
}

} // namespace
