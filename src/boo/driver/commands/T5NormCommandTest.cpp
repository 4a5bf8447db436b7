//===- T5NormCommandTest.cpp - Commands of norms by the mean square -------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

TEST(T5NormCommand, graphAndName) {
  CommandGraph built = buildOf("t5layernormbfp16 -X 2x3x5 -m 6");
  EXPECT_EQ(built.name, "rms_norm_1d_bfloat16_float32_forward_2x3x5_w");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%2, %3 = norm(%0, %1) {acc = f32, dims = 1, eps = "
                        "1e-05, rms = true, stats = true} : "
                        "bf16[2,3,5]{15,5,1}, f32[2,3,1]{3,1,1}"));
  built = buildOf("t5layernorm -X 2x3x5 -m 6 -F 2");
  EXPECT_EQ(built.direction, "input_weight_backward");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%4, %5 = norm_grad(%0, %1, %3, %2) {acc = f32, dbias "
                        "= false, dims = 1, dweight = true, dx = true, rms = "
                        "true}"));
  EXPECT_EQ(buildOf("t5layernorm -F 0").direction, "forward_input_backward");
  EXPECT_EQ(buildOf("t5layernorm -F 2 -e 1").notes.size(), 1u);
}

TEST(T5NormCommand, errors) {
  EXPECT_THAT(errorOf("t5layernorm -X 8x"), HasSubstr("sizes with x between"));
  EXPECT_THAT(errorOf("t5layernorm -m 2"), HasSubstr("0 or 5 is without"));
  EXPECT_THAT(errorOf("t5layernorm -F 3"), HasSubstr("2 the gradients"));
  EXPECT_THAT(errorOf("t5layernorm -e -1"), HasSubstr("--eps"));
}
