//===- ActivCommandTest.cpp - Activ and tensorop commands -----------------===//

#include "boo/driver/commands/testing/Build.h"
#include "boo/ops/Reference.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

namespace {

std::vector<double> valuesOf(const CommandGraph &built,
                             std::vector<std::vector<float>> arguments) {
  std::vector<const void *> pointers;
  for (const auto &argument : arguments)
    pointers.push_back(argument.data());
  EXPECT_EQ(pointers.size(), built.graph.arguments().size());
  auto outputs = evaluateReference(built.graph, pointers, "pointwise", 1);
  EXPECT_TRUE(outputs.isOk()) << outputs.status().toString();
  return outputs.isOk() ? outputs->front().values : std::vector<double>();
}

struct Mode {
  const char *flags;
  double (*value)(double);
};

constexpr Mode modes[] = {
    {"-m 0", [](double x) { return x; }},
    {"-m 1", [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"-m 2 -A 0.5 -B 2", [](double x) { return 2 * std::tanh(0.5 * x); }},
    {"-m 3", [](double x) { return x > 0 ? x : 0; }},
    {"-m 4", [](double x) { return std::log(1 + std::exp(x)); }},
    {"-m 5", [](double x) { return std::fabs(x); }},
    {"-m 6 -A 3 -B 0.5 -G 2.5",
     [](double x) { return std::pow(3 + 0.5 * x, 2.5); }},
    {"-m 7 -A 0.75", [](double x) { return std::min(0.75, std::max(0.0, x)); }},
    {"-m 8 -A 0.25", [](double x) { return x > 0 ? x : 0.25 * x; }},
    {"-m 9 -A 0.5", [](double x) { return x > 0 ? x : 0.5 * std::expm1(x); }},
    {"-m 10 -A -0.5 -B 0.25",
     [](double x) { return std::min(0.25, std::max(-0.5, x)); }},
};

constexpr float points[] = {-2, -0.75f, -0.3f, -0.125f, 0.125f, 0.3f, 1.5f};
constexpr const char *sizes = " -n 1 -c 1 -H 1 -W 7 ";

} // namespace

TEST(ActivCommand, values) {
  for (const Mode &mode : modes) {
    std::vector<float> x(std::begin(points), std::end(points));
    std::vector<double> y =
        valuesOf(buildOf("activ" + std::string(sizes) + mode.flags), {x});
    for (size_t i = 0; i != x.size(); ++i)
      EXPECT_NEAR(y[i], mode.value(double(x[i])), 1e-12) << mode.flags;
  }
}

// Against differences, away from the corners.
TEST(ActivCommand, gradients) {
  for (const Mode &mode : modes) {
    std::vector<float> x(std::begin(points), std::end(points)), y,
        dy{1, -2, 3, 0.5f, 1, -1, 2};
    for (float value : x)
      y.push_back(float(mode.value(double(value))));
    CommandGraph built =
        buildOf("activ -F 2" + std::string(sizes) + mode.flags);
    EXPECT_EQ(built.direction, "input_backward");
    std::string name = mode.flags;
    std::vector<std::vector<float>> arguments{dy};
    if (name == "-m 1" || name.starts_with("-m 2"))
      arguments.push_back(y);
    else if (name.starts_with("-m 9"))
      arguments.insert(arguments.end(), {x, y});
    else if (name != "-m 0")
      arguments.push_back(x);
    std::vector<double> dx = valuesOf(built, arguments);
    for (size_t i = 0; i != x.size(); ++i) {
      constexpr double step = 1e-5;
      double slope =
          (mode.value(double(x[i]) + step) - mode.value(double(x[i]) - step)) /
          (2 * step);
      EXPECT_NEAR(dx[i], slope * double(dy[i]), 1e-6) << mode.flags;
    }
  }
}

TEST(ActivCommand, namesAndErrors) {
  EXPECT_EQ(buildOf("activfp16 -m leakyrelu -A 0.1").name,
            "activ_leakyrelu_float16_forward_100x3x32x32_a0.1");
  EXPECT_EQ(buildOf("activ -F 2").name,
            "activ_relu_float32_input_backward_100x3x32x32");
  EXPECT_THAT(errorOf("activ -m 11"), HasSubstr("must be one of 0 pasthru"));
  EXPECT_THAT(errorOf("activ -F 3"), HasSubstr("2 the gradient"));
  EXPECT_THAT(errorOf("activ -F 2 -m 2 -A 1"), HasSubstr("divides by it"));
  EXPECT_THAT(errorOf("activ -m 10 -A 1"), HasSubstr("lower end of a clamp"));
  EXPECT_THAT(errorOf("activ -A 1e30"), HasSubstr("between -1e20 and 1e20"));
  EXPECT_THAT(errorOf("activ -c 0"), HasSubstr("must be at least 1"));
}

TEST(TensorOpCommand, values) {
  std::vector<float> a{1, 2, 3, 4, 5, 6, 7}, b{3, -1, 4, 2, 0, 9, 1},
      c{2, 2, 2, 2, 2, 2, 2};
  using List = std::vector<double>;
  auto of = [&](const std::string &flags,
                std::vector<std::vector<float>> arguments) {
    return valuesOf(buildOf("tensorop" + std::string(sizes) + flags),
                    std::move(arguments));
  };
  EXPECT_EQ(of("", {a, b}), (List{4, 1, 7, 6, 5, 15, 8}));
  EXPECT_EQ(of("-o 1 -v 2", {a}), (List{2, 4, 6, 8, 10, 12, 14}));
  EXPECT_EQ(of("-o mul -A 2 -B 0.5 -G -1", {a, b, c}),
            (List{1, -4, 10, 6, -2, 52, 5}));
  EXPECT_EQ(of("-o 4", {a, b}), (List{1, -1, 3, 2, 0, 6, 1}));
  EXPECT_EQ(of("-o 5 --b_sizes 1x1x1x1", {a, {3}}),
            (List{3, 3, 3, 4, 5, 6, 7}));
}

TEST(TensorOpCommand, namesAndErrors) {
  EXPECT_EQ(buildOf("tensorop -A 2 -G 0.5 --b_sizes 1x3x1x1").name,
            "tensorop_add_float32_64x3x32x32_b1x3x1x1_alpha1_2_beta0.5");
  EXPECT_THAT(errorOf("tensorop -o 0"), HasSubstr("nothing is computed"));
  EXPECT_THAT(errorOf("tensorop -o 6"), HasSubstr("must be 1 scale"));
  EXPECT_THAT(errorOf("tensorop --b_sizes 1x2x1x1"),
              HasSubstr("must be 64x3x32x32, or 1 in some places"));
  EXPECT_THAT(errorOf("tensorop -A inf"), HasSubstr("--alpha1 (-A)"));
}
