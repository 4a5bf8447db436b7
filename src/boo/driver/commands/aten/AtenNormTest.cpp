//===- AtenNormTest.cpp - Batch norms of torch's, gradients of rows -------===//

#include "boo/driver/commands/testing/AtenLine.h"
#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

static std::string graphOf(const std::string &command) {
  return printGraph(buildOf(command).graph);
}

TEST(AtenNorm, inferenceSharesWhatAChannelHas) {
  AtenArg x = channelsLastArg({2, 8, 5, 5}), c{{8}};
  EXPECT_EQ(
      graphOf(atenLine("_native_batch_norm_legit_no_training",
                       {x, c, c, c, c, "0.1", "0.5"})),
      "boo.graph 1\n"
      "%0 = input f32[2,8,5,5]{200,1,40,8}\n"
      "%1 = input f32[1,8,1,1]{0,1,0,0}\n"
      "%2 = input f32[1,8,1,1]{0,1,0,0}\n"
      "%3 = input f32[1,8,1,1]{0,1,0,0}\n"
      "%4 = input f32[1,8,1,1]{0,1,0,0}\n"
      "%5 = pointwise(%4) {add = 0.5, fn = \"scale\", mul = 1.0} : "
      "f32[1,8,1,1]{0,1,0,0}\n"
      "%6 = pointwise(%5) {fn = \"sqrt\"} : f32[1,8,1,1]{0,1,0,0}\n"
      "%7 = pointwise(%1, %6) {fn = \"div\"} : f32[1,8,1,1]{0,1,0,0}\n"
      "%8 = pointwise(%0, %3) {fn = \"sub\"} : f32[2,8,5,5]{200,1,40,8}\n"
      "%9 = pointwise(%8, %7) {fn = \"mul\"} : f32[2,8,5,5]{200,1,40,8}\n"
      "%10 = pointwise(%9, %2) {fn = \"add\"} : f32[2,8,5,5]{200,1,40,8}\n"
      "return %10\n");
  EXPECT_THAT(graphOf(atenLine("native_batch_norm",
                               {x, "", "", c, c, "False", "0.1", "0.5"})),
              HasSubstr("{exponent = -1.0, fn = \"pow\"}"));
}

TEST(AtenNorm, functionalTrainingWritesNoArgument) {
  AtenArg x{{2, 8, 5, 5}}, c{{8}};
  auto line = [&](const char *training) {
    return atenLine("_native_batch_norm_legit_functional",
                    {x, c, c, c, c, training, "0.2", "0.5"});
  };
  EXPECT_THAT(graphOf(line("True")),
              AllOf(HasSubstr("%3 = input f32[1,8,1,1]"),
                    HasSubstr("momentum = 0.2, stats = true}"),
                    HasSubstr("return %5, %6, %7, %8, %9\n")));
  EXPECT_THAT(errorOf(line("False")),
              HasSubstr("argument 5 (training) must be True"));
}

TEST(AtenNorm, gradientsOfBatchNorms) {
  AtenArg x = channelsLastArg({2, 8, 5, 5}, "c10::BFloat16"), c{{8}};
  auto line = [&](const AtenArg &weight, const char *training,
                  const char *mask) {
    return atenLine("native_batch_norm_backward",
                    {x, x, weight, c, c, c, c, training, "0.5", mask});
  };
  EXPECT_THAT(
      graphOf(line(c, "True", "[True, False, True]")),
      AllOf(HasSubstr("%5, %6, %7 = batch_norm_grad(%0, %1, %2, %3, %4) {acc "
                      "= f32} : bf16[2,8,5,5]{200,1,40,8}, f32[1,8,1,1]"),
            HasSubstr("return %5, %7\n")));
  AtenArg spread{{1, 8, 1, 1}}, wrong{{1, 8, 5, 1}};
  EXPECT_THAT(graphOf(line(spread, "True", "[True, False, True]")),
              HasSubstr("batch_norm_grad(%0, %1, %2, %3, %4)"));
  EXPECT_THAT(errorOf(line(wrong, "True", "[True, False, True]")),
              HasSubstr("argument 2 (weight) must have one value for each"));
  EXPECT_THAT(errorOf(line("", "True", "[True, False, False]")),
              HasSubstr("argument 2 (weight) must be a tensor"));
  EXPECT_THAT(errorOf(line(c, "True", "[False, False, False]")),
              HasSubstr("argument 9 (output_mask) asks for no gradient"));
  // With the running statistics they are a factor of the gradient.
  EXPECT_THAT(graphOf(line("", "False", "[True, False, False]")),
              AllOf(HasSubstr("fn = \"sqrt\""),
                    HasSubstr("{to = bf16} : bf16[2,8,5,5]{200,1,40,8}")));
  EXPECT_THAT(graphOf(line(c, "False", "[False, False, True]")),
              HasSubstr("dims = [0, 2, 3], fn = \"sum\", keep = true"));
}

TEST(AtenNorm, gradientsOfLayerNorms) {
  AtenArg x{{4, 6, 8}}, row{{8}}, stats{{4, 6, 1}};
  auto line = [&](const AtenArg &weight, const char *mask) {
    return atenLine("native_layer_norm_backward",
                    {x, x, "[8]", stats, stats, weight, row, mask});
  };
  EXPECT_THAT(graphOf(line(row, "[True, True, True]")),
              HasSubstr("norm_grad(%0, %1, %2, %3, %4) {acc = f32, dbias = "
                        "true, dims = 1, dweight = true, dx = true} : "
                        "f32[4,6,8]{48,8,1}, f32[8]{1}, f32[8]{1}"));
  EXPECT_THAT(graphOf(line(row, "[False, False, True]")),
              HasSubstr("norm_grad(%0) {"));
  EXPECT_THAT(errorOf(line("", "[True, True, False]")),
              HasSubstr("argument 5 (weight) must be a tensor"));
}

TEST(AtenNorm, statisticsAreOfTheInputsType) {
  EXPECT_THAT(
      errorOf(atenLine("native_layer_norm",
                       {{{4, 8}, "c10::BFloat16"}, "[8]", {{8}}, "", "0.5"})),
      HasSubstr("argument 2 (weight) must be of the input's type"));
  AtenArg x{{4, 8}, "c10::BFloat16"}, row{{8}, "c10::BFloat16"};
  EXPECT_THAT(
      graphOf(atenLine("native_layer_norm", {x, "[8]", row, row, "0.5"})),
      AllOf(HasSubstr(", f32[4,1]{1,1}, f32[4,1]{1,1}\n"),
            HasSubstr("%6 = cast(%4) {to = bf16} : bf16[4,1]")));
}

TEST(AtenNorm, gradientsOfSoftmaxes) {
  AtenArg x{{2, 5, 8}};
  EXPECT_THAT(
      graphOf(atenLine("_log_softmax_backward_data", {x, x, "-2", "6"})),
      HasSubstr("softmax_grad(%0, %1) {acc = f32, axis = 1, log = "
                "true} : f32[2,5,8]"));
  EXPECT_THAT(
      errorOf(atenLine("_softmax_backward_data", {x, {{2, 5, 7}}, "1", "6"})),
      HasSubstr("softmax_grad's output is f32[2,5,7]"));
}

TEST(AtenNorm, softmaxesAreRowMajor) {
  EXPECT_THAT(graphOf(atenLine("_softmax",
                               {channelsLastArg({2, 8, 3, 3}), "1", "False"})),
              HasSubstr("log = false} : f32[2,8,3,3]{72,9,3,1}"));
}

TEST(AtenNorm, keptDimensionsAreListed) {
  auto line = [](const char *dims, const char *keep) {
    return atenLine("mean", {{{2, 8, 3, 3}}, dims, keep, ""});
  };
  EXPECT_THAT(graphOf(line("[1, -1]", "True")),
              HasSubstr("reduce(%0) {acc = f32, dims = [1, 3], fn = \"mean\", "
                        "keep = true} : f32[2,1,3,1]"));
  EXPECT_THAT(graphOf(line("[1, -1]", "False")),
              AllOf(HasSubstr("input f32[2,3,8,3]"),
                    HasSubstr("keep = false} : f32[2,3]")));
  EXPECT_THAT(graphOf(atenLine("argmax", {{{4, 8}}, "1", "True"})),
              HasSubstr(": i64[4,1]"));
}

TEST(AtenNorm, flashAttention) {
  AtenArg q{{2, 4, 5, 16}, "float", {0, 2, 1, 3}}, k{{2, 4, 7, 16}};
  std::string name = "_scaled_dot_product_flash_attention_for_cpu";
  EXPECT_THAT(graphOf(atenLine(name, {q, k, k, "0.", "True", "", ""})),
              AllOf(HasSubstr("causal = true, logsumexp = true, scale = 0.25} "
                              ": f32[2,4,5,16]{320,16,64,1}, "
                              "f32[2,4,5]{20,1,4}"),
                    HasSubstr("return %3, %4\n")));
  EXPECT_THAT(errorOf(atenLine(name, {q, k, k, "0.5"})),
              HasSubstr("argument 3 (dropout_p) must be 0"));
  AtenArg sums{{2, 4, 5}}, mask{{5, 7}};
  EXPECT_THAT(graphOf(atenLine(name + "_backward",
                               {q, q, k, k, q, sums, "0.", "False", mask, ""})),
              AllOf(HasSubstr("%4 = input f32[5,7]"),
                    HasSubstr("attention_grad(%1, %2, %3, %5, %6, %0, %4)"),
                    HasSubstr("f32[2,4,7,16]{448,16,64,1}\n"),
                    HasSubstr("return %7, %8, %9\n")));
}
