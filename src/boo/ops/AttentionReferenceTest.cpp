//===- AttentionReferenceTest.cpp -----------------------------------------===//
//
// Attention against loops written straight from its formula, and against the
// same in float, which must stay in bounds.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/ops/attention/AttentionProblem.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace boo;

namespace {

constexpr double Inf = std::numeric_limits<double>::infinity();
constexpr float FloatInf = std::numeric_limits<float>::infinity();

std::vector<float> randomValues(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (float &value : values)
    value = uniform(engine);
  return values;
}

/// One attention and its operands, dense in the order of their sizes.
struct Case {
  int64_t batch = 1, heads = 1, kvHeads = 1, queries = 1, keys = 1, depth = 1,
          valueDepth = 1;
  bool causal = false;
  double scale = 1;
  std::vector<float> q, k, v, mask; ///< mask: [queries, keys] or empty

  void fill() {
    q = randomValues(size_t(batch * heads * queries * depth), 1);
    k = randomValues(size_t(batch * kvHeads * keys * depth), 2);
    v = randomValues(size_t(batch * kvHeads * keys * valueDepth), 3);
  }

  static std::string sizes(std::initializer_list<int64_t> list) {
    std::string text = "f32[";
    for (int64_t size : list)
      text += (text.back() == '[' ? "" : ",") + std::to_string(size);
    return text + "]";
  }

  std::vector<ReferenceOutput> reference() const {
    std::string text = "boo.graph 1\n%0 = input " +
                       sizes({batch, heads, queries, depth}) + "\n%1 = input " +
                       sizes({batch, kvHeads, keys, depth}) + "\n%2 = input " +
                       sizes({batch, kvHeads, keys, valueDepth}) + "\n";
    if (!mask.empty())
      text += "%3 = input " + sizes({queries, keys}) + "\n";
    char factor[40];
    std::snprintf(factor, sizeof factor, "%.17e", scale);
    text += "%4, %5 = attention(%0, %1, %2" +
            std::string(mask.empty() ? "" : ", %3") +
            ") {acc = f32, causal = " + (causal ? "true" : "false") +
            ", logsumexp = true, scale = " + factor +
            "} : " + sizes({batch, heads, queries, valueDepth}) + ", " +
            sizes({batch, heads, queries}) + "\nreturn %4, %5\n";
    if (mask.empty())
      for (auto [from, to] : {std::pair("%4", "%3"), std::pair("%5", "%4")})
        for (size_t at; (at = text.find(from)) != text.npos;)
          text.replace(at, 2, to);
    auto graph = parseGraph(text);
    EXPECT_TRUE(graph.isOk()) << graph.status().toString() << "\n" << text;
    if (!graph.isOk())
      return {};
    std::vector<const void *> pointers{q.data(), k.data(), v.data()};
    if (!mask.empty())
      pointers.push_back(mask.data());
    auto outputs = evaluateReference(*graph, pointers, "attention", 2);
    EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
    return outputs.isOk() ? *outputs : std::vector<ReferenceOutput>();
  }

  /// The result and the logarithms of sums.
  template <typename T>
  std::pair<std::vector<T>, std::vector<T>> naive() const {
    std::pair<std::vector<T>, std::vector<T>> result;
    for (int64_t row = 0; row != batch * heads * queries; ++row) {
      int64_t s = row % queries, h = row / queries % heads;
      int64_t head = row / queries / heads * kvHeads + h / (heads / kvHeads);
      std::vector<T> x;
      for (int64_t t = 0; t != keys && (!causal || t <= s); ++t) {
        T sum = 0;
        for (int64_t d = 0; d != depth; ++d)
          sum += T(q[size_t(row * depth + d)]) *
                 T(k[size_t((head * keys + t) * depth + d)]);
        x.push_back(sum * T(scale));
        if (!mask.empty())
          x.back() += T(mask[size_t(s * keys + t)]);
      }
      T most = *std::max_element(x.begin(), x.end()), sum = 0;
      for (T &value : x)
        sum += value = std::exp(value - most);
      for (int64_t c = 0; c != valueDepth; ++c) {
        T out = 0;
        for (size_t t = 0; t != x.size(); ++t)
          out += x[t] / sum *
                 T(v[size_t((head * keys + int64_t(t)) * valueDepth + c)]);
        result.first.push_back(out);
      }
      result.second.push_back(most + std::log(sum));
    }
    return result;
  }
};

void compare(const Case &c) {
  auto outputs = c.reference();
  ASSERT_EQ(outputs.size(), 2u);
  auto exact = c.naive<double>();
  auto kernel = c.naive<float>();
  ASSERT_EQ(outputs[0].values.size(), exact.first.size());
  for (size_t i = 0; i != exact.first.size(); ++i) {
    EXPECT_NEAR(outputs[0].values[i], exact.first[i], 1e-12);
    EXPECT_LE(std::fabs(double(kernel.first[i]) - exact.first[i]),
              outputs[0].bounds[i]);
    // Loose, but no licence.
    EXPECT_LE(outputs[0].bounds[i], 1e-6 * double(c.keys + 3 * c.depth + 100));
  }
  for (size_t i = 0; i != exact.second.size(); ++i) {
    EXPECT_NEAR(outputs[1].values[i], exact.second[i], 1e-12);
    EXPECT_LE(std::fabs(double(kernel.second[i]) - exact.second[i]),
              outputs[1].bounds[i]);
  }
}

TEST(AttentionReference, AgreesWithNaiveLoops) {
  for (bool causal : {false, true})
    for (int64_t keys : {1, 5, 40}) {
      Case c{.batch = 2,
             .heads = 4,
             .kvHeads = 2,
             .queries = 7,
             .keys = keys,
             .depth = 9,
             .valueDepth = 3,
             .causal = causal,
             .scale = 0.5};
      c.fill();
      compare(c);
      c.mask = randomValues(size_t(c.queries * c.keys), 4);
      compare(c);
    }
}

TEST(AttentionReference, WorkCountsWhatIsSeen) {
  AttentionProblem p;
  p.queries = 5;
  p.keys = 3;
  p.depth = 2;
  EXPECT_EQ(p.pairs(), 15);
  p.causal = true;
  EXPECT_EQ(p.pairs(), 1 + 2 + 3 + 3 + 3);
  EXPECT_EQ(p.flops(), 12 * 2 * 3);
  p.keys = 9;
  EXPECT_EQ(p.pairs(), 1 + 2 + 3 + 4 + 5);
}

TEST(AttentionReference, RowsThatSeeNothingAreZero) {
  Case c{.queries = 2, .keys = 3, .depth = 2, .valueDepth = 2};
  c.fill();
  c.mask = {-FloatInf, -FloatInf, -FloatInf, 0, -FloatInf, -FloatInf};
  auto outputs = c.reference();
  ASSERT_EQ(outputs.size(), 2u);
  for (size_t i : {0, 1}) {
    EXPECT_EQ(outputs[0].values[i], 0);
    EXPECT_LT(outputs[0].bounds[i], 1e-44);
  }
  EXPECT_EQ(outputs[1].values[0], -Inf);
  EXPECT_EQ(outputs[1].bounds[0], 0);
  // The other row sees the first key alone.
  EXPECT_EQ(outputs[0].values[2], c.v[0]);
  EXPECT_EQ(outputs[0].values[3], c.v[1]);
}

TEST(AttentionReference, NaNsGoThroughAndInfinitiesAreNotCertain) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  Case c{.queries = 3, .keys = 3, .depth = 2, .valueDepth = 2, .causal = true};
  c.fill();
  c.k[2] = nan;      // the second key
  c.v[4] = FloatInf; // the third value's first column
  auto outputs = c.reference();
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_FALSE(std::isnan(outputs[1].values[0]));
  EXPECT_EQ(outputs[0].bounds[0], Inf) << "zero times infinity, perhaps";
  EXPECT_FALSE(std::isnan(outputs[0].values[1]));
  EXPECT_LT(outputs[0].bounds[1], 1e-4);
  for (size_t i : {2, 3, 4, 5}) {
    EXPECT_TRUE(std::isnan(outputs[0].values[i]));
    EXPECT_EQ(outputs[0].bounds[i], 0);
  }
  c.k[2] = FloatInf;
  EXPECT_EQ(c.reference()[0].bounds[2], Inf);
}

TEST(AttentionReference, LowestFiniteMasksHide) {
  Case c{.queries = 1, .keys = 2, .depth = 2, .valueDepth = 1};
  c.fill();
  c.mask = {std::numeric_limits<float>::lowest(), 0};
  auto outputs = c.reference();
  EXPECT_EQ(outputs[0].values[0], c.v[1]);
  EXPECT_LT(outputs[0].bounds[0], 1e-4);
}

} // namespace
