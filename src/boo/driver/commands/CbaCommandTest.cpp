//===- CbaCommandTest.cpp -------------------------------------------------===//

#include "boo/driver/commands/Activation.h"
#include "boo/driver/commands/testing/Build.h"
#include "boo/graph/partition/Partition.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

static std::string textOf(const std::string &command) {
  return printGraph(buildOf(command).graph);
}

TEST(CbaCommand, everythingIsOneGroup) {
  for (const char *mode : {"0", "1", "2", "3", "4", "5", "6"})
    for (const char *norm : {"0", "1"}) {
      std::string command = std::string("CBAInfer -n 2 -c 4 -k 6 -F ") + mode +
                            " -m 2 -B 2 -M " + norm;
      auto groups = partition(buildOf(command).graph);
      ASSERT_TRUE(groups.isOk()) << command;
      EXPECT_EQ(groups->size(), 1u) << command;
    }
}

TEST(CbaCommand, graphText) {
  EXPECT_EQ(textOf("CBAInferbfp16 -F 0 -M 1 -n 2 -c 4 -H 5 -W 5 -k 6 -O NHWC"),
            "boo.graph 1\n"
            "%0 = input bf16[2,4,5,5]{100,25,5,1}\n"
            "%1 = input bf16[6,4,3,3]{36,9,3,1}\n"
            "%2 = input bf16[1,6,1,1]{0,1,0,0}\n"
            "%3 = input bf16[1,6,1,1]{0,1,0,0}\n"
            "%4 = input bf16[1,6,1,1]{0,1,0,0}\n"
            "%5 = input bf16[1,6,1,1]{0,1,0,0}\n"
            "%6 = input bf16[1,6,1,1]{0,1,0,0}\n"
            "%7 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, "
            "pad_hi = [0, 0], pad_lo = [0, 0], stride = [1, 1]} : "
            "bf16[2,6,3,3]{54,1,18,6}\n"
            "%8 = pointwise(%7, %2) {fn = \"add\"} : bf16[2,6,3,3]{54,1,18,6}\n"
            "%9 = pointwise(%8, %3) {fn = \"sub\"} : bf16[2,6,3,3]{54,1,18,6}\n"
            "%10 = pointwise(%9, %4) {fn = \"mul\"} : "
            "bf16[2,6,3,3]{54,1,18,6}\n"
            "%11 = pointwise(%10, %5) {fn = \"mul\"} : "
            "bf16[2,6,3,3]{54,1,18,6}\n"
            "%12 = pointwise(%11, %6) {fn = \"add\"} : "
            "bf16[2,6,3,3]{54,1,18,6}\n"
            "%13 = pointwise(%12) {fn = \"relu\"} : bf16[2,6,3,3]{54,1,18,6}\n"
            "return %13\n");
  // For each pixel, in the output's layout; -F 2 has no convolution.
  EXPECT_THAT(textOf("CBAInfer -F 2 -n 2 -c 4 -H 5 -W 6 -I NHWC -O NHWC"),
              HasSubstr("%0 = input f32[2,4,5,6]{120,1,24,4}\n"
                        "%1 = input f32[1,4,5,6]{120,1,24,4}\n"));
  EXPECT_THAT(textOf("CBAInfer -F 6 --wei-const"),
              ::testing::Not(HasSubstr("relu")));
}

TEST(CbaCommand, names) {
  EXPECT_EQ(buildOf("CBAInfer -F 1 -M 1 -n 2 -c 4 -H 5 -W 5 -k 6").name,
            "cna_channel_conv_2d_float32_forward_2x4x5x5_nchw_6x4x3x3_fchw_"
            "nfhw_1x1s_0x0p_1x1d_1g_relu");
  EXPECT_EQ(buildOf("CBAInfer -F 4 -m 0 -n 2").name.substr(0, 31),
            "cba_conv_2d_float32_forward_b_2");
}

TEST(CbaCommand, activations) {
  auto functions = [](int64_t mode, double alpha, double beta, double gamma) {
    auto tail = miopenActivation("-m", mode, alpha, beta, gamma);
    EXPECT_TRUE(tail.isOk()) << mode;
    std::string text;
    for (const TailFn &fn : *tail) {
      text += (text.empty() ? "" : ",") + std::string(pointwiseFnName(fn.fn));
      EXPECT_EQ(fn.parameters.size(), pointwiseFnParameters(fn.fn).size());
    }
    return text;
  };
  const char *expected[] = {
      "",      "sigmoid", "scale,tanh,scale", "relu", "softplus", "abs",
      "scale", "clamp",   "leaky_relu",       "elu",  "clamp"};
  for (int64_t mode = 0; mode != 11; ++mode)
    EXPECT_EQ(functions(mode, 1, 0, 1), expected[mode]);
  EXPECT_EQ(functions(6, 1, 2, 0.5), "scale,sqrt");
  EXPECT_THAT(textOf("CBAInfer -F 5 -m 6 -A 0.5 -B 2"),
              HasSubstr("{add = 0.5, fn = \"scale\", mul = 2.0}"));
}

TEST(CbaCommand, errorsAndNotes) {
  EXPECT_THAT(errorOf("CBAInfer -F 7"), HasSubstr("--fusion_mode (-F) 7: 0"));
  EXPECT_THAT(errorOf("CBAInfer -M 2"), HasSubstr("--bnMode (-M) 2"));
  EXPECT_THAT(errorOf("CBAInfer -m 11"), HasSubstr("--activMode (-m) 11"));
  EXPECT_THAT(errorOf("CBAInfer -m 6 -G 3"), HasSubstr("powers other than"));
  EXPECT_THAT(errorOf("CBAInfer -A inf"), HasSubstr("must be finite"));
  EXPECT_THAT(errorOf("CBAInfer -b 1"), HasSubstr("the fusion mode tells"));
  EXPECT_THAT(errorOf("CBAInfer --tail relu"), HasSubstr("conv has tails"));
  EXPECT_THAT(errorOf("CBAInfer -y 40"), HasSubstr("raise -p or -H"));
  EXPECT_THAT(buildOf("CBAInfer -F 2 -y 40 -H 3").notes,
              ElementsAre("--fil_h (-y) '40' is ignored: -F 2 has no "
                          "convolution"));
  EXPECT_THAT(buildOf("CBAInfer -F 6 -M 1 -m 3").notes,
              ElementsAre("--bnMode (-M) is ignored: -F 6 is cb",
                          "--activMode (-m) is ignored: -F 6 is cb"));
}
