//===- GemmCommandTest.cpp ------------------------------------------------===//

#include "boo/driver/commands/GemmCommand.h"
#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

static std::string textOf(const std::string &command) {
  return printGraph(buildOf(command).graph);
}

TEST(GemmCommand, namesAreTurbines) {
  EXPECT_EQ(buildOf("gemmfp16 --a_w 32 --a_h 64 --b_w 128 --transA 1").name,
            "gemm_float16_forward_32x64x128_transA");
  EXPECT_EQ(buildOf("gemm").name, "gemm_float32_forward_256x256x256");
  EXPECT_EQ(buildOf("gemmbfp16 -k 2 -m 3 -n 4 -F 2 -v 1").name,
            "gemm_bfloat16_a_backward_2x3x4_transB");
  EXPECT_EQ(buildOf("gemmfp64 -k 2 -m 3 -n 4 -F 3 -b 5 -C 1 -A 0.5").name,
            "gemm_float64_b_backward_2x3x4_batch5_colMajor_alpha0.5");
  EXPECT_EQ(
      buildOf("gemm -k 2 -m 3 -n 4 -B 1 --bias --residual --tail relu").name,
      "gemm_float32_forward_2x3x4_beta1_bias_residual_relu");
  // MIOpenDriver's A has a_h rows.
  EXPECT_EQ(buildOf("gemm --miopen_shape -m 2 -k 3 -n 4").name,
            buildOf("gemm -k 2 -m 3 -n 4").name);
}

TEST(GemmCommand, forward) {
  EXPECT_EQ(textOf("gemm -k 2 -m 3 -n 4 -u 1 --bias --wei-const"),
            "boo.graph 1\n"
            "%0 = input f32[2,3]{1,2}\n"
            "%1 = constant f32[3,4]{4,1}\n"
            "%2 = constant f32[1,4]{0,1}\n"
            "%3 = matmul(%0, %1) {acc = f32} : f32[2,4]{4,1}\n"
            "%4 = pointwise(%3, %2) {fn = \"add\"} : f32[2,4]{4,1}\n"
            "return %4\n");
  std::string batched = textOf("gemmfp16 -b 7 -k 2 -m 3 -n 4 -C 1 -v 1");
  for (const char *part :
       {"f16[7,2,3]{6,1,2}", "f16[7,3,4]{12,4,1}", "f16[7,2,4]{8,1,2}"})
    EXPECT_THAT(batched, HasSubstr(part));
}

TEST(GemmCommand, gradients) {
  // dA = dC * B^T, dB = A^T * dC; the gradient of the result comes first.
  EXPECT_EQ(textOf("gemm -k 2 -m 3 -n 4 -F 2 -u 1"),
            "boo.graph 1\n"
            "%0 = input f32[2,4]{4,1}\n"
            "%1 = input f32[4,3]{1,4}\n"
            "%2 = matmul(%0, %1) {acc = f32} : f32[2,3]{1,2}\n"
            "return %2\n");
  EXPECT_EQ(textOf("gemm -k 2 -m 3 -n 4 -F 3"),
            "boo.graph 1\n"
            "%0 = input f32[2,4]{4,1}\n"
            "%1 = input f32[3,2]{1,3}\n"
            "%2 = matmul(%1, %0) {acc = f32} : f32[3,4]{4,1}\n"
            "return %2\n");
  using Sizes = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(buildOf("gemm -k 2 -m 3 -n 4").outputSizes, (Sizes{{2, 4}}));
  EXPECT_EQ(buildOf("gemm -k 2 -m 3 -n 4 -C 1").outputSizes, (Sizes{{4, 2}}));
  EXPECT_EQ(buildOf("gemm -k 2 -m 3 -n 4 -F 2 -u 1").outputSizes,
            (Sizes{{3, 2}}));
  EXPECT_EQ(buildOf("gemm -k 2 -m 3 -n 4 -F 3 -b 5 -v 1 -C 1").outputSizes,
            (Sizes{{5, 3, 4}}));
  EXPECT_EQ(buildOf("gemm").direction, "forward");
  EXPECT_EQ(buildOf("gemm -F 2").direction, "a_backward");
}

TEST(GemmCommand, factorsAreATail) {
  std::string text = textOf("gemm -k 2 -m 3 -n 4 -A 3 -B 2");
  // (3 / 2 * product + C) * 2
  for (const char *part :
       {"{add = 0.0, fn = \"scale\", mul = 1.5}", "%2 = input f32[2,4]{4,1}",
        "{add = 0.0, fn = \"scale\", mul = 2.0}"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(textOf("gemm --tail mul:column"),
              HasSubstr("input f32[1,256]{0,1}"));
}

TEST(GemmCommand, errors) {
  EXPECT_THAT(errorOf("gemm -k 0"),
              HasSubstr("--a_w (-k) 0: must lie between"));
  EXPECT_THAT(errorOf("gemm -b 0"), HasSubstr("--batch (-b) 0"));
  EXPECT_THAT(errorOf("gemm -F 0"), HasSubstr("1 is forward"));
  EXPECT_THAT(errorOf("gemm -F 4"), HasSubstr("1 is forward"));
  EXPECT_THAT(errorOf("gemm -F 2 --bias"), HasSubstr("belongs to -F 1"));
  EXPECT_THAT(errorOf("gemm -F 3 -B 1"),
              HasSubstr("--beta (-B) belongs to -F 1"));
  EXPECT_THAT(errorOf("gemm extra"), HasSubstr("'extra' belongs to no flag"));
  EXPECT_THAT(errorOf("gemm --tail mul:channel"), HasSubstr("is no number"));
  EXPECT_THAT(errorOf("gemm -b 2147483647 -k 2147483647 -m 2147483647"),
              HasSubstr("more bytes"));
  EXPECT_THAT(errorOf("gemn"), HasSubstr("did you mean 'gemm'?"));
}
