//===- SepconvCommandTest.cpp ---------------------------------------------===//

#include "boo/driver/commands/testing/Build.h"
#include "boo/graph/partition/Partition.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

TEST(SepconvCommand, graphText) {
  CommandGraph built =
      buildOf("sepconv -n 2 -c 4 -H 9 -W 8 -k 6 -p 1 -u 2 -v 2 -O NHWC --bias1 "
              "--act1 relu6 --bias2 --act2 clamp:0:1");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input f32[2,4,9,8]{288,72,8,1}\n"
            "%1 = input f32[4,1,3,3]{9,9,3,1}\n"
            "%2 = input f32[1,4,1,1]{0,1,0,0}\n"
            "%3 = input f32[6,4,1,1]{4,1,1,1}\n"
            "%4 = input f32[1,6,1,1]{0,1,0,0}\n"
            "%5 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 4, "
            "pad_hi = [1, 0], pad_lo = [1, 0], stride = [2, 2]} : "
            "f32[2,4,5,3]{60,1,12,4}\n"
            "%6 = pointwise(%5, %2) {fn = \"add\"} : f32[2,4,5,3]{60,1,12,4}\n"
            "%7 = pointwise(%6) {fn = \"relu6\"} : f32[2,4,5,3]{60,1,12,4}\n"
            "%8 = conv(%7, %3) {acc = f32, dilation = [1, 1], groups = 1, "
            "pad_hi = [0, 0], pad_lo = [0, 0], stride = [1, 1]} : "
            "f32[2,6,5,3]{90,1,18,6}\n"
            "%9 = pointwise(%8, %4) {fn = \"add\"} : f32[2,6,5,3]{90,1,18,6}\n"
            "%10 = pointwise(%9) {fn = \"clamp\", max = 1.0, min = 0.0} : "
            "f32[2,6,5,3]{90,1,18,6}\n"
            "return %10\n");
  EXPECT_EQ(built.name,
            "sepconv_2d_float32_forward_b_2x4x9x8_nchw_4x1x3x3_fchw_nhwf_2x2s_"
            "1x0p_1x1d_4g_relu6_6_b_clamp");
  using Sizes = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(built.outputSizes, (Sizes{{2, 5, 3, 6}}));
  EXPECT_EQ(partition(built.graph)->size(), 1u);
}

TEST(SepconvCommand, everyRank) {
  EXPECT_THAT(printGraph(buildOf("sepconvbfp16 -_ 1 -n 1 -c 3 -H 9 -k 5 "
                                 "--wei-const")
                             .graph),
              HasSubstr("%2 = constant bf16[5,3,1]{3,1,1}\n"));
  EXPECT_THAT(
      buildOf("sepconvfp16 -_ 3 -n 1 -c 3 -! 4 -H 5 -W 6 -k 5").outputSizes[0],
      ::testing::ElementsAre(1, 5, 2, 3, 4));
}

TEST(SepconvCommand, errors) {
  EXPECT_THAT(errorOf("sepconv -F 2"), HasSubstr("conv -F 2, 4"));
  EXPECT_THAT(errorOf("sepconv -g 3"), HasSubstr("one group a channel"));
  EXPECT_THAT(errorOf("sepconv -m trans"), HasSubstr("is transposed"));
  EXPECT_THAT(errorOf("sepconv -b 1"), HasSubstr("--bias1 and --bias2"));
  EXPECT_THAT(errorOf("sepconv --act1 rely"),
              HasSubstr("--act1: there is no pointwise function `rely`"));
  EXPECT_THAT(errorOf("sepconv --act2 clamp:1"),
              HasSubstr("--act2: clamp takes 2 parameters"));
  EXPECT_THAT(errorOf("sepconv -k 0"), HasSubstr("--out_channels (-k) 0"));
  EXPECT_THAT(errorOf("sepconv -y 40"), HasSubstr("raise -p or -H"));
}
