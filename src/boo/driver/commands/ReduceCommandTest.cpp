//===- ReduceCommandTest.cpp - Reduce and reduceextreme commands ----------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

TEST(ReduceCommand, graphAndName) {
  CommandGraph built = buildOf("reducebfp16 -D 2,3,5,7 -R 2,0 -O 5");
  EXPECT_EQ(built.name, "reduce_mean_bfloat16_forward_2x3x5x7_over_0_2");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[3,7,2,5]{35,1,105,7}\n"
            "%1 = reduce(%0) {acc = f32, dims = 2, fn = \"mean\", keep = "
            "false} : bf16[3,7]{7,1}\n"
            "return %1\n");
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{1, 3, 1, 7}));
  EXPECT_THAT(printGraph(buildOf("reduce -D 8x3 -R 0 -O norm2").graph),
              HasSubstr("fn = \"norm2\""));
  EXPECT_EQ(buildOf("reduce -D 8,3 -R 0 -A 2 -B 0.5").name,
            "reduce_sum_float32_forward_8x3_over_0_alpha2_beta0.5");
}

TEST(ReduceCommand, indices) {
  CommandGraph built = buildOf("reduce -D 2,3 -R 1 -O 3 -I 1");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%1, %2 = argreduce(%0) {dims = 1, fn = \"max\", keep "
                        "= false, values = true} : i64[2]{1}, f32[2]{1}\n"
                        "return %2, %1\n"));
  EXPECT_THAT(errorOf("reduce -I 1"), HasSubstr("only -O min and -O max"));
  EXPECT_THAT(errorOf("reduce -O 2 -I 1 -A 2"), HasSubstr("leave out --alpha"));
}

TEST(ReduceCommand, errors) {
  EXPECT_THAT(errorOf("reduce -D 8,"), HasSubstr("each at least 1"));
  EXPECT_THAT(errorOf("reduce -D 8,16 -R 2"),
              HasSubstr("the input has 2, numbered from 0"));
  EXPECT_THAT(errorOf("reduce -R 1,1"), HasSubstr("names a dimension twice"));
  EXPECT_THAT(errorOf("reduce -R 0,-1"), HasSubstr("numbered from 0"));
  EXPECT_THAT(errorOf("reduce -O 8"), HasSubstr("--ReduceOp (-O) '8'"));
  EXPECT_THAT(errorOf("reduce -F 2"), HasSubstr("1 is forward"));
  EXPECT_THAT(errorOf("reduce extra"), HasSubstr("belongs to no flag"));
  EXPECT_THAT(errorOf("reduce -A 1e30"), HasSubstr("between 1e-20 and 1e20"));
}

TEST(ReduceExtremeCommand, graphAndName) {
  CommandGraph built = buildOf("reduceextremefp16 -X 2x3x5 -R 1");
  EXPECT_EQ(built.name, "argmin_float16_forward_2x3x5_over_1");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input f16[2,5,3]{15,1,5}\n"
            "%1 = argreduce(%0) {dims = 1, fn = \"min\", keep = false, values "
            "= false} : i64[2,5]{5,1}\n"
            "return %1\n");
  built = buildOf("reduceextreme -X 2x3 -O max");
  EXPECT_EQ(built.name, "max_float32_forward_2x3_over_0");
  EXPECT_EQ(built.graph.outputs().size(), 2u);
}

TEST(ReduceExtremeCommand, errors) {
  EXPECT_THAT(errorOf("reduceextreme -O 0"), HasSubstr("must be 1 argmin"));
  EXPECT_THAT(errorOf("reduceextreme -R 3"), HasSubstr("--DimToReduce (-R)"));
  EXPECT_THAT(errorOf("reduceextreme -X 0x3"), HasSubstr("at least 1"));
  EXPECT_THAT(errorOf("reduceextreme -F 0"), HasSubstr("1 is forward"));
}
