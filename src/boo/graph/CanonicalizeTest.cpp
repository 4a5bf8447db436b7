//===- CanonicalizeTest.cpp - One computation, one text -------------------===//

#include "boo/graph/Attributes.h"
#include "boo/graph/Graph.h"

#include <gtest/gtest.h>

using namespace boo;

namespace {

std::string canonicalText(std::string_view text) {
  StatusOr<Graph> graph = parseGraph(text);
  return graph.isOk() ? printGraph(canonicalize(*graph))
                      : graph.status().toString();
}

const char Diamond[] = "boo.graph 1\n"
                       "%0 = input f32[2,1]{1,0}\n"
                       "%1 = input f32[2,1]{1,0}\n"
                       "%2 = pointwise(%0) {fn = \"relu\"} : f32[2,1]{1,0}\n"
                       "%3 = pointwise(%1) {fn = \"tanh\"} : f32[2,1]{1,0}\n"
                       "%4 = pointwise(%2, %3) {fn = \"sub\"} : "
                       "f32[2,1]{1,0}\n"
                       "return %4\n";

TEST(Canonicalize, IsIdempotent) { EXPECT_EQ(canonicalText(Diamond), Diamond); }

TEST(Canonicalize, ForgetsNumberingOrderAndDeadNodes) {
  EXPECT_EQ(canonicalText("boo.graph 1\n"
                          "%a = input f32[2,1]{1,7}\n"
                          "%dead = pointwise(%a) {fn = \"exp\"} : f32[2,1]\n"
                          "%b = input f32[2,1]{1,1}\n"
                          "%deader = pointwise(%dead) {fn=\"exp\"} : f32[2,1]\n"
                          "%9 = pointwise(%b) {fn = \"tanh\"} : f32[2,1]{1,3}\n"
                          "%7 = pointwise(%a) {fn = \"relu\"} : f32[2,1]\n"
                          "%5 = pointwise(%7, %9) {fn = \"sub\"} : f32[2,1]\n"
                          "return %5\n"),
            Diamond);
}

TEST(Canonicalize, KeepsWhatMatters) {
  // Operands swapped, an unused argument, another layout: other computations.
  std::string swapped = Diamond;
  swapped.replace(swapped.find("(%2, %3)"), 8, "(%3, %2)");
  EXPECT_NE(canonicalText(swapped), Diamond);
  std::string extra = Diamond;
  extra.insert(extra.find("%2 = "), "%9 = input f32[1]{0}\n");
  EXPECT_NE(canonicalText(extra), Diamond);
  std::string spread = Diamond;
  spread.replace(spread.find("{1,0}"), 5, "{2,0}");
  EXPECT_NE(canonicalText(spread), Diamond);
}

TEST(Canonicalize, KeepsOutputsAndTheirDestinations) {
  const char Text[] = "boo.graph 1\n"
                      "%0 = inout f32[2]{1}\n"
                      "%1 = pointwise(%0) {fn = \"exp\"} : f32[2]{1}\n"
                      "%2 = pointwise(%1) {fn = \"log\"} : f32[2]{1}\n"
                      "return %2 into %0, %1\n";
  EXPECT_EQ(canonicalText(Text), Text);
}

TEST(Lists, NamesReadBack) {
  for (int i = 0; i <= int(PointwiseFn::Scale); ++i) {
    StatusOr<PointwiseFn> fn =
        parsePointwiseFn(pointwiseFnName(PointwiseFn(i)));
    ASSERT_TRUE(fn.isOk());
    EXPECT_EQ(int(*fn), i);
  }
  EXPECT_FALSE(parsePointwiseFn("warble").isOk());
  EXPECT_EQ(*parseOp("mlir"), Op::Mlir);
  EXPECT_FALSE(parseOp("").isOk());
  EXPECT_EQ(pointwiseFnParameters(PointwiseFn::Clamp),
            (std::vector<std::string>{"min", "max"}));
  for (int i = 0; i <= int(DType::I1); ++i)
    EXPECT_EQ(parseDType(dtypeName(DType(i))), DType(i));
  EXPECT_EQ(parseDType("f8"), std::nullopt);
}

TEST(Lists, AttributesOfAPointwiseNode) {
  Graph graph;
  TensorType type = TensorType::contiguous(DType::F32, {2});
  ValueId x = graph.addArgument(type);
  graph.addOutput(
      graph.addPointwise(PointwiseFn::Scale, {x}, type, {2.0, -1.0}));
  ASSERT_TRUE(graph.verify().isOk());
  EXPECT_EQ(pointwiseFn(graph.nodes()[0]), PointwiseFn::Scale);
  EXPECT_EQ(pointwiseParameters(graph.nodes()[0]),
            (std::vector<double>{2.0, -1.0}));
}

} // namespace
