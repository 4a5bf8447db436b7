//===- AtenPointwiseTest.cpp - Functions of torch's, their gradients ------===//

#include "boo/driver/commands/testing/AtenLine.h"
#include "boo/driver/commands/testing/Build.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/pointwise/Pointwise.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

static std::string graphOf(const std::string &command) {
  return printGraph(buildOf(command).graph);
}

/// What a Graph of pointwise nodes makes of these arguments.
static double valueOf(const std::string &command,
                      std::vector<double> arguments) {
  Graph graph = buildOf(command).graph;
  std::vector<double> values(graph.values().size());
  for (size_t i = 0; i != arguments.size(); ++i)
    values[size_t(graph.arguments()[i])] = arguments[i];
  for (const Node &node : graph.nodes()) {
    std::vector<double> operands;
    for (ValueId id : node.operands)
      operands.push_back(values[size_t(id)]);
    values[size_t(node.results[0])] = pointwiseValue(
        pointwiseFn(node), operands.data(), pointwiseParameters(node).data());
  }
  return values[size_t(graph.outputs()[0].value)];
}

/// Of the gradient 1 and an input or result of `x`.
static double slope(const std::string &name, double x,
                    const std::vector<AtenArg> &rest = {}) {
  std::vector<AtenArg> arguments{{{4}}, {{4}}};
  arguments.insert(arguments.end(), rest.begin(), rest.end());
  return valueOf(atenLine(name + "_backward", arguments), {1, x});
}

TEST(AtenPointwise, gradientsBetweenTheirBounds) {
  EXPECT_EQ(slope("threshold", 0.5, {"0.5"}), 0);
  EXPECT_EQ(slope("threshold", 0.6, {"0.5"}), 1);
  for (auto [x, y] : {std::pair(-1, 0), {0, 1}, {2, 0}, {3, 0}})
    EXPECT_EQ(slope("hardtanh", x, {"-1", "2"}), y) << x;
  for (auto [x, y] : {std::pair(-3.0, 0.0), {0, 1.0 / 6}, {3, 0}})
    EXPECT_DOUBLE_EQ(slope("hardsigmoid", x), y) << x;
  for (auto [x, y] :
       {std::pair(-4.0, 0.0), {-3, 0}, {-1.5, 0}, {0, 0.5}, {3, 1}, {5, 1}})
    EXPECT_DOUBLE_EQ(slope("hardswish", x), y) << x;
  for (auto [x, y] : {std::pair(-2.0, 0.25), {0, 0.25}, {2, 1}})
    EXPECT_DOUBLE_EQ(slope("leaky_relu", x, {"0.25", "False"}), y) << x;
}

TEST(AtenPointwise, smoothGradients) {
  EXPECT_DOUBLE_EQ(slope("sigmoid", 0.25), 0.25 * 0.75);
  EXPECT_DOUBLE_EQ(slope("tanh", 0.5), 0.75);
  EXPECT_DOUBLE_EQ(slope("silu", 0), 0.5);
  EXPECT_DOUBLE_EQ(slope("softplus", 0, {"1", "20"}), 0.5);
  auto gelu = [](double x) { return x / 2 * std::erfc(-x / std::sqrt(2)); };
  auto geluTanh = [](double x) {
    return x / 2 *
           (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  for (double x : {-6.0, -1.5, -1e-8, 0.0, 0.7, 5.0}) {
    constexpr double h = 1e-4;
    EXPECT_NEAR(slope("gelu", x, {"none"}),
                (gelu(x + h) - gelu(x - h)) / (2 * h), 1e-8)
        << x;
    EXPECT_NEAR(slope("gelu", x, {"tanh"}),
                (geluTanh(x + h) - geluTanh(x - h)) / (2 * h), 1e-8)
        << x;
  }
}

TEST(AtenPointwise, eluFromItsInputOrItsResult) {
  auto ofElu = [](const char *ofResult, double x) {
    return valueOf(
        atenLine("elu_backward", {{{4}}, "1.5", "2", "0.5", ofResult, {{4}}}),
        {1, x});
  };
  EXPECT_EQ(ofElu("False", 800), 2);
  EXPECT_DOUBLE_EQ(ofElu("False", -3), 0.5 * 3 * std::exp(-1.5));
  EXPECT_EQ(ofElu("True", 1), 2);
  EXPECT_DOUBLE_EQ(ofElu("True", -1), 0.5 * (-1 + 3));
  EXPECT_EQ(valueOf(atenLine("elu", {{{4}}, "1", "3", "1"}), {2}), 6);
  EXPECT_THAT(errorOf(atenLine("elu", {{{4}}, "1", "1", "0.5"})),
              HasSubstr("argument 3 (input_scale) must be 1"));
}

TEST(AtenPointwise, gradientsAreOneKernel) {
  // What two nodes read would be a result that is written to memory.
  for (const char *name : {"silu", "gelu", "hardswish"}) {
    Graph graph =
        buildOf(atenLine(std::string(name) + "_backward", {{{4}}, {{4}}}))
            .graph;
    std::vector<int> users(graph.values().size());
    for (const Node &node : graph.nodes())
      for (ValueId id : node.operands)
        ++users[size_t(id)];
    for (const Node &node : graph.nodes())
      EXPECT_LE(users[size_t(node.results[0])], 1) << name;
  }
}

TEST(AtenPointwise, gradientsLieAsTorchLaysThemOut) {
  AtenArg last = channelsLastArg({2, 8, 3, 3}), plain{{2, 8, 3, 3}};
  EXPECT_THAT(graphOf(atenLine("sigmoid_backward", {last, plain})),
              HasSubstr("f32[2,8,3,3]{72,1,24,8}\nreturn"));
  EXPECT_THAT(graphOf(atenLine("threshold_backward", {last, plain, "0"})),
              HasSubstr("f32[2,8,3,3]{72,9,3,1}\nreturn"));
  EXPECT_THAT(errorOf(atenLine("tanh_backward", {plain, {{2, 8, 3, 1}}})),
              HasSubstr("argument 1 (output) must be of grad_output's type"));
}

TEST(AtenPointwise, powers) {
  auto power = [](const char *exponent) {
    return atenLine("pow", {{{4}}, exponent});
  };
  EXPECT_EQ(valueOf(power("-2"), {-2}), 0.25);
  EXPECT_EQ(valueOf(power("0.5"), {9}), 3);
  EXPECT_EQ(valueOf(power("-0.5"), {16}), 0.25);
  EXPECT_EQ(valueOf(power("1"), {5}), 5);
  for (const char *exponent : {"0", "65", "nan"})
    EXPECT_THAT(errorOf(power(exponent)),
                HasSubstr("argument 1 (exponent) must lie between"));
  EXPECT_THAT(errorOf(atenLine("pow", {{{4}}, {{4}}})),
              HasSubstr("argument 1 (exponent) must be a number"));
  EXPECT_EQ(valueOf(atenLine("rsqrt", {{{4}}}), {4}), 0.5);
  EXPECT_EQ(valueOf(atenLine("reciprocal", {{{4}}}), {4}), 0.25);
  EXPECT_EQ(valueOf(atenLine("square", {{{4}}}), {-3}), 9);
}

TEST(AtenPointwise, twoOrThreeOperands) {
  EXPECT_EQ(valueOf(atenLine("rsub", {{{4}}, "7", "2"}), {3}), 1);
  EXPECT_EQ(valueOf(atenLine("rsub", {{{4}}, {{4}}, "2"}), {3, 7}), 1);
  EXPECT_EQ(valueOf(atenLine("addcmul", {{{4}}, {{4}}, {{4}}, "2"}), {1, 3, 5}),
            31);
  EXPECT_EQ(valueOf(atenLine("addcdiv", {{{4}}, {{4}}, {{4}}}), {1, 6, 3}), 3);
  EXPECT_THAT(errorOf(atenLine("addcmul", {{{4}}, {{4}, "double"}, {{4}}})),
              HasSubstr("argument 1 (tensor1) must be of self's type"));
}

TEST(AtenPointwise, bounds) {
  EXPECT_EQ(valueOf(atenLine("hardtanh", {{{4}}}), {3}), 1);
  EXPECT_EQ(valueOf(atenLine("clamp", {{{4}}, "", "2"}), {3}), 2);
  EXPECT_EQ(valueOf(atenLine("clamp", {{{4}}, "2", ""}), {1}), 2);
  EXPECT_THAT(errorOf(atenLine("clamp", {{{4}}, {{4}}, ""})),
              HasSubstr("argument 1 (min) must be a number"));
}

TEST(AtenPointwise, softplusOfFloats) {
  EXPECT_THAT(graphOf(atenLine("softplus", {{{4}}, "1", "20"})),
              HasSubstr("softplus"));
  EXPECT_THAT(errorOf(atenLine("softplus", {{{4}}, "2"})),
              HasSubstr("argument 1 (beta) must be 1"));
  EXPECT_THAT(errorOf(atenLine("softplus", {{{4}, "double"}})),
              HasSubstr("argument 0 (self) is of doubles"));
}

TEST(AtenPointwise, copies) {
  auto copy = [](const char *type, const char *device, const char *format) {
    return atenLine("_to_copy", {channelsLastArg({2, 8, 3, 3}), type, "",
                                 device, "", "False", format});
  };
  EXPECT_THAT(graphOf(copy("15", "", "")),
              HasSubstr("cast(%0) {to = bf16} : bf16[2,8,3,3]{72,1,24,8}"));
  EXPECT_THAT(graphOf(copy("", "cpu", "0")),
              HasSubstr("cast(%0) {to = f32} : f32[2,8,3,3]{72,9,3,1}"));
  EXPECT_THAT(errorOf(copy("3", "", "")), HasSubstr("argument 1 (dtype) is 3"));
  EXPECT_THAT(errorOf(copy("", "cuda", "")),
              HasSubstr("argument 3 (device) must be the host"));
  EXPECT_THAT(errorOf(copy("", "", "3")),
              HasSubstr("argument 6 (memory_format) is 3, no memory format"));
}

TEST(AtenPointwise, gapsDoNotChangeTheOrderInMemory) {
  AtenArg x = channelsLastArg({2, 8, 3, 3});
  x.dims = "[2, 4, 3, 3]";
  EXPECT_THAT(graphOf(atenLine("relu", {x})),
              HasSubstr("f32[2,4,3,3]{36,1,12,4}\nreturn"));
}
