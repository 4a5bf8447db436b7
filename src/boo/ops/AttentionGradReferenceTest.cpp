//===- AttentionGradReferenceTest.cpp -------------------------------------===//
//
// Gradients of attention against differences of the forward reference, and
// against loops in float, which must stay in bounds.
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

std::vector<double> randomValues(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<double> values(count);
  for (double &value : values)
    value = uniform(engine);
  return values;
}

/// f64 operands of two heads of queries that share one of keys.
struct Case {
  bool causal = false;
  std::vector<double> q = randomValues(2 * 3 * 4, 1);
  std::vector<double> k = randomValues(5 * 4, 2);
  std::vector<double> v = randomValues(5 * 2, 3);
  std::vector<double> mask = randomValues(3 * 5, 4);
  std::vector<double> dout = randomValues(2 * 3 * 2, 5);

  static constexpr const char *arguments =
      "boo.graph 1\n%0 = input f64[1,2,3,4]\n%1 = input f64[1,1,5,4]\n"
      "%2 = input f64[1,1,5,2]\n";

  static std::vector<ReferenceOutput>
  evaluate(const std::string &text, const std::vector<const void *> &pointers) {
    auto graph = parseGraph(text);
    EXPECT_TRUE(graph.isOk()) << graph.status().toString();
    if (!graph.isOk())
      return {};
    auto outputs = evaluateReference(*graph, pointers, "attention", 2);
    EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
    return outputs.isOk() ? *outputs : std::vector<ReferenceOutput>();
  }
  std::string common() const {
    return std::string("acc = f64, causal = ") + (causal ? "true" : "false");
  }

  std::vector<ReferenceOutput> forward() const {
    return evaluate(std::string(arguments) +
                        "%3 = input f64[3,5]\n%4, %5 = attention(%0, %1, %2, "
                        "%3) {" +
                        common() +
                        ", logsumexp = true, scale = 0.75} : f64[1,2,3,2], "
                        "f64[1,2,3]\nreturn %4, %5\n",
                    {q.data(), k.data(), v.data(), mask.data()});
  }

  /// The sum of the result times dout, whose gradients are looked for.
  double loss() const {
    auto outputs = forward();
    double sum = 0;
    for (size_t i = 0; i != dout.size(); ++i)
      sum += dout[i] * outputs[0].values[i];
    return sum;
  }

  std::vector<ReferenceOutput> backward() const {
    auto outputs = forward();
    return evaluate(
        std::string(arguments) +
            "%3 = input f64[1,2,3,2]\n%4 = input f64[1,2,3]\n"
            "%5 = input f64[1,2,3,2]\n%6 = input f64[3,5]\n"
            "%7, %8, %9 = attention_grad(%0, %1, %2, %3, %4, %5, %6) {" +
            common() +
            ", scale = 0.75} : f64[1,2,3,4], f64[1,1,5,4], f64[1,1,5,2]\n"
            "return %7, %8, %9\n",
        {q.data(), k.data(), v.data(), outputs[0].values.data(),
         outputs[1].values.data(), dout.data(), mask.data()});
  }
};

TEST(AttentionGradReference, AgreesWithDifferences) {
  for (bool causal : {false, true}) {
    Case c;
    c.causal = causal;
    auto gradients = c.backward();
    ASSERT_EQ(gradients.size(), 3u);
    std::vector<double> *operands[] = {&c.q, &c.k, &c.v};
    for (size_t operand = 0; operand != 3; ++operand)
      for (size_t i = 0; i != operands[operand]->size(); ++i) {
        constexpr double step = 1e-5;
        double &x = (*operands[operand])[i], before = x;
        x = before + step;
        double above = c.loss();
        x = before - step;
        double below = c.loss();
        x = before;
        EXPECT_NEAR(gradients[operand].values[i], (above - below) / (2 * step),
                    1e-8)
            << "operand " << operand << " element " << i;
        EXPECT_LT(gradients[operand].bounds[i], 1e-11);
        EXPECT_GT(gradients[operand].bounds[i], 0);
      }
  }
}

TEST(AttentionGradReference, QueriesThatSeeNothingHaveNoGradient) {
  Case c;
  for (size_t t = 0; t != 5; ++t)
    c.mask[5 + t] = -Inf;
  auto gradients = c.backward();
  for (size_t head : {0, 1})
    for (size_t d = 0; d != 4; ++d) {
      EXPECT_EQ(gradients[0].values[(head * 3 + 1) * 4 + d], 0);
      EXPECT_LT(gradients[0].bounds[(head * 3 + 1) * 4 + d], 1e-300);
    }
  EXPECT_NE(gradients[0].values[0], 0);
}

TEST(AttentionGradReference, NothingIsSaidOfNaNs) {
  Case c;
  c.dout[0] = std::nan("");
  auto gradients = c.backward();
  EXPECT_EQ(gradients[0].bounds[0], Inf);
  EXPECT_EQ(gradients[2].bounds[0], Inf);
}

} // namespace
