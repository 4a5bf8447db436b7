//===- ConvProblemTest.cpp ------------------------------------------------===//

#include "boo/ops/conv/ConvProblem.h"
#include "boo/ops/Reference.h"
#include "boo/ops/conv/ErrorBound.h"

#include <gmock/gmock.h>

using namespace boo;
using testing::ElementsAre;

namespace {

Graph parse(std::string_view text) {
  StatusOr<Graph> graph = parseGraph(text);
  EXPECT_TRUE(graph.isOk()) << graph.status().toString();
  return *graph;
}

const char OneD[] = "boo.graph 1\n"
                    "%0 = input bf16[2,6,10]{60,1,6}\n"
                    "%1 = input bf16[4,3,3]{9,3,1}\n"
                    "%2 = input bf16[4,1]{1,0}\n"
                    "%3 = conv(%0, %1) {acc = f32, dilation = [2], groups = 2, "
                    "pad_hi = [3], pad_lo = [1], stride = [2]} : bf16[2,4,5]\n"
                    "%4 = pointwise(%3, %2) {fn = \"add\"} : "
                    "bf16[2,4,5]{20,1,4}\n"
                    "return %4\n";

TEST(ConvProblem, FewerDimensionsComeLast) {
  Graph graph = parse(OneD);
  ConvProblem p = convProblem(graph, graph.nodes()[0], graph.value(4).type);
  EXPECT_EQ(p.dtype, DType::BF16);
  EXPECT_EQ(p.accType, DType::F32);
  EXPECT_THAT(p.in, ElementsAre(1, 1, 10));
  EXPECT_THAT(p.filter, ElementsAre(1, 1, 3));
  EXPECT_THAT(p.out, ElementsAre(1, 1, 5));
  EXPECT_THAT(p.stride, ElementsAre(1, 1, 2));
  EXPECT_THAT(p.dilation, ElementsAre(1, 1, 2));
  EXPECT_THAT(p.padLo, ElementsAre(0, 0, 1));
  EXPECT_THAT(p.padHi, ElementsAre(0, 0, 3));
  EXPECT_EQ(p.inPerGroup(), 3);
  EXPECT_EQ(p.outPerGroup(), 2);
  EXPECT_EQ(p.reduction(), 9);
  EXPECT_THAT(p.inStrides.spatial, ElementsAre(0, 0, 6));
  EXPECT_EQ(p.inStrides.channel, 1);
  EXPECT_EQ(p.filterStrides.outer, 9);
  // The layout of what the group stores, not of the conv's own result.
  EXPECT_EQ(p.outStrides.channel, 1);
  EXPECT_THAT(p.outStrides.spatial, ElementsAre(0, 0, 4));
  EXPECT_EQ(p.flops(), 2.0 * 2 * 4 * 5 * 9);
  EXPECT_EQ(p.bytes(), 2.0 * (2 * 6 * 10 + 4 * 3 * 3 + 2 * 4 * 5));
}

TEST(ConvProblem, Gradients) {
  const char attributes[] =
      "{acc = f32, dilation = [2], groups = 2, pad_hi = [3], pad_lo = [1], "
      "size = [";
  Graph graph = parse(std::string("boo.graph 1\n%0 = input f32[2,4,5]\n"
                                  "%1 = input f32[4,3,3]{9,1,3}\n"
                                  "%2 = input f32[2,6,10]\n"
                                  "%3 = conv_grad_input(%0, %1) ") +
                      attributes +
                      "10], stride = [2]} : f32[2,6,10]{60,1,6}\n"
                      "%4 = conv_grad_weight(%0, %2) " +
                      attributes +
                      "3], stride = [2]} : f32[4,3,3]\n"
                      "return %3, %4\n");
  ConvProblem dx = convProblem(graph, graph.nodes()[0], graph.value(3).type);
  EXPECT_EQ(dx.direction, ConvDirection::InputGradient);
  EXPECT_THAT(dx.in, ElementsAre(1, 1, 10));
  EXPECT_THAT(dx.filter, ElementsAre(1, 1, 3));
  EXPECT_THAT(dx.out, ElementsAre(1, 1, 5));
  EXPECT_EQ(dx.inChannels, 6);
  EXPECT_EQ(dx.inStrides.channel, 1);
  EXPECT_EQ(dx.filterStrides.channel, 1);
  EXPECT_EQ(dx.outStrides.channel, 5);
  // Taps are two apart as output pixels are: all three meet a pixel, or none.
  EXPECT_EQ(dx.reduction(), 2 * 3);
  dx.stride[2] = 3;
  EXPECT_EQ(dx.reduction(), 2 * 1);
  ConvProblem dw = convProblem(graph, graph.nodes()[1], graph.value(4).type);
  EXPECT_EQ(dw.direction, ConvDirection::WeightGradient);
  EXPECT_THAT(dw.filter, ElementsAre(1, 1, 3));
  EXPECT_EQ(dw.filterStrides.outer, 9);
  EXPECT_EQ(dw.outChannels, 4);
  EXPECT_EQ(dw.reduction(), 2 * 5);
  // Multiplications are as many in every direction.
  EXPECT_EQ(dx.flops(), 2.0 * 2 * 4 * 5 * 9);
  EXPECT_EQ(dw.flops(), 2.0 * 2 * 4 * 5 * 9);
  EXPECT_EQ(graphWork(graph).flops, 2 * dw.flops());
}

TEST(ConvProblem, WorkOfAGraph) {
  Work work = graphWork(parse(OneD));
  EXPECT_EQ(work.flops, 2.0 * 2 * 4 * 5 * 9);
  EXPECT_EQ(work.bytes, 2.0 * (120 + 36 + 4 + 40));
  // A stride of 0 repeats an element, which is read once; an argument that
  // nothing reads is not.
  work = graphWork(parse("boo.graph 1\n%0 = input f32[4,5]{0,1}\n"
                         "%1 = input f32[9]\n"
                         "%2 = pointwise(%0) {fn = \"exp\"} : f32[4,5]\n"
                         "return %2"));
  EXPECT_EQ(work.flops, 20);
  EXPECT_EQ(work.bytes, 4.0 * (5 + 20));
}

TEST(ConvProblem, BoundsOfAlgorithms) {
  Graph graph = parse(OneD);
  ConvProblem p = convProblem(graph, graph.nodes()[0], graph.value(4).type);
  for (const char *name : {"direct", "depthwise", "pointwise"}) {
    StatusOr<double> factor = convErrorFactor(name, p);
    ASSERT_TRUE(factor.isOk());
    EXPECT_GE(*factor, 9 * 0x1p-24);
    EXPECT_LE(*factor, 20 * 0x1p-24);
  }
  StatusOr<double> unknown = convErrorFactor("guess", p);
  EXPECT_EQ(unknown.status().code(), StatusCode::Unsupported);
}

} // namespace
