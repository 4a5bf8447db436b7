//===- NormCommandTest.cpp - Layer norm and softmax commands --------------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

TEST(NormCommand, graphAndName) {
  CommandGraph built = buildOf("layernormbfp16 -X 2x3x5 -o 2 -m 1");
  EXPECT_EQ(built.name, "layer_norm_1d_bfloat16_float32_forward_2x3x5_w_b");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[2,3,5]{15,5,1}\n"
            "%1 = input bf16[5]{1}\n"
            "%2 = input bf16[5]{1}\n"
            "%3, %4, %5 = norm(%0, %1, %2) {acc = f32, dims = 1, eps = "
            "1e-05, stats = true} : bf16[2,3,5]{15,5,1}, f32[2,3,1]{3,1,1}, "
            "f32[2,3,1]{3,1,1}\n"
            "return %3, %4, %5\n");
  EXPECT_EQ(buildOf("layernorm -X 2x3x5 -o 1 -e 0.5 --stats 0").name,
            "layer_norm_2d_float32_float32_forward_2x3x5_eps0.5_nostats");
  EXPECT_THAT(
      printGraph(buildOf("layernorm -X 2x3 -o 1 -m 1 --wei-const").graph),
      HasSubstr("constant f32[3]"));
}

TEST(NormCommand, gradients) {
  CommandGraph built = buildOf("layernormbfp16 -X 2x3x5 -o 2 -m 1 -F 14");
  EXPECT_EQ(built.name,
            "layer_norm_1d_bfloat16_float32_full_backward_2x3x5_w_b");
  EXPECT_EQ(built.direction, "full_backward");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[2,3,5]{15,5,1}\n"
            "%1 = input bf16[2,3,5]{15,5,1}\n"
            "%2 = input bf16[5]{1}\n"
            "%3 = input f32[2,3,1]{3,1,1}\n"
            "%4 = input f32[2,3,1]{3,1,1}\n"
            "%5, %6, %7 = norm_grad(%0, %1, %3, %4, %2) {acc = f32, dbias = "
            "true, dims = 1, dweight = true, dx = true} : "
            "bf16[2,3,5]{15,5,1}, bf16[5]{1}, bf16[5]{1}\n"
            "return %5, %6, %7\n");
  EXPECT_EQ(built.outputSizes[1], (std::vector<int64_t>{5}));
  EXPECT_EQ(buildOf("layernorm -X 2x3 -o 1 -F 3").name,
            "layer_norm_1d_float32_float32_forward_input_backward_2x3");
  // The bias' gradient needs nothing but the output's.
  EXPECT_EQ(buildOf("layernorm -X 2x3 -o 1 -F 8").graph.arguments().size(), 1u);
  // Forward and gradient share the statistics, which are outputs or are not.
  built = buildOf("layernorm -X 2x3 -o 1 -F 7 --stats 0");
  EXPECT_EQ(built.graph.arguments().size(), 2u);
  EXPECT_EQ(built.graph.outputs().size(), 3u);
  EXPECT_EQ(buildOf("layernorm -X 2x3 -o 1 -F 2 -e 0.5").notes.size(), 1u);
}

TEST(NormCommand, errors) {
  EXPECT_THAT(errorOf("layernorm"), HasSubstr("--input (-X) is missing"));
  EXPECT_THAT(errorOf("layernorm -X 8x"), HasSubstr("sizes with x between"));
  EXPECT_THAT(errorOf("layernorm -X 8x0"), HasSubstr("each at least 1"));
  EXPECT_THAT(errorOf("layernorm -X 8x16"),
              HasSubstr("2 dimensions, numbered from 0; the last one is -o 1"));
  for (const char *forw : {"0", "16", "-1"})
    EXPECT_THAT(errorOf(std::string("layernorm -X 8x16 -o 1 -F ") + forw),
                HasSubstr("14 is all gradients"));
  EXPECT_THAT(errorOf("layernorm -X 8x16 -o 1 -m 2"), HasSubstr("--mode"));
  EXPECT_THAT(errorOf("layernorm -X 8x16 -o 1 -e -1"), HasSubstr("--eps"));
  EXPECT_THAT(errorOf("layernorm -X 8x16 -o 1 --input-permutation 10"),
              HasSubstr("row-major"));
  EXPECT_THAT(errorOf("layernorm -X 9999999999x9999999999 -o 1"),
              HasSubstr("more bytes"));
}

TEST(SoftmaxCommand, graphAndName) {
  CommandGraph built = buildOf("softmaxfp16 -n 2 -c 3 -H 5 -W 7 -I NHWC -a 2");
  EXPECT_EQ(built.name, "log_softmax_float16_forward_2x3x5x7_nhwc_channel");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%1 = softmax(%0) {acc = f32, axis = 1, log = true} : "
                        "f16[2,3,5,7]{105,1,21,3}"));
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{2, 5, 7, 3}));
  EXPECT_THAT(printGraph(buildOf("softmax -n 2 -c 3 -H 5 -W 7 -m 0").graph),
              HasSubstr("f32[2,105]"));
}

TEST(SoftmaxCommand, gradients) {
  CommandGraph built = buildOf("softmax -n 2 -c 3 -H 5 -W 7 -F 2");
  EXPECT_EQ(built.name, "softmax_float32_backward_2x3x5x7_nchw_channel");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%2 = softmax_grad(%0, %1) {acc = f32, axis = 1, log = "
                        "false} : f32[2,3,5,7]"));
  built = buildOf("softmax -n 2 -c 3 -H 5 -W 7 -F 0 -a 2");
  EXPECT_EQ(built.direction, "forward_backward");
  EXPECT_THAT(printGraph(built.graph), HasSubstr("softmax_grad(%0, %2)"));
  EXPECT_EQ(built.outputSizes.size(), 2u);
}

TEST(SoftmaxCommand, errors) {
  EXPECT_THAT(errorOf("softmax -n 0"), HasSubstr("at least 1"));
  EXPECT_THAT(errorOf("softmax -a 3"), HasSubstr("--algorithm (-a) 3"));
  EXPECT_THAT(errorOf("softmax -m 2"), HasSubstr("--mode (-m) 2"));
  EXPECT_THAT(errorOf("softmax -F 3"), HasSubstr("2 the gradient, 0 both"));
  EXPECT_THAT(errorOf("softmax -A 2"), HasSubstr("only 1 is computed"));
  EXPECT_THAT(errorOf("softmax -I NCHWC"), HasSubstr("NCHW or NHWC"));
}
