//===- BatchNormCommandTest.cpp - Batch norm commands ---------------------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BatchNormCommand, training) {
  CommandGraph built =
      buildOf("bnormbfp16 -n 2 -c 3 -H 5 -W 7 --save 1 --run 1 --layout NHWC");
  EXPECT_EQ(built.name,
            "batch_norm_bfloat16_forward_2x3x5x7_nhwc_spatial_save_run");
  EXPECT_EQ(built.direction, "forward");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%5, %6, %7, %8, %9 = batch_norm(%0, %1, %2, %3, %4) "
                        "{acc = f32, eps = 1e-05, momentum = 0.1, stats = "
                        "true} : bf16[2,3,5,7]{105,1,21,3}, f32[1,3,1,1]"));
  EXPECT_THAT(built.outputSizes[0], ElementsAre(2, 5, 7, 3));
  EXPECT_THAT(built.outputSizes[1], ElementsAre(1, 1, 1, 3));
  built = buildOf("bnorm -m 0 -D 4 -n 2 -c 3 -H 5 -W 7");
  EXPECT_EQ(built.name,
            "batch_norm_float32_forward_2x3x4x5x7_ncdhw_activation");
  EXPECT_THAT(printGraph(built.graph), HasSubstr("input f32[1,3,4,5,7]"));
}

TEST(BatchNormCommand, otherDirections) {
  CommandGraph built = buildOf("bnorm -n 2 -c 3 -H 5 -W 7 -b 1");
  EXPECT_EQ(built.direction, "backward");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%5, %6, %7 = batch_norm_grad(%0, %1, %3, %4, %2)"));
  built = buildOf("bnorm -n 2 -c 3 -H 5 -W 7 -F 1 -b 1");
  EXPECT_EQ(built.direction, "forward_backward");
  EXPECT_EQ(built.graph.outputs().size(), 4u);
  built = buildOf("bnormfp16 -n 2 -c 3 -H 5 -W 7 -F 2");
  EXPECT_EQ(built.direction, "inference");
  EXPECT_THAT(printGraph(built.graph), HasSubstr("cast"));
}

TEST(BatchNormCommand, notes) {
  EXPECT_EQ(buildOf("bnorm").notes.size(), 0u);
  EXPECT_EQ(buildOf("bnorm --momentum 0.5").notes.size(), 1u);
  EXPECT_EQ(buildOf("bnorm -b 1 -e 0.5 -s 0 -r 1").notes.size(), 3u);
  EXPECT_EQ(buildOf("bnorm -F 2 -r 0 -s 1").notes.size(), 2u);
}

TEST(BatchNormCommand, errors) {
  EXPECT_THAT(errorOf("bnorm -n 0"), HasSubstr("at least 1"));
  EXPECT_THAT(errorOf("bnorm -F 3"), HasSubstr("1 is training, 2 inference"));
  EXPECT_THAT(errorOf("bnorm -F 0"), HasSubstr("add -b 1"));
  EXPECT_THAT(errorOf("bnorm -F 2 -b 1"), HasSubstr("has no gradient"));
  EXPECT_THAT(errorOf("bnorm -m 2"), HasSubstr("must be 0 or 1"));
  EXPECT_THAT(errorOf("bnorm -L NDHWC"), HasSubstr("need a depth (-D)"));
  EXPECT_THAT(errorOf("bnorm -D 2 -L NHWC"), HasSubstr("NCDHW or NDHWC"));
  EXPECT_THAT(errorOf("bnorm -A 2"), HasSubstr("only 1 is computed"));
  EXPECT_THAT(errorOf("bnorm -e -1"), HasSubstr("--eps"));
  EXPECT_THAT(errorOf("bnorm --momentum 2"), HasSubstr("--momentum"));
  EXPECT_THAT(errorOf("bnorm -n 9999999999 -c 9999999999"),
              HasSubstr("more bytes"));
}
