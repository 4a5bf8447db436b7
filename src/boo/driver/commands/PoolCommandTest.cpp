//===- PoolCommandTest.cpp - Pool commands --------------------------------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

TEST(PoolCommand, graphAndName) {
  CommandGraph built =
      buildOf("poolbfp16 -n 2 -c 3 -H 8 -W 9 -u 2 -v 2 -p 1 -q 1 --in_layout "
              "nhwc");
  EXPECT_EQ(built.name, "pool_max_bfloat16_forward_2x3x8x9_nhwc_3x3_2x2s_1x1p");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[2,3,8,9]{216,1,27,3}\n"
            "%1 = pool(%0) {acc = f32, ceil = false, dilation = [1, 1], fn = "
            "\"max\", indices = false, pad_hi = [1, 1], pad_lo = [1, 1], "
            "stride = [2, 2], window = [3, 3]} : "
            "bf16[2,3,4,5]{60,1,15,3}\n"
            "return %1\n");
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{2, 4, 5, 3}));
  EXPECT_EQ(buildOf("pool -n 1 -H 9 --spatial_dim 1 -m avg --ceil -l 2").name,
            "pool_avg_float32_forward_1x3x9_nch_3_1s_0p_2d_ceil");
}

TEST(PoolCommand, paddingModes) {
  EXPECT_THAT(
      printGraph(buildOf("pool -n 1 -H 8 -W 9 -u 2 -v 2 -z same").graph),
      HasSubstr("pad_hi = [1, 1], pad_lo = [0, 1]"));
  EXPECT_THAT(printGraph(buildOf("pool -n 1 -H 8 -W 9 -p 1 -z valid").graph),
              HasSubstr("pad_lo = [0, 0]"));
}

TEST(PoolCommand, indices) {
  CommandGraph built = buildOf("pool -n 1 -c 1 -H 4 -W 4 --indices");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("f32[1,1,2,2]{4,4,2,1}, i64[1,1,2,2]{4,4,2,1}\n"
                        "return %1, %2"));
  EXPECT_THAT(errorOf("pool -m avg --indices"), HasSubstr("only of -m max"));
}

TEST(PoolCommand, gradients) {
  CommandGraph built = buildOf("pool -n 1 -c 1 -H 4 -W 5 -F 2");
  EXPECT_EQ(built.direction, "input_backward");
  EXPECT_EQ(built.name, "pool_max_float32_input_backward_1x1x4x5_nchw_3x3_1x1s_"
                        "0x0p");
  EXPECT_THAT(printGraph(built.graph), HasSubstr("pool_grad(%1, %3)"));
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{1, 1, 4, 5}));
  EXPECT_THAT(printGraph(buildOf("pool -m avg_in -F 2 -H 4 -W 5").graph),
              HasSubstr("pool_grad(%0) {acc = f32, ceil = false, dilation = "
                        "[1, 1], fn = \"avg_in\""));
}

TEST(PoolCommand, errors) {
  EXPECT_THAT(errorOf("pool -m min"), HasSubstr("takes max, avg or avg_in"));
  EXPECT_THAT(errorOf("pool -F 0"), HasSubstr("both directions at once"));
  EXPECT_THAT(errorOf("pool -F 4"), HasSubstr("2 the gradient"));
  EXPECT_THAT(errorOf("pool -n 0"), HasSubstr("--batchsize (-n) 0: must be 1"));
  EXPECT_THAT(errorOf("pool -u 0"), HasSubstr("--pool_stride_h (-u)"));
  EXPECT_THAT(errorOf("pool -y 40"), HasSubstr("window spans 40"));
  EXPECT_THAT(errorOf("pool -p 3"), HasSubstr("padding alone"));
  EXPECT_THAT(errorOf("pool --in_layout NCWW"),
              HasSubstr("each letter of NCHW once"));
  EXPECT_THAT(errorOf("pool --spatial_dim 4"), HasSubstr("1, 2 or 3"));
  EXPECT_THAT(errorOf("pool -z full"), HasSubstr("default, valid or same"));
  EXPECT_THAT(errorOf("pool -r 1"), HasSubstr("leaves padding out"));
  EXPECT_THAT(errorOf("pool -n 2000000000 -c 2000000000 -H 2000000000"),
              HasSubstr("more bytes"));
}
