//===- AtenCommandTest.cpp - Recorded calls of torch's --------------------===//

#include "boo/driver/commands/aten/Literal.h"
#include "boo/driver/commands/testing/Build.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

static std::string graphOf(const std::string &command) {
  return printGraph(buildOf(command).graph);
}

TEST(Literal, values) {
  auto list = parseLiteral(" [1, -2.5, None, True, 'a b', (3,), []] ");
  ASSERT_TRUE(list.isOk()) << list.status().toString();
  ASSERT_EQ(list->items.size(), 7u);
  EXPECT_EQ(list->items[0].integer, 1);
  EXPECT_EQ(list->items[1].real, -2.5);
  EXPECT_EQ(list->items[2].kind, Literal::None);
  EXPECT_TRUE(list->items[3].truth);
  EXPECT_EQ(list->items[4].text, "a b");
  EXPECT_EQ(list->items[5].items.at(0).integer, 3);
  EXPECT_EQ(list->items[6].kind, Literal::List);
  EXPECT_TRUE(std::isnan(parseLiteral("nan")->real));
}

TEST(Literal, errors) {
  for (auto [text, why] :
       {std::pair("", "column 1: a value is missing"),
        std::pair("[1 2]", "column 4: a comma or ] is missing"),
        std::pair("[1", "column 3: a comma or ] is missing"),
        std::pair("[1] 2", "there is more behind the value"),
        std::pair("'a", "a string has no end"),
        std::pair("'a\\n'", "backslashes"),
        std::pair("none", "'none' is no literal"),
        std::pair("[[[[[[[[[1]]]]]]]]]", "lists nest too deeply")}) {
    auto literal = parseLiteral(text);
    ASSERT_FALSE(literal.isOk()) << text;
    EXPECT_THAT(literal.status().message(), HasSubstr(why));
  }
}

TEST(AtenCommand, matmulWithStrides) {
  CommandGraph built =
      buildOf(R"(aten::mm "[[64, 32], [32, 16]]" )"
              R"("['c10::BFloat16', 'c10::BFloat16']" "[[1, 64], [16, 1]]" )"
              R"("['', '']")");
  EXPECT_EQ(built.name, "aten_mm_bfloat16_64x32s1x64_32x16");
  EXPECT_EQ(printGraph(built.graph),
            "boo.graph 1\n"
            "%0 = input bf16[64,32]{1,64}\n"
            "%1 = input bf16[32,16]{16,1}\n"
            "%2 = matmul(%0, %1) {acc = f32} : bf16[64,16]{16,1}\n"
            "return %2\n");
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{64, 16}));
}

TEST(AtenCommand, addmmScales) {
  std::string line = R"(aten::addmm "[[16], [64, 32], [32, 16], [], []]" )"
                     R"("['float', 'float', 'float', 'Scalar', 'Scalar']" )"
                     R"("[[1], [32, 1], [16, 1], [], []]" )";
  std::string text = graphOf(line + R"("['', '', '', '2', '3']")");
  EXPECT_THAT(text, HasSubstr("fn = \"scale\", mul = 1.5}"));
  EXPECT_THAT(text, HasSubstr("pointwise(%4, %0) {fn = \"add\"}"));
  EXPECT_THAT(text, HasSubstr("fn = \"scale\", mul = 2.0}"));
  EXPECT_THAT(errorOf(line + R"("['', '', '', '1e-30', '3']")"),
              HasSubstr("argument 3 (beta) and alpha must be 0 or between"));
}

TEST(AtenCommand, linearReadsItsWeightTransposed) {
  EXPECT_THAT(graphOf(R"(aten::linear "[[2, 5, 8], [6, 8], []]" )"
                      R"("['float', 'float', '']" "[[40, 8, 1], [8, 1], []]" )"
                      R"("['', '', '']")"),
              HasSubstr("f32[8,6]{1,8}"));
}

TEST(AtenCommand, convolutionInChannelsLast) {
  std::string head = "aten::convolution \"[[1, 8, 9, 9], [8, 4, 3, 3], [4], "
                     "[], [], [], [], [], []]\" \"['float', 'float', 'float', "
                     "'', '', '', '', '', '']\" \"[[648, 1, 72, 8], [36, 9, 3, "
                     "1], [1], [], [], [], [], [], []]\" ";
  CommandGraph built = buildOf(
      head + "\"['', '', '', '[2]', '[1, 1]', '[1, 1]', 'True', '[1]', '1']\"");
  EXPECT_THAT(printGraph(built.graph),
              HasSubstr("conv_grad_input(%0, %1) {acc = f32, dilation = [1, "
                        "1], groups = 1, pad_hi = [1, 1], pad_lo = [1, 1], "
                        "size = [18, 18], stride = [2, 2]} : "
                        "f32[1,4,18,18]{1296,1,72,4}"));
  EXPECT_EQ(built.outputSizes[0], (std::vector<int64_t>{1, 18, 18, 4}));
  EXPECT_THAT(errorOf(head + "\"['', '', '', '[2]', '[1, 1]', '[1, 1]', "
                             "'True', '[2]', '1']\""),
              HasSubstr("argument 7 (output_padding) must be below"));
  EXPECT_THAT(errorOf(head + "\"['', '', '', '[2, 2, 2]', '', '', '', '', "
                             "'']\""),
              HasSubstr("argument 3 (stride) has 3 entries for 2"));
}

TEST(AtenCommand, outputPaddingBeyondTheStride) {
  auto line = [](const char *padding, const char *outputPadding) {
    return std::string("aten::convolution \"[[1, 2, 5], [2, 3, 3], [], [], [], "
                       "[], [], [], []]\" \"['float', 'float', '', 'ScalarList'"
                       ", 'ScalarList', 'ScalarList', 'Scalar', 'ScalarList', "
                       "'Scalar']\" \"[[10, 5, 1], [9, 3, 1], [], [], [], [], "
                       "[], [], []]\" \"['', '', '', '[2]', '[") +
           padding + "]', '[4]', 'True', '[" + outputPadding + "]', '1']\"";
  };
  // (5 - 1) * 2 - 2 * 3 + 4 * 2 + 3 + 1, of which the last two pixels are
  // beyond what the stride leaves open.
  EXPECT_THAT(graphOf(line("3", "3")),
              HasSubstr("pad_hi = [1], pad_lo = [3], size = [14], stride = "
                        "[2]} : f32[1,3,14]"));
  EXPECT_THAT(errorOf(line("1", "3")),
              HasSubstr("argument 7 (output_padding) is 3 beside a stride of 2 "
                        "and a padding of 1: what is not below the stride"));
  EXPECT_THAT(errorOf(line("3", "4")), HasSubstr("must be below the stride"));
}

TEST(AtenCommand, borders) {
  std::string head = "aten::constant_pad_nd \"[[2, 3, 5, 7], [], []]\" "
                     "\"['c10::Half', 'ScalarList', 'Scalar']\" "
                     "\"[[105, 1, 21, 3], [], []]\" ";
  EXPECT_THAT(graphOf(head + "\"['', '[1, 2, -1, 0]', '-inf']\""),
              HasSubstr("pad(%0) {hi = [0, 0, 0, 2], lo = [0, 0, -1, 1], value "
                        "= -inf} : f16[2,3,4,10]{120,1,30,3}"));
  EXPECT_THAT(errorOf(head + "\"['', '[1, 2, 1]', '0']\""),
              HasSubstr("argument 1 (pad) must have two entries for each"));
  EXPECT_THAT(errorOf(head + "\"['', '[-4, -3]', '0']\""),
              HasSubstr("pad by -4 and -3 leaves nothing of dimension 3"));
}

TEST(AtenCommand, gradientsOfConvolutions) {
  auto line = [](const char *transposed, const char *mask) {
    // From 9x9 to 5x5 with a stride of 2, or the other way round.
    std::string small = "[2, 8, 5, 5]", large = "[2, 4, 9, 9]";
    bool turned = transposed[0] == 'T';
    return "aten::convolution_backward \"[" + (turned ? large : small) + ", " +
           (turned ? small : large) +
           ", [8, 4, 3, 3], [], [], [], [], [], [], [], []]\" \"['float', "
           "'float', 'float', 'ScalarList', 'ScalarList', 'ScalarList', "
           "'ScalarList', 'Scalar', 'ScalarList', 'Scalar', '']\" \"[" +
           (turned ? "[324, 81, 9, 1], [200, 25, 5, 1]"
                   : "[200, 25, 5, 1], [324, 81, 9, 1]") +
           ", [36, 9, 3, 1], [], [], [], [], [], [], [], []]\" \"['', '', '', "
           "'[8]', '[2, 2]', '[1, 1]', '[1, 1]', '" +
           transposed + "', '[0, 0]', '1', '" + mask + "']\"";
  };
  CommandGraph all = buildOf(line("False", "[True, True, True]"));
  std::string text = printGraph(all.graph);
  EXPECT_THAT(text, HasSubstr("%3 = conv_grad_input(%0, %2) {acc = f32, "
                              "dilation = [1, 1], groups = 1, pad_hi = [1, 1], "
                              "pad_lo = [1, 1], size = [9, 9], stride = [2, "
                              "2]} : f32[2,4,9,9]"));
  EXPECT_THAT(text, HasSubstr("%4 = conv_grad_weight(%0, %1)"));
  EXPECT_THAT(text,
              HasSubstr("size = [3, 3], stride = [2, 2]} : f32[8,4,3,3]"));
  EXPECT_THAT(text, HasSubstr("%5 = reduce(%0) {acc = f32, dims = [0, 2, 3], "
                              "fn = \"sum\", keep = true} : f32[1,8,1,1]"));
  EXPECT_THAT(text, HasSubstr("return %3, %4, %5"));
  EXPECT_EQ(all.direction, "all_backward");

  CommandGraph turned = buildOf(line("True", "[True, True, False]"));
  text = printGraph(turned.graph);
  EXPECT_THAT(text, HasSubstr("%3 = conv(%0, %2)"));
  EXPECT_THAT(text, HasSubstr("%4 = conv_grad_weight(%1, %0)"));
  EXPECT_EQ(turned.direction, "input_weight_backward");

  CommandGraph weight = buildOf(line("False", "[False, True, False]"));
  EXPECT_EQ(weight.graph.arguments().size(), 2u);
  EXPECT_EQ(weight.direction, "weight_backward");
  EXPECT_THAT(errorOf(line("False", "[False, False, False]")),
              HasSubstr("argument 10 (output_mask) asks for no gradient"));
  EXPECT_THAT(errorOf(line("False", "[True]")),
              HasSubstr("must say of input, weight and bias"));
  std::string wrong = line("False", "[True, True, True]");
  wrong.replace(wrong.find("[2, 8, 5, 5]"), 12, "[2, 8, 5, 4]");
  EXPECT_THAT(errorOf(wrong), HasSubstr("must be of the convolution's result: "
                                        "float32 of [2,8,5,5]"));
}

TEST(AtenCommand, batchNormInTraining) {
  auto line = [](const std::string &name, const std::string &type,
                 const std::string &running) {
    bool none = running == "''";
    return "aten::" + name + " \"[[2, 8, 5, 5], [8], [8], " +
           (none ? "[], []" : "[8], [8]") + ", [], [], []]\" \"['" + type +
           "', 'float', 'float', " + running + ", " + running +
           ", 'Scalar', 'Scalar', 'Scalar']\" \"[[200, 1, 40, "
           "8], [1], [1], " +
           (none ? "[], []" : "[1], [1]") +
           ", [], [], []]\" \"['', '', '', '', '', 'True', '0.2', '0.001']\"";
  };
  EXPECT_THAT(
      graphOf(line("native_batch_norm", "float", "'float'")),
      AllOf(HasSubstr("%3 = inout f32[1,8,1,1]"),
            HasSubstr("%5, %6, %7, %8, %9 = batch_norm(%0, %1, %2, %3, %4) "
                      "{acc = f32, eps = 0.001, momentum = 0.2, stats = true} "
                      ": f32[2,8,5,5]{200,1,40,8}, "),
            HasSubstr("return %5, %6, %7, %8 into %3, %9 into %4\n")));
  // Running statistics of another type are rounded where they lie.
  EXPECT_THAT(
      graphOf(line("native_batch_norm", "c10::BFloat16", "'c10::BFloat16'")),
      AllOf(HasSubstr("%3 = inout bf16[1,8,1,1]"),
            HasSubstr("cast(%11) {to = bf16}"), HasSubstr(" into %3, ")));
  EXPECT_THAT(graphOf(line("batch_norm", "float", "'float'")),
              AllOf(HasSubstr("stats = false"),
                    HasSubstr("return %5, %6 into %3, %7 into %4\n")));
  EXPECT_THAT(graphOf(line("native_batch_norm", "float", "''")),
              AllOf(HasSubstr("momentum = 0.0, stats = true"),
                    HasSubstr("return %3, %4, %5\n")));
  std::string bare = line("native_batch_norm", "float", "''");
  bare.replace(bare.find("'float', 'float'"), 16, "'float', ''");
  bare.replace(bare.find("[2, 8, 5, 5], [8]"), 17, "[2, 8, 5, 5], []");
  bare.replace(bare.find("8], [1]"), 7, "8], []");
  EXPECT_THAT(errorOf(bare), HasSubstr("argument 1 (weight) must be a tensor"));
}

TEST(AtenCommand, rows) {
  EXPECT_THAT(graphOf(R"(aten::softmax "[[2, 5, 8], [], []]" )"
                      R"("['c10::Half', 'Scalar', '']" "[[40, 8, 1], [], []]" )"
                      R"("['', '-2', '7']")"),
              HasSubstr("softmax(%1) {acc = f64, axis = 1, log = false} : "
                        "f64[2,5,8]"));
  std::string norm = R"(aten::native_layer_norm "[[2, 8], [], [8], [8], []]" )"
                     R"("['float', 'ScalarList', 'float', 'float', 'Scalar']" )"
                     R"("[[8, 1], [], [1], [1], []]" )";
  EXPECT_THAT(graphOf(norm + R"("['', '[8]', '', '', '0.1']")"),
              HasSubstr("norm(%0, %1, %2) {acc = f32, dims = 1, eps = 0.1, "
                        "stats = true}"));
  EXPECT_THAT(errorOf(norm + R"("['', '[2]', '', '', '0.1']")"),
              HasSubstr("argument 1 (normalized_shape) must be the input's"));
}

TEST(AtenCommand, reductionsTakeAnyDimensions) {
  std::string head = R"(aten::sum "[[2, 5, 8], [], [], []]" )"
                     R"("['float', 'ScalarList', 'Scalar', '']" )"
                     R"("[[40, 8, 1], [], [], []]" )";
  EXPECT_THAT(graphOf(head + R"("['', '[0, -1]', 'False', '']")"),
              HasSubstr("input f32[5,2,8]{8,40,1}"));
  EXPECT_THAT(graphOf(head + R"("['', '[]', 'False', '']")"),
              HasSubstr("dims = 3"));
  EXPECT_THAT(errorOf(head + R"("['', '[0, 0]', 'False', '']")"),
              HasSubstr("names a dimension twice"));
  EXPECT_THAT(errorOf(head + R"("['', '[3]', 'False', '']")"),
              HasSubstr("argument 1 (dim) is 3: the input has 3 dimensions"));
  EXPECT_THAT(graphOf(R"(aten::sum "[[2, 5], []]" "['float', '']" )"
                      R"("[[5, 1], []]" "['', '7']")"),
              HasSubstr("cast(%0) {to = f64}"));
}

TEST(AtenCommand, indicesOfExtremes) {
  std::string head = R"(aten::argmin "[[4, 8, 16], [], []]" )"
                     R"("['float', 'Scalar', 'Scalar']" )"
                     R"("[[128, 16, 1], [], []]" )";
  EXPECT_THAT(graphOf(head + R"("['', '1', 'False']")"),
              HasSubstr("%0 = input f32[4,16,8]{128,1,16}\n%1 = argreduce(%0) "
                        "{dims = 1, fn = \"min\", keep = false, values = "
                        "false} : i64[4,16]{16,1}"));
  EXPECT_THAT(graphOf(head + R"("['', 'None', 'False']")"),
              HasSubstr("dims = 3"));
}

TEST(AtenCommand, attention) {
  std::string head =
      "aten::scaled_dot_product_attention \"[[2, 8, 5, 16], [2, 4, 7, 16], [2, "
      "4, 7, 16], [5, 7], [], [], [], []]\" \"['float', 'float', 'float', "
      "'float', 'Scalar', 'Scalar', 'Scalar', 'Scalar']\" \"[[640, 80, 16, 1], "
      "[448, 112, 16, 1], [448, 112, 16, 1], [7, 1], [], [], [], []]\" ";
  EXPECT_THAT(
      graphOf(head + "\"['', '', '', '', '0.0', 'True', 'None', 'True']\""),
      HasSubstr("attention(%0, %1, %2, %3) {acc = f32, causal = true, "
                "logsumexp = false, scale = 0.25}"));
  EXPECT_THAT(
      errorOf(head + "\"['', '', '', '', '0.0', 'True', 'None', 'False']\""),
      HasSubstr("argument 7 (enable_gqa) must be True"));
  EXPECT_THAT(
      errorOf(head + "\"['', '', '', '', '0.5', 'True', 'None', 'True']\""),
      HasSubstr("argument 4 (dropout_p) must be 0"));
}

TEST(AtenCommand, typesPromoteAsTensorsDo) {
  auto typeOf = [](const std::string &a, const std::string &b,
                   const std::string &dims, const std::string &strides) {
    return buildOf("aten::mul \"" + dims + "\" \"['" + a + "', '" + b +
                   "']\" \"" + strides + "\" \"['', '']\"")
        .graph.values()
        .back()
        .type.dtype;
  };
  std::string dims = "[[2, 3], [3]]", strides = "[[3, 1], [1]]";
  EXPECT_EQ(typeOf("c10::Half", "c10::BFloat16", dims, strides), DType::F32);
  EXPECT_EQ(typeOf("c10::Half", "double", dims, strides), DType::F64);
  EXPECT_EQ(typeOf("c10::Half", "double", "[[2, 3], []]", "[[3, 1], []]"),
            DType::F16);
}

TEST(AtenCommand, elementwiseKeepsTheLayout) {
  EXPECT_THAT(graphOf(R"(aten::relu "[[2, 3]]" "['float']" "[[1, 2]]" "['']")"),
              HasSubstr("{fn = \"relu\"} : f32[2,3]{1,2}"));
  EXPECT_THAT(graphOf(R"(aten::add "[[2, 3], [], []]" )"
                      R"("['float', 'Scalar', 'Scalar']" )"
                      R"("[[6, 2], [], []]" "['', '0.5', '3']")"),
              HasSubstr("{add = 1.5, fn = \"scale\", mul = 1.0} : "
                        "f32[2,3]{3,1}"));
  EXPECT_THAT(graphOf(R"(aten::gelu "[[4], []]" "['float', '']" "[[1], []]" )"
                      R"("['', 'tanh']")"),
              HasSubstr("gelu_tanh"));
}

TEST(AtenCommand, errors) {
  EXPECT_THAT(errorOf("aten::relu"), HasSubstr("takes four lists"));
  EXPECT_THAT(errorOf("aten::rellu []"),
              HasSubstr("did you mean 'aten::relu'"));
  EXPECT_THAT(errorOf("aten::relu [[2] ['float'] [[1]] ['']"),
              HasSubstr("input_dims: column 5"));
  EXPECT_THAT(errorOf(R"(aten::relu "[[2]]" "['float', '']" "[[1]]" "['']")"),
              HasSubstr("input_type has 2 entries and input_dims 1"));
  EXPECT_THAT(errorOf(R"(aten::relu "[[2]]" "['int']" "[[1]]" "['']")"),
              HasSubstr("argument 0 (self) is a tensor of 'int'"));
  EXPECT_THAT(errorOf(R"(aten::relu "[[2]]" "['float']" "[[1, 1]]" "['']")"),
              HasSubstr("has 1 dimensions and 2 strides"));
  EXPECT_THAT(errorOf(R"(aten::relu "[[2]]" "['float']" "[[-1]]" "['']")"),
              HasSubstr("strides below 0"));
  EXPECT_THAT(errorOf(R"(aten::relu "[[9223372036854775807]]" "['float']" )"
                      R"("[[1]]" "['']")"),
              HasSubstr("more bytes than 61 bits count"));
  EXPECT_THAT(errorOf(R"(aten::mm "[[2, 3], [3]]" "['float', 'float']" )"
                      R"("[[3, 1], [1]]" "['', '']")"),
              HasSubstr("argument 1 (mat2) has 1 dimensions and must have 2"));
}
