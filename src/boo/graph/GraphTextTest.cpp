//===- GraphTextTest.cpp - Printing and parsing ---------------------------===//

#include "boo/graph/Graph.h"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>

using namespace boo;
using testing::HasSubstr;

namespace {

const char ConvText[] =
    "boo.graph 1\n"
    "%0 = input f32[1,64,56,56]{200704,1,3584,64}\n"
    "%1 = constant f32[64,64,3,3]{576,1,192,64}\n"
    "%2 = input f32[1,64,1,1]{0,1,0,0}\n"
    "%3 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, pad_hi = "
    "[1, 1], pad_lo = [1, 1], stride = [1, 1]} : "
    "f32[1,64,56,56]{200704,1,3584,64}\n"
    "%4 = pointwise(%3, %2) {fn = \"add\"} : "
    "f32[1,64,56,56]{200704,1,3584,64}\n"
    "return %4\n";

std::string reprint(std::string_view text) {
  StatusOr<Graph> graph = parseGraph(text);
  return graph.isOk() ? printGraph(*graph) : graph.status().toString();
}

TEST(GraphText, ConvRoundTrips) { EXPECT_EQ(reprint(ConvText), ConvText); }

TEST(GraphText, KeepsInOutSymbolsAndManyResults) {
  const char Text[] = "boo.graph 1\n"
                      "%0 = inout f16[s0,4]{4,1}\n"
                      "%1 = input i64[]{}\n"
                      "%2, %3 = mlir(%0, %1) {module = \"a\"} : "
                      "f16[s0,4]{4,1}, bf16[0,s1023]{1,1}\n"
                      "return %2 into %0, %3\n";
  EXPECT_EQ(reprint(Text), Text);
  StatusOr<Graph> graph = parseGraph(Text);
  ASSERT_TRUE(graph.isOk());
  EXPECT_EQ(graph->numSymbols(), 1024);
  EXPECT_EQ(graph->outputs()[0].into, 0);
  EXPECT_EQ(graph->value(0).role, Role::InOut);
  EXPECT_EQ(graph->value(3).producer, 0);
}

TEST(GraphText, BlanksNamesCommentsAndStridesAreFree) {
  EXPECT_EQ(reprint("// a comment\n\tboo.graph 1 %x=input f32[2,3]\r\n"
                    "%the_sum = // twice\n pointwise ( %x , %x ){fn=\"add\"}"
                    ":f32[2,3]{1,2} return%the_sum"),
            "boo.graph 1\n%0 = input f32[2,3]{3,1}\n"
            "%1 = pointwise(%0, %0) {fn = \"add\"} : f32[2,3]{1,2}\n"
            "return %1\n");
}

/// The text of a graph whose only attribute of interest is `module`.
std::string withModule(const std::string &module) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {2});
  graph.addOutput(graph.addNode(Op::Mlir, {}, {{"module", module}}, {type})[0]);
  return printGraph(graph);
}

TEST(GraphText, StringsOfAnyBytesRoundTrip) {
  std::string all;
  for (int i = 0; i != 256; ++i)
    all += char(i);
  std::string text = withModule(all + "\"\\n\n");
  StatusOr<Graph> graph = parseGraph(text);
  ASSERT_TRUE(graph.isOk()) << graph.status().toString();
  EXPECT_EQ(std::get<std::string>(graph->nodes()[0].attributes.at("module")),
            all + "\"\\n\n");
  EXPECT_EQ(printGraph(*graph), text);
}

std::string clampText(double low, double high) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {2});
  ValueId x = graph.addArgument(type);
  graph.addOutput(
      graph.addPointwise(PointwiseFn::Clamp, {x}, type, {low, high}));
  return printGraph(graph);
}

TEST(GraphText, DoublesRoundTripExactly) {
  using Limits = std::numeric_limits<double>;
  for (double value :
       {0.0, -0.0, 1.0, 6.0, 0.1, -1.0 / 3, 1e20, 1e300, Limits::max(),
        Limits::min(), Limits::denorm_min(), Limits::infinity(),
        -Limits::infinity(), 123456789012345678.0}) {
    std::string text = clampText(value, Limits::quiet_NaN());
    StatusOr<Graph> graph = parseGraph(text);
    ASSERT_TRUE(graph.isOk()) << text << graph.status().toString();
    const AttributeMap &attributes = graph->nodes()[0].attributes;
    double read = std::get<double>(attributes.at("min"));
    EXPECT_EQ(read, value);
    EXPECT_EQ(std::signbit(read), std::signbit(value));
    EXPECT_TRUE(std::isnan(std::get<double>(attributes.at("max"))));
    EXPECT_EQ(printGraph(*graph), text);
  }
  EXPECT_THAT(clampText(1, 1e22),
              HasSubstr("{fn = \"clamp\", max = 1e+22, min = 1.0}"));
  EXPECT_THAT(clampText(0.1, -HUGE_VAL), HasSubstr("max = -inf, min = 0.1}"));
}

TEST(GraphText, AttributesKeepTheirKind) {
  // Kinds that no op takes yet are told apart all the same: the errors show it.
  for (auto [value, ok] : {std::pair("2.0", true),
                           {"2", false},
                           {"true", false},
                           {"f32", false},
                           {"\"2.0\"", false},
                           {"[2]", false},
                           {"-inf", true},
                           {"nan", true}}) {
    std::string text = "boo.graph 1\n%0 = input f32[2]\n%1 = pointwise(%0) "
                       "{fn = \"elu\", alpha = " +
                       std::string(value) + "} : f32[2]\nreturn %1";
    EXPECT_EQ(parseGraph(text).isOk(), ok) << value;
  }
}

struct BadText {
  const char *text, *error;
};

// The header and one argument stand on line 1.
const BadText BadTexts[] = {
    {"", "line 1, column 1: expected `boo.graph 1`"},
    {"boo.graph 2\n", "line 1, column 11: Graph version 2 is not known"},
    {"boo.graph 99999999999999999999", "does not fit 64 bits"},
    {"boo.graph 1\n", "line 2, column 1: expected `return` before the end"},
    {"boo.graph 1 return", "line 1, column 19: expected a value's name"},
    {"boo.graph 1\n%0 = f32[2]", "line 2, column 6: there is no op `f32`"},
    {"boo.graph 1\n%0 = (", "column 6: expected input, constant, inout or an"},
    {"boo.graph 1\n%0, %1 = input f32[2]", "an argument has one name"},
    {"boo.graph 1\n%0 = input f31[2]", "column 12: expected an element type"},
    {"boo.graph 1\n%0 = input f32[-2]", "column 16: expected a size"},
    {"boo.graph 1\n%0 = input f32[2", "column 17: expected `]`"},
    {"boo.graph 1\n%0 = input f32[99999999999999999999]",
     "column 16: the number does not fit 64 bits"},
    {"boo.graph 1\n%0 = input f32[s1024]{1}", "symbols are s0 to s1023"},
    {"boo.graph 1\n%0 = input f32[s0]", "expected strides in braces"},
    {"boo.graph 1\n%0 = input f32[2]{-1}", "stride -1 is negative"},
    {"boo.graph 1\n%0 = input f32[2]{1,1}", "of 1 sizes has 2 strides"},
    {"boo.graph 1\n%0 = input f32[4294967296,4294967296]",
     "line 2, column 1: the tensor's bytes overflow"},
    {"boo.graph 1\n%0 = input f32[0,4294967296,4294967296]{0,0,0}",
     "the tensor's bytes overflow"},
    {"boo.graph 1\n%0 = input f32[3]{4611686018427387904}", "bytes overflow"},
    {"boo.graph 1\n%0 = inout f32[3]{0}", "overlaps itself"},
    {"boo.graph 1\n%0 = inout f32[2,3]{2,1}", "overlaps itself"},
    {"boo.graph 1\n%0 = input f32[2]\n%0 = input f32[2]",
     "line 3, column 1: %0 is defined twice"},
    {"boo.graph 1\n%0 = pointwise(%1) {fn = \"relu\"} : f32[2]",
     "line 2, column 16: %1 is not defined"},
    {"boo.graph 1\n%0 = pointwise(%0) {fn = \"relu\"} : f32[2]",
     "%0 is not defined"},
    {"boo.graph 1\n%0 = pointwise(_) {fn = \"relu\"} : f32[2]",
     "operand 0 of pointwise must not be absent"},
    {"boo.graph 1\n%0 = pointwise() {fn = \"relu\"} : f32[2]",
     "pointwise takes 1 to 3 operands and has 0"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0, %0) {to = f32} : f32[2]",
     "cast takes 1 operands and has 2"},
    {"boo.graph 1\n%0 = input f32[2]\n%1, %2 = cast(%0) {to = f32} : f32[2]",
     "2 results have 1 types"},
    {"boo.graph 1\n%0 = input f32[2]\n"
     "%1, %2 = cast(%0) {to = f32} : f32[2], f32[2]",
     "line 3, column 1: cast gives 1 results and has 2"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f16} : f32[2]",
     "result 0 of cast is declared f32[2] and comes out as f16[2]"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f32} : f32[2]{0}",
     "result 0 of cast: a tensor that is written overlaps itself"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f32, to = f16} :",
     "line 3, column 26: attribute `to` is given twice"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {To = f32} : f32[2]",
     "`To` is no attribute name"},
    {"boo.graph 1\n%0 = mlir() {module = \"a", "the string is not closed"},
    {"boo.graph 1\n%0 = mlir() {module = \"a\\x0", "expected an escape"},
    {"boo.graph 1\n%0 = mlir() {module = \"a\\", "expected an escape"},
    {"boo.graph 1\n%0 = mlir() {a = 1e999} : f32[1]", "does not fit an f64"},
    {"boo.graph 1\n%0 = mlir() {a = 1.0.0} : f32[1]", "expected a number"},
    {"boo.graph 1\n%0 = mlir() {a = -} : f32[1]", "expected an integer"},
    {"boo.graph 1\n%0 = mlir() {a = [1, b]}", "expected an integer"},
    {"boo.graph 1\n%0 = mlir() {a = b}", "expected an attribute's value"},
    {"boo.graph 1\n%0 = mlir() {= 1}", "expected an attribute's name"},
    {"boo.graph 1\n%0 = input f32[2]\nreturn %0",
     "line 3, column 1: an argument is returned"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f32} : f32[2]\n"
     "return %1, %1",
     "a value is returned twice"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f32} : f32[2]\n"
     "return %1 into %0",
     "into an inout argument only"},
    {"boo.graph 1\n%0 = inout f32[2]{2}\n%1 = cast(%0) {to = f32} : f32[2]\n"
     "return %1 into %0",
     "an argument of another type or layout"},
    {"boo.graph 1\n%0 = inout f32[2]\n%1 = cast(%0) {to = f32} : f32[2]\n"
     "%2 = cast(%0) {to = f32} : f32[2]\nreturn %1 into %0, %2 into %0",
     "two results are written into one argument"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f32} : f32[2]\n"
     "return _",
     "a returned value is not defined"},
    {"boo.graph 1\n%0 = input f32[2]\n%1 = cast(%0) {to = f32} : f32[2]\n"
     "return %1 more",
     "line 4, column 11: expected the end of the text after `return`"},
};

TEST(GraphText, ErrorsNamePlaceAndReason) {
  for (const BadText &bad : BadTexts) {
    StatusOr<Graph> graph = parseGraph(bad.text);
    ASSERT_FALSE(graph.isOk()) << bad.text;
    EXPECT_THAT(graph.status().message(), HasSubstr(bad.error)) << bad.text;
    EXPECT_THAT(graph.status().message(), HasSubstr("line ")) << bad.text;
  }
}

TEST(GraphText, EveryPrefixIsAnErrorAndNoCrash) {
  std::string_view text = ConvText;
  // The last line end may be missing.
  for (size_t i = 0; i + 2 < text.size(); ++i)
    EXPECT_FALSE(parseGraph(text.substr(0, i)).isOk()) << i;
}

TEST(GraphText, DeepChainsNeedNoStack) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {2});
  ValueId value = graph.addArgument(type);
  for (int i = 0; i != 50000; ++i)
    value = graph.addPointwise(PointwiseFn::Relu, {value}, type);
  graph.addOutput(value);
  std::string text = printGraph(graph);
  StatusOr<Graph> parsed = parseGraph(text);
  ASSERT_TRUE(parsed.isOk());
  EXPECT_EQ(printGraph(canonicalize(*parsed)), text);
}

} // namespace
