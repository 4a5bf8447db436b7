//===- GroupNormCommandTest.cpp - Group norm commands ---------------------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(GroupNormCommand, graphAndName) {
  CommandGraph built = buildOf("groupnormbfp16 -n 2 -c 6 -H 5 -W 7 -m 1");
  EXPECT_EQ(built.name, "group_norm_bfloat16_forward_2x6x5x7_nchw_3g_w_b");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[2,3,2,5,7]{210,70,35,7,1}\n"
            "%1 = input bf16[1,3,2,1,1]{6,2,1,1,1}\n"
            "%2 = input bf16[1,3,2,1,1]{6,2,1,1,1}\n"
            "%3, %4, %5 = norm(%0, %1, %2) {acc = f32, dims = 3, eps = 1e-05, "
            "stats = true} : bf16[2,3,2,5,7]{210,70,35,7,1}, "
            "f32[2,3,1,1,1]{3,1,1,1,1}, f32[2,3,1,1,1]{3,1,1,1,1}\n"
            "return %3, %4, %5\n");
  EXPECT_THAT(built.outputSizes[0], ElementsAre(2, 6, 5, 7));
  EXPECT_THAT(built.outputSizes[1], ElementsAre(2, 3));
  built = buildOf("groupnorm -n 2 -c 6 -H 5 -W 7 -g 2 -I NHWC --stats 0");
  EXPECT_EQ(built.name, "group_norm_float32_forward_2x6x5x7_nhwc_2g_nostats");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("input f32[2,2,3,5,7]{210,3,1,42,6}"));
  EXPECT_EQ(buildOf("groupnorm -n 2 -H 0 -W 7").name,
            "group_norm_float32_forward_2x6x7_ncw_3g");
  EXPECT_EQ(buildOf("groupnorm -n 2 -D 2").outputSizes[0].size(), 5u);
}

TEST(GroupNormCommand, errors) {
  EXPECT_THAT(errorOf("groupnorm -g 4"), HasSubstr("divide the channels, 6"));
  EXPECT_THAT(errorOf("groupnorm -g 0"), HasSubstr("at least 1"));
  EXPECT_THAT(errorOf("groupnorm -F 2"), HasSubstr("1 is forward"));
  EXPECT_THAT(errorOf("groupnorm -m 2"), HasSubstr("--mode"));
  EXPECT_THAT(errorOf("groupnorm -D 2 -H 0"), HasSubstr("--in_h"));
  EXPECT_THAT(errorOf("groupnorm -I NDHWC"), HasSubstr("NCHW or NHWC"));
  EXPECT_THAT(errorOf("groupnorm -e nan"), HasSubstr("--eps"));
}
