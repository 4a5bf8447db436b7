//===- ConvCommandTest.cpp ------------------------------------------------===//

#include "boo/driver/commands/ConvCommand.h"
#include "boo/driver/commands/CommandText.h"
#include "boo/driver/commands/testing/Build.h"
#include "boo/graph/Attributes.h"

#include <gmock/gmock.h>

using namespace boo;
using boo::testing::buildOf;
using boo::testing::errorOf;
using ::testing::HasSubstr;

static std::string nameOf(const std::string &command) {
  std::string name;
  auto graph = graphFromCommand(command, &name);
  EXPECT_TRUE(graph.isOk()) << command << ": " << graph.status().toString();
  return name;
}

static std::string textOf(const std::string &command) {
  auto graph = graphFromCommand(command, nullptr);
  EXPECT_TRUE(graph.isOk()) << command << ": " << graph.status().toString();
  return graph.isOk() ? printGraph(*graph) : "";
}

static Status statusOf(const std::string &command) {
  auto graph = graphFromCommand(command, nullptr);
  EXPECT_FALSE(graph.isOk()) << command;
  return graph.isOk() ? Status() : graph.status();
}

TEST(ConvCommand, namesAreTurbines) {
  EXPECT_EQ(nameOf("conv -n 10 -c 2 -H 14 -W 14 -k 3 -y 2 -x 2 -b 1"),
            "conv_2d_float32_forward_b_10x2x14x14_nchw_3x2x2x2_fchw_nfhw_1x1s_"
            "0x0p_1x1d_1g");
  EXPECT_EQ(nameOf("convbfp16 -n 16 -c 384 -H 24 -W 48 -k 384 -y 1 -x 1 -p 0 "
                   "-q 0 -u 1 -v 1 -l 1 -j 1 -m conv -g 1 -F 1 -t 1 --iter 100 "
                   "--in_layout NHWC --out_layout NHWC --fil_layout NHWC"),
            "conv_2d_bfloat16_forward_16x24x48x384_nhwc_384x1x1x384_fhwc_nhwf_"
            "1x1s_0x0p_1x1d_1g");
  EXPECT_EQ(nameOf("convfp16 -_ 1 -n 2 -c 6 -H 30 -k 4 -y 3 -p 1 -u 2 -l 2 -g "
                   "2"),
            "conv_1d_float16_forward_2x6x30_nch_4x3x3_fch_nfh_2s_1p_2d_2g");
  EXPECT_EQ(nameOf("convfp64 -n 1 -c 1 -! 4 -H 5 -W 6 -k 1 -I NDHWC -f NCDHW "
                   "-O NDHWC -# 2 -$ 1 -^ 1 --tail relu --residual"),
            "conv_3d_float64_forward_1x4x5x6x1_ndhwc_1x1x3x3x3_fcdhw_ndhwf_"
            "2x1x1s_1x0x0p_1x1x1d_1g_residual_relu");
}

TEST(ConvCommand, graphText) {
  EXPECT_EQ(
      textOf("conv -n 1 -c 64 -H 56 -W 56 -k 64 -p 1 -q 1 -I NHWC -f NHWC "
             "-O NHWC -b 1 --wei-const"),
      "boo.graph 1\n"
      "%0 = input f32[1,64,56,56]{200704,1,3584,64}\n"
      "%1 = constant f32[64,64,3,3]{576,1,192,64}\n"
      "%2 = constant f32[1,64,1,1]{0,1,0,0}\n"
      "%3 = conv(%0, %1) {acc = f32, dilation = [1, 1], groups = 1, "
      "pad_hi = [1, 1], pad_lo = [1, 1], stride = [1, 1]} : "
      "f32[1,64,56,56]{200704,1,3584,64}\n"
      "%4 = pointwise(%3, %2) {fn = \"add\"} : "
      "f32[1,64,56,56]{200704,1,3584,64}\n"
      "return %4\n");
}

TEST(ConvCommand, layoutsAreStrides) {
  auto graph = graphFromCommand(
      "conv -n 2 -c 3 -H 5 -W 7 -k 4 -y 1 -x 1 -I HWNC -f CHWN -O WCNH",
      nullptr);
  ASSERT_TRUE(graph.isOk()) << graph.status().toString();
  using Strides = std::vector<int64_t>;
  EXPECT_EQ(graph->value(0).type.strides, (Strides{3, 1, 42, 6}));
  EXPECT_EQ(graph->value(1).type.strides[1], 4);
  EXPECT_EQ(graph->value(graph->outputs()[0].value).type.strides,
            (Strides{5, 10, 1, 40}));
}

TEST(ConvCommand, samePaddingMayDiffer) {
  auto graph = graphFromCommand(
      "conv -n 1 -c 1 -H 6 -W 7 -k 1 -y 3 -x 4 -u 2 -v 1 -z same", nullptr);
  ASSERT_TRUE(graph.isOk()) << graph.status().toString();
  const Node &conv = graph->nodes()[0];
  using List = std::vector<int64_t>;
  EXPECT_EQ(attribute<List>(conv, "pad_lo"), (List{0, 1}));
  EXPECT_EQ(attribute<List>(conv, "pad_hi"), (List{1, 2}));
  EXPECT_EQ(graph->value(conv.results[0]).type.sizes[2], Dim(3));
  EXPECT_EQ(graph->value(conv.results[0]).type.sizes[3], Dim(7));
  EXPECT_THAT(nameOf("conv -n 1 -c 1 -H 6 -W 7 -k 1 -y 3 -x 4 -u 2 -z same"),
              HasSubstr("_2x1s_0_1x1_2p_"));
  EXPECT_EQ(nameOf("conv -n 1 -p 3 -z valid"), nameOf("conv -n 1"));
}

TEST(ConvCommand, tails) {
  std::string text = textOf("conv -n 1 -c 1 -H 3 -W 3 -k 2 --residual 1 --tail "
                            "relu,clamp:-1:6,mul:channel,leaky_relu:0.1,add");
  for (const char *part :
       {"{fn = \"add\"}", "{fn = \"relu\"}", "fn = \"clamp\", max = 6",
        "min = -1", "input f32[1,2,1,1]{0,1,0,0}", "slope = 0.1"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(statusOf("conv --tail rely").message(),
              HasSubstr("did you mean 'relu'?"));
  EXPECT_THAT(statusOf("conv --tail clamp:1").message(),
              HasSubstr("write clamp:min:max"));
  for (const char *tail : {"clamp:nan:0", "clamp:0:-nan", "leaky_relu:NaN"})
    EXPECT_THAT(statusOf(std::string("conv --tail ") + tail).message(),
                ::testing::AllOf(HasSubstr("--tail: '"),
                                 HasSubstr("is no number; write ")));
  EXPECT_THAT(textOf("conv -n 1 --tail clamp:-inf:6"), HasSubstr("max = 6"));
  EXPECT_THAT(statusOf("conv --tail relu:channel").message(),
              HasSubstr("is no number"));
}

TEST(ConvCommand, impossibleShapes) {
  struct Case {
    const char *command, *message;
  };
  for (const Case &c : {
           Case{"conv -H 0", "--in_h (-H) 0: must lie between 1"},
           {"conv -n -3", "--batchsize (-n) -3"},
           {"conv -p -1", "--pad_h (-p) -1: must lie between 0"},
           {"conv -H 2147483648", "must lie between"},
           {"conv -y 40", "raise -p or -H, or lower -y"},
           {"conv -c 3 -g 2", "-c 3 is not divisible by -g 2"},
           {"conv -c 4 -k 3 -g 2", "-k 3 is not divisible by -g 2"},
           {"conv -I NHWW", "must hold each letter of NCHW once"},
           {"conv -I NHWC -O NDHWC", "differ in the number"},
           {"conv -_ 3 -I NHWC", "differ in the number"},
           {"conv -_ 4", "1 to 3 spatial dimensions"},
           {"conv -I N", "of NCHW once; without C, H, W (1-D: NCH"},
           {"conv -I NHW", "--in_layout (-I) NHW: must hold each letter of "
                           "NCHW once; without C (1-D: NCH"},
           {"conv -O NHWC -f nhw", "--fil_layout (-f) nhw: must hold"},
           {"conv -_ 2 -I NHW", "of NCHW once; without C"},
           {"conv -I NHX", "of NCH once; without C"},
           {"conv -I NDHW", "of NCDHW once; without C"},
           {"conv -I NCHWX", "of NCHW once (1-D"},
           {"conv -z full", "takes default, same or valid"},
           {"conv -m deconv", "takes conv or trans"},
           {"conv -F 11", "1 is forward"},
           {"conv -F -1", "1 is forward"},
           {"conv -F 3", "asks for several launches"},
           {"conv -m trans -Y 1", "-Y 1: must be smaller than -u 1 or -l 1"},
           {"conv -m trans -H 1 -p 2", "the output has no elements: -p 2"},
           {"conv -m trans -c 3 -g 2", "-c 3 is not divisible by -g 2"},
           {"conv -U half", "takes fp16, bf16, fp32 or fp64"},
           {"conv extra", "'extra' belongs to no flag"},
           {"conv -n 2000000000 -H 2000000000 -W 2000000000", "more bytes"},
           {"cnv", "did you mean 'conv'?"},
           {"", "no command"},
       }) {
    Status status = statusOf(c.command);
    EXPECT_EQ(status.code(), StatusCode::InvalidArgument) << c.command;
    EXPECT_THAT(status.message(), HasSubstr(c.message));
  }
}

TEST(ConvCommand, gradients) {
  std::string flags = " -n 10 -c 2 -H 14 -W 14 -k 3 -y 2 -x 2 -u 2 -v 2 -I "
                      "NHWC";
  EXPECT_EQ(nameOf("conv" + flags + " -F 2"),
            "conv_2d_float32_input_backward_10x14x14x2_nhwc_3x2x2x2_fchw_nfhw_"
            "2x2s_0x0p_1x1d_1g");
  EXPECT_EQ(nameOf("convfp16" + flags + " -F4"),
            "conv_2d_float16_weight_backward_10x14x14x2_nhwc_3x2x2x2_fchw_nfhw_"
            "2x2s_0x0p_1x1d_1g");
  auto input = graphFromCommand("conv" + flags + " -F 2 --wei-const", nullptr);
  ASSERT_TRUE(input.isOk()) << input.status().toString();
  EXPECT_THAT(printGraph(*input),
              HasSubstr("%0 = input f32[10,3,7,7]{147,49,7,1}\n"
                        "%1 = constant f32[3,2,2,2]{8,4,2,1}\n"
                        "%2 = conv_grad_input(%0, %1) {acc = f32, dilation = "
                        "[1, 1], groups = 1, pad_hi = [0, 0], pad_lo = [0, 0], "
                        "size = [14, 14], stride = [2, 2]} : "
                        "f32[10,2,14,14]{392,1,28,2}\n"));
  std::vector<std::string> tokens = {"conv", "-F", "4"};
  auto line = parseCommand(tokens);
  ASSERT_TRUE(line.isOk());
  EXPECT_EQ(buildCommand(*line)->direction, "weight_backward");
  auto weight = graphFromCommand("conv" + flags + " -F 4", nullptr);
  ASSERT_TRUE(weight.isOk()) << weight.status().toString();
  EXPECT_THAT(printGraph(*weight),
              HasSubstr("%1 = input f32[10,2,14,14]{392,1,28,2}\n"
                        "%2 = conv_grad_weight(%0, %1) "));
  EXPECT_THAT(statusOf("conv -F 2 --tail relu").message(),
              HasSubstr("--tail: only the forward direction"));
  EXPECT_THAT(statusOf("conv -F 4 --residual").message(),
              HasSubstr("--residual: only the forward direction"));
}

TEST(ConvCommand, severalGradientsInOneLaunch) {
  std::string flags = " -n 10 -c 2 -H 14 -W 14 -k 3 -y 2 -x 2";
  CommandGraph all = buildOf("conv" + flags + " -F 10 -O NHWC");
  EXPECT_EQ(all.direction, "all_backward");
  EXPECT_THAT(all.name, HasSubstr("conv_2d_float32_all_backward_10x2x14x14"));
  EXPECT_THAT(printGraph(all.graph),
              HasSubstr("%0 = input f32[10,3,13,13]{507,1,39,3}\n"
                        "%1 = input f32[10,2,14,14]{392,196,14,1}\n"
                        "%2 = input f32[3,2,2,2]{8,4,2,1}\n"
                        "%3 = conv_grad_input(%0, %2)"));
  EXPECT_THAT(printGraph(all.graph),
              HasSubstr("%5 = reduce(%0) {acc = f32, dims = [0, 2, 3], fn = "
                        "\"sum\", keep = true} : f32[1,3,1,1]{0,1,0,0}\n"
                        "return %3, %4, %5\n"));
  using Sizes = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(all.outputSizes, (Sizes{{10, 2, 14, 14}, {3, 2, 2, 2}, {3}}));
  struct Case {
    const char *forw, *direction;
    size_t arguments, outputs;
  };
  for (const Case &c : {Case{"6", "input_weight_backward", 3, 2},
                        {"7", "bias_backward", 1, 1},
                        {"8", "input_bias_backward", 2, 2},
                        {"9", "weight_bias_backward", 2, 2}}) {
    CommandGraph some = buildOf("conv" + flags + " -F " + c.forw);
    EXPECT_EQ(some.direction, c.direction);
    EXPECT_EQ(some.graph.arguments().size(), c.arguments);
    EXPECT_EQ(some.graph.outputs().size(), c.outputs);
  }
}

TEST(ConvCommand, directionsOneAfterTheOther) {
  auto launches = [](const std::string &text) {
    auto line = parseCommand(*splitCommand(text));
    EXPECT_TRUE(line.isOk()) << text;
    auto launches = separateLaunches(*line);
    EXPECT_TRUE(launches.isOk()) << text;
    std::vector<std::string> echoes;
    for (const CommandLine &launch : *launches) {
      echoes.push_back(launch.echo);
      std::string plain = launch.echo;
      EXPECT_EQ(launch.command, plain.erase(plain.find(" --iter 7"), 9));
      EXPECT_TRUE(buildCommand(launch).isOk());
    }
    return echoes;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(launches("conv -n 2 -F=0 -V 1 --iter 7"),
              ElementsAre("conv -n 2 --iter 7 -F 1", "conv -n 2 --iter 7 -F 2",
                          "conv -n 2 --iter 7 -F 4"));
  EXPECT_THAT(launches("conv --forw 3 --iter 7"),
              ElementsAre("conv --iter 7 -F 1", "conv --iter 7 -F 2"));
  EXPECT_THAT(
      launches("conv -F5 -n 3 --iter 7"),
      ElementsAre("conv -n 3 --iter 7 -F 1", "conv -n 3 --iter 7 -F 4"));
  // MIOpenDriver adds the bias' gradient where there is a bias.
  EXPECT_EQ(launches("conv -F 0 -b 1 --iter 7").back(),
            "conv -b 1 --iter 7 -F 7");
  for (const char *one :
       {"conv --iter 7", "conv -F 2 --iter 7", "gemm --iter 7"})
    EXPECT_THAT(launches(one), ElementsAre(one));
}

TEST(ConvCommand, paddingOfAnotherValue) {
  std::string flags = "conv -n 2 -c 3 -H 5 -W 6 -k 4 -p 1 -q 2 -I NHWC -r 0.5";
  CommandGraph forward = buildOf(flags);
  EXPECT_THAT(forward.name, HasSubstr("1g_pad0.5"));
  EXPECT_THAT(
      printGraph(forward.graph),
      HasSubstr("%2 = pad(%0) {hi = [0, 0, 1, 2], lo = [0, 0, 1, 2], value = "
                "0.5} : f32[2,3,7,10]{210,1,30,3}\n"
                "%3 = conv(%2, %1) {acc = f32, dilation = [1, 1], groups = 1, "
                "pad_hi = [0, 0], pad_lo = [0, 0], stride = [1, 1]} : "
                "f32[2,4,5,8]"));
  EXPECT_THAT(printGraph(buildOf(flags + " -F 4").graph),
              HasSubstr("%3 = conv_grad_weight(%0, %2) {acc = f32, dilation = "
                        "[1, 1], groups = 1, pad_hi = [0, 0], pad_lo = [0, 0], "
                        "size = [3, 3]"));
  // All of one launch, and what does not depend on the value.
  CommandGraph both = buildOf(flags + " -F 6");
  EXPECT_THAT(printGraph(both.graph),
              HasSubstr("pad_hi = [1, 2], pad_lo = [1, 2], size = [5, 6]"));
  EXPECT_TRUE(both.notes.empty());
  CommandGraph input = buildOf(flags + " -F 2");
  EXPECT_EQ(printGraph(input.graph),
            printGraph(buildOf("conv -n 2 -c 3 -H 5 -W 6 -k 4 -p 1 -q 2 -I "
                               "NHWC -F 2")
                           .graph));
  ASSERT_EQ(input.notes.size(), 1u);
  EXPECT_THAT(input.notes[0],
              HasSubstr("--pad_val (-r) changes nothing: these gradients"));
  CommandGraph none = buildOf("conv -r 1");
  EXPECT_EQ(none.graph.nodes().size(), 1u);
  ASSERT_EQ(none.notes.size(), 1u);
  EXPECT_THAT(none.notes[0], HasSubstr("nothing is padded"));
  EXPECT_THAT(errorOf("conv -m trans -p 1 -r 1"),
              HasSubstr("-m trans pads nothing"));
  EXPECT_THAT(errorOf("convfp16 -p 1 -r 1e6"),
              HasSubstr("must be a number that float16 holds"));
  EXPECT_THAT(errorOf("conv -p 1 -r nan"), HasSubstr("--pad_val (-r)"));
}

TEST(ConvCommand, transposed) {
  // torch: conv_transpose2d(x, w, stride=2, padding=1, output_padding=(1, 0)).
  std::string flags = "conv -m trans -n 2 -c 4 -H 5 -W 6 -k 6 -g 2 -p 1 -q 1 "
                      "-u 2 -v 2 -Y 1 ";
  CommandGraph forward = buildOf(flags + "-b 1");
  EXPECT_THAT(forward.name,
              HasSubstr("_forward_b_2x4x5x6_nchw_4x3x3x3_fchw_nfhw_2x2s_1x1p_"
                        "1x1d_2g_trans_1x0op"));
  EXPECT_THAT(
      printGraph(forward.graph),
      HasSubstr("%1 = input f32[4,3,3,3]{27,9,3,1}\n"
                "%2 = input f32[1,6,1,1]{0,1,0,0}\n"
                "%3 = conv_grad_input(%0, %1) {acc = f32, dilation = [1, 1], "
                "groups = 2, pad_hi = [1, 1], pad_lo = [1, 1], size = [10, 11],"
                " stride = [2, 2]} : f32[2,6,10,11]{660,110,11,1}\n"));
  EXPECT_THAT(printGraph(buildOf(flags + "-F 2").graph),
              HasSubstr("= conv(%0, %1) "));
  // The input is the plain convolution's output, and so comes first there.
  EXPECT_THAT(printGraph(buildOf(flags + "-F 4").graph),
              HasSubstr("= conv_grad_weight(%1, %0) "));
  using Sizes = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(buildOf(flags + "-F 10").outputSizes,
            (Sizes{{2, 4, 5, 6}, {4, 3, 3, 3}, {6}}));
  // More output padding than the stride, as torch allows with a dilation.
  auto wide = buildOf("conv -m trans -n 1 -c 1 -H 5 -W 6 -k 1 -p 2 -l 3 -Y 2");
  EXPECT_EQ(wide.outputSizes, (Sizes{{1, 1, 9, 8}}));
  EXPECT_EQ(buildOf("conv -m trans -n 1 -c 1 -H 5 -W 6 -k 1 -z same -u 2 -v 3 "
                    "-x 2 -Y 1")
                .outputSizes,
            (Sizes{{1, 1, 10, 18}}));
  EXPECT_EQ(buildOf("conv -m trans -n 1 -c 1 -H 5 -W 6 -k 1 -z valid -p 1 -u 2")
                .outputSizes,
            (Sizes{{1, 1, 11, 8}}));
}

TEST(ConvCommand, casts) {
  std::string text = textOf("conv -n 1 -c 2 -H 3 -W 3 -k 2 -U bf16 -R bf16 "
                            "-b 1");
  for (const char *part :
       {"= cast(%0) {to = bf16} : bf16[1,2,3,3]", "{acc = f32, dilation",
        ": bf16[1,2,1,1]", "{to = f32} : f32[1,2,1,1]"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(nameOf("convfp64 -U fp16 -R fp16"), HasSubstr("_cast_float16"));
  EXPECT_THAT(textOf("convbfp16 -F 2 -T fp16 -R fp16"),
              HasSubstr("= cast(%4) {to = bf16} : "));
  // A type that holds all numbers of the command's rounds nothing.
  EXPECT_EQ(textOf("conv -U fp32 -R fp64"), textOf("conv"));
  EXPECT_THAT(buildOf("conv -U fp32").notes,
              ::testing::ElementsAre(HasSubstr("changes nothing: the type")));
  EXPECT_THAT(buildOf("conv -T bf16").notes,
              ::testing::ElementsAre(HasSubstr("is not read in this")));
}

TEST(ConvCommand, notServed) {
  for (const char *command :
       {"conv -Z 1", "conv --in_data x", "conv -o 1", "conv -U fp8",
        "conv -R bfp8", "conv -U bf16", "conv -T int8 -F 2",
        "conv -U bf16 -R fp16", "conv -F 2 -U bf16 -R bf16",
        "conv -m trans -Y 1 -l 2"})
    EXPECT_EQ(statusOf(command).code(), StatusCode::Unsupported) << command;
  // A refused flag at its default changes nothing.
  EXPECT_EQ(nameOf("conv -r 0 -o 0 -U -1 -Y 0 -a ''"), nameOf("conv"));
}

TEST(ConvCommand, notes) {
  std::vector<std::string> tokens = {"conv", "-_", "1", "-W", "4", "-w", "1"};
  auto line = parseCommand(tokens);
  ASSERT_TRUE(line.isOk());
  auto command = buildCommand(*line);
  ASSERT_TRUE(command.isOk());
  ASSERT_EQ(command->notes.size(), 2u);
  EXPECT_THAT(command->notes[0], HasSubstr("--wall (-w)"));
  EXPECT_THAT(command->notes[1], HasSubstr("--in_w (-W) is ignored"));
}

TEST(ConvCommand, paddingThatIsOverriddenIsNoted) {
  auto notesOf = [](const std::string &text) {
    std::vector<std::string> tokens = *splitCommand(text);
    return buildCommand(*parseCommand(tokens))->notes;
  };
  EXPECT_THAT(notesOf("conv -n 1 -p 2 -q 1 -z same"),
              ::testing::ElementsAre(
                  "--pad_h (-p) '2' is ignored: -z same chooses the padding"));
  EXPECT_EQ(notesOf("conv -n 1 -p 0 -q 1 -z valid").size(), 1u);
  EXPECT_EQ(notesOf("conv -n 1 -y 2 -p 0 -z same").size(), 1u);
  EXPECT_EQ(notesOf("conv -n 1 -p 2 -q 1").size(), 0u);
}

TEST(ConvCommand, echoAndOutside) {
  std::vector<std::string> tokens = {"--json", "conv", "-n", "1",      "-t",
                                     "1",      "-H5",  "-V", "--iter", "7"};
  auto line = parseCommand(tokens);
  ASSERT_TRUE(line.isOk());
  EXPECT_EQ(line->echo, "conv -n 1 -H5 --iter 7");
  EXPECT_EQ(line->command, "conv -n 1 -H5");
  EXPECT_EQ(line->driver.integer(DriverFlag::Iter), 7);

  std::vector<std::string> in = {"conv", "-n", "1", "--iter", "7", "-t", "1"};
  std::vector<std::string> outside = {"--iter", "9", "-n", "2", "-t", "0"};
  line = parseCommand(in, outside, true);
  ASSERT_TRUE(line.isOk());
  EXPECT_EQ(line->echo, "conv -n 1 --iter 7 -n 2");
  EXPECT_EQ(line->driver.integer(DriverFlag::Iter), 9);
  EXPECT_FALSE(line->driver.on(DriverFlag::Time));
  std::vector<std::string> session = {"conv", "--json"};
  EXPECT_THAT(parseCommand(session, {}, true).status().message(),
              HasSubstr("concerns all commands"));
}
