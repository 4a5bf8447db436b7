//===- AtenPoolTest.cpp - Poolings of torch's -----------------------------===//

#include "boo/driver/commands/testing/AtenLine.h"
#include "boo/driver/commands/testing/Build.h"

#include <gmock/gmock.h>

using namespace boo;
using namespace boo::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

static std::string graphOf(const std::string &command) {
  return printGraph(buildOf(command).graph);
}

TEST(AtenPool, maximaAndTheirIndicesAreChannelsLast) {
  EXPECT_EQ(graphOf(atenLine("max_pool2d_with_indices",
                             {channelsLastArg({2, 8, 9, 7}), "[3]", "[2, 1]",
                              "[1, 0]", "[1, 1]", "True"})),
            "boo.graph 1\n"
            "%0 = input f32[2,8,9,7]{504,1,56,8}\n"
            "%1, %2 = pool(%0) {acc = f32, ceil = true, dilation = [1, 1], fn "
            "= \"max\", indices = true, pad_hi = [1, 0], pad_lo = [1, 0], "
            "stride = [2, 1], window = [3, 3]} : f32[2,8,5,5]{200,1,40,8}, "
            "i64[2,8,5,5]{200,1,40,8}\n"
            "return %1, %2\n");
  EXPECT_THAT(graphOf(atenLine("max_pool2d", {{{2, 8, 9, 6}}, "[2, 3]"})),
              AllOf(HasSubstr("indices = false"),
                    HasSubstr("stride = [2, 3], window = [2, 3]} : "
                              "f32[2,8,4,2]{64,8,2,1}")));
}

TEST(AtenPool, gradientsReadNoInput) {
  std::vector<int64_t> in{2, 8, 9, 7}, out{2, 8, 4, 3};
  CommandGraph built =
      buildOf(atenLine("max_pool2d_with_indices_backward",
                       {out, channelsLastArg(in), "[3, 3]", "[2, 2]", "[0, 0]",
                        "[1, 1]", "False", channelsLastArg(out, "long int")}));
  EXPECT_EQ(built.direction, "input_backward");
  EXPECT_THAT(printGraph(built.graph),
              AllOf(HasSubstr("%1 = input i64[2,8,4,3]{96,1,24,8}\n"),
                    HasSubstr("pool_grad(%0, %1) {"),
                    HasSubstr("size = [9, 7]"),
                    HasSubstr(": f32[2,8,9,7]{504,1,56,8}")));
  EXPECT_THAT(graphOf(atenLine("avg_pool2d_backward",
                               {out, in, "[3, 3]", "[2, 2]", "[0, 0]", "False",
                                "False", ""})),
              AllOf(HasSubstr("pool_grad(%0) {acc = f32, ceil = false, "
                              "dilation = [1, 1], fn = \"avg\""),
                    Not(HasSubstr("%2"))));
  EXPECT_THAT(errorOf(atenLine("avg_pool2d_backward",
                               {in, in, "[3, 3]", "[2, 2]", "[0, 0]", "False",
                                "False", ""})),
              HasSubstr("pool_grad's output gradient is [2,8,9,7]"));
}

TEST(AtenPool, averages) {
  auto line = [](const char *padding, const char *inside, const char *divisor) {
    return atenLine(
        "avg_pool2d",
        {{{2, 8, 6, 8}}, "[6, 8]", "[]", padding, "False", inside, divisor});
  };
  EXPECT_THAT(graphOf(line("[1, 1]", "True", "")),
              HasSubstr("fn = \"avg_in\""));
  EXPECT_THAT(graphOf(line("[1, 1]", "False", "")), HasSubstr("fn = \"avg\""));
  EXPECT_THAT(graphOf(line("[0, 0]", "True", "")),
              HasSubstr("reduce(%0) {acc = f32, dims = [2, 3], fn = \"mean\", "
                        "keep = true} : f32[2,8,1,1]"));
  EXPECT_THAT(errorOf(line("[0, 0]", "True", "3")),
              HasSubstr("argument 6 (divisor_override) must be None"));
  EXPECT_THAT(errorOf(atenLine("avg_pool2d", {{{8, 6, 8}}, "[2, 2]"})),
              HasSubstr("argument 0 (self) has 3 dimensions and must have 4"));
}

TEST(AtenPool, adaptiveAveragesHaveEvenWindows) {
  auto line = [](const char *size) {
    return atenLine("_adaptive_avg_pool2d",
                    {channelsLastArg({2, 8, 6, 8}), size});
  };
  EXPECT_THAT(graphOf(line("[3, 2]")),
              AllOf(HasSubstr("stride = [2, 4], window = [2, 4]"),
                    HasSubstr(": f32[2,8,3,2]{48,1,16,8}")));
  EXPECT_THAT(graphOf(line("[1, 1]")), HasSubstr("fn = \"mean\""));
  EXPECT_THAT(errorOf(line("[4, 4]")),
              HasSubstr("argument 1 (output_size) asks for 4 averages of 6 "
                        "elements"));
  EXPECT_THAT(
      graphOf(atenLine("_adaptive_avg_pool2d_backward",
                       {{{2, 8, 3, 2}}, channelsLastArg({2, 8, 6, 8})})),
      AllOf(HasSubstr("pool_grad(%0)"), HasSubstr("window = [2, 4]"),
            HasSubstr(": f32[2,8,6,8]{384,1,64,8}")));
}
