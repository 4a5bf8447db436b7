//===- AttentionCommandTest.cpp -------------------------------------------===//

#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::HasSubstr;

TEST(AttentionCommand, graphAndName) {
  CommandGraph built =
      buildOf("mhsabfp16 --batch 2 --heads 4 --kv_heads 2 --seq 3 --kv_seq 5 "
              "--head_dim 16 --causal --logsumexp");
  EXPECT_EQ(built.name,
            "mhsa_bfloat16_forward_2x4x3x16_bhsd_kv2x5x16_causal_lse");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[2,4,3,16]{192,48,16,1}\n"
            "%1 = input bf16[2,2,5,16]{160,80,16,1}\n"
            "%2 = input bf16[2,2,5,16]{160,80,16,1}\n"
            "%3, %4 = attention(%0, %1, %2) {acc = f32, causal = true, "
            "logsumexp = true, scale = 0.25} : bf16[2,4,3,16]{192,48,16,1}, "
            "f32[2,4,3]{12,3,1}\n"
            "return %3, %4\n");
  EXPECT_EQ(built.outputSizes,
            (std::vector<std::vector<int64_t>>{{2, 4, 3, 16}, {2, 4, 3}}));
}

TEST(AttentionCommand, layoutAndMask) {
  CommandGraph built = buildOf("mhsa --batch 2 --heads 4 --seq 3 --head_dim 8 "
                               "--layout bshd --mask tb --scale 1");
  EXPECT_EQ(built.name, "mhsa_float32_forward_2x4x3x8_bshd_maskbt_scale1");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%0 = input f32[2,4,3,8]{96,8,32,1}"));
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%3 = input f32[2,1,1,3]{3,3,3,1}"));
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{2, 3, 4, 8}));
}

TEST(AttentionCommand, gradients) {
  CommandGraph built = buildOf("mhsafp16 --batch 2 --heads 4 --kv_heads 1 "
                               "--seq 3 --head_dim 16 --mask st -F 2");
  EXPECT_EQ(built.name, "mhsa_float16_backward_2x4x3x16_bhsd_kv1x3x16_maskst");
  EXPECT_EQ(built.direction, "backward");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("%7, %8, %9 = attention_grad(%0, %1, %2, %3, %4, %5, "
                        "%6) {acc = f32, causal = false, scale = 0.25}"));
  EXPECT_THAT(printGraph(built.graph), HasSubstr("%4 = input f32[2,4,3]"));
  EXPECT_EQ(built.outputSizes.size(), 3u);
  EXPECT_EQ(built.outputSizes[2], (std::vector<int64_t>{2, 1, 3, 16}));
}

TEST(AttentionCommand, layer) {
  CommandGraph built = buildOf("mhsa --batch 2 --heads 4 --kv_heads 2 --seq 3 "
                               "--head_dim 8 --qkv --wei-const");
  EXPECT_EQ(built.name, "mhsa_float32_forward_2x4x3x8_bshd_kv2x3x8_qkv");
  std::string text = printGraph(built.graph);
  EXPECT_THAT(text, HasSubstr("constant f32[32,16]"));
  EXPECT_THAT(text, HasSubstr("heads = 4"));
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{2, 3, 32}));
  EXPECT_THAT(buildOf("mhsa --qkv --layout bhsd").notes[0],
              HasSubstr("no effect beside --qkv"));
}

TEST(AttentionCommand, errors) {
  EXPECT_THAT(errorOf("mhsa --heads 6 --kv_heads 4"),
              HasSubstr("--kv_heads 4: must divide --heads 6"));
  EXPECT_THAT(errorOf("mhsa --seq 0"), HasSubstr("--seq 0: must lie between"));
  EXPECT_THAT(errorOf("mhsa --mask sq"), HasSubstr("letters of bhst"));
  EXPECT_THAT(errorOf("mhsa --mask ss"), HasSubstr("each at most once"));
  EXPECT_THAT(errorOf("mhsa --layout sbhd"), HasSubstr("bhsd or bshd"));
  EXPECT_THAT(errorOf("mhsa --scale 1e31"), HasSubstr("--scale"));
  EXPECT_THAT(errorOf("mhsa -F 2 --qkv"), HasSubstr("belongs to -F 1"));
  EXPECT_THAT(errorOf("mhsa -F 2 --logsumexp"), HasSubstr("belongs to -F 1"));
  EXPECT_THAT(errorOf("mhsa -F 3"), HasSubstr("1 is forward"));
  EXPECT_THAT(errorOf("mhsa --qkv --logsumexp"), HasSubstr("one result"));
  EXPECT_THAT(errorOf("mhsa --qkv --kv_seq 9"), HasSubstr("of one sequence"));
  EXPECT_THAT(errorOf("mhsa --batch 2147483647 --seq 2147483647"),
              HasSubstr("more bytes"));
}
