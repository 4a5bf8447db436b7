//===- SepconvCommand.cpp - A depthwise and then a 1x1 convolution --------===//

#include "boo/driver/commands/ConvCommand.h"
#include "boo/driver/commands/DerivedFlags.h"

using namespace boo;

namespace {

/// Indices into sepconvFlagTable(), which begins as conv's.
enum class SepconvFlag : size_t {
  LastOfConv = convFlagCount - 1,
#define BOO_SEPCONV_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/SepconvFlags.inc"
};

} // namespace

FlagTable boo::sepconvFlagTable() {
  static const std::vector<Flag> table = deriveFlags(convFlagTable(),
                                                     {
#define BOO_SEPCONV_INSTEAD(id, name, letter, value, kind, use, help, reason)  \
  {size_t(ConvFlag::id),                                                       \
   {name, letter, value, FlagKind::kind, FlagUse::use, help, reason}},
#include "boo/driver/commands/SepconvFlags.inc"
                                                     },
                                                     {
#define BOO_SEPCONV_FLAG(id, name, letter, value, kind, use, help, reason)     \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/SepconvFlags.inc"
                                                     });
  return table;
}

/// The depthwise part: its channels, in and out, are groups.
static StatusOr<ConvSpec> depthwiseSpec(const CommandLine &line,
                                        std::vector<std::string> *notes) {
  CommandLine own = line;
  std::string channels = line.op.text(size_t(ConvFlag::InChannels));
  own.op.add(size_t(ConvFlag::OutChannels), channels);
  own.op.add(size_t(ConvFlag::Groups), channels);
  ConvSpec spec;
  BOO_RETURN_IF_ERROR(readConvShape(own, &spec, notes));
  spec.bias = line.op.on(size_t(SepconvFlag::Bias1));
  BOO_ASSIGN_OR_RETURN(
      spec.tail,
      parseTail(line.op.text(size_t(SepconvFlag::Act1)), "channel", "--act1"));
  return spec;
}

/// The 1x1 part behind it, which differs in channels and filter.
static StatusOr<ConvSpec> pointwiseSpec(const CommandLine &line,
                                        const ConvSpec &first) {
  CommandLine own = line;
  for (ConvFlag flag :
       {ConvFlag::FilD, ConvFlag::FilH, ConvFlag::FilW, ConvFlag::StrideD,
        ConvFlag::StrideH, ConvFlag::StrideW, ConvFlag::DilationD,
        ConvFlag::DilationH, ConvFlag::DilationW})
    own.op.add(size_t(flag), "1");
  for (ConvFlag flag : {ConvFlag::PadD, ConvFlag::PadH, ConvFlag::PadW})
    own.op.add(size_t(flag), "0");
  own.op.add(size_t(ConvFlag::PadMode), "default");
  own.op.add(size_t(ConvFlag::InLayout), first.outLayout);
  for (size_t i = 0; i != first.rank; ++i)
    own.op.add(size_t(convSizeFlag(first.rank, i)),
               std::to_string(first.out[i]));
  ConvSpec spec;
  std::vector<std::string> said; // by the first part
  BOO_RETURN_IF_ERROR(readConvShape(own, &spec, &said));
  spec.bias = line.op.on(size_t(SepconvFlag::Bias2));
  BOO_ASSIGN_OR_RETURN(
      spec.tail,
      parseTail(line.op.text(size_t(SepconvFlag::Act2)), "channel", "--act2"));
  return spec;
}

static ValueId addPart(Graph &graph, const ConvSpec &spec, ValueId input) {
  ConvGraph conv(spec, graph);
  ValueId filter = graph.addArgument(conv.filter(), conv.weights());
  ValueId last = conv.convolve(input, filter);
  if (spec.bias)
    last = conv.addBias(last);
  return addTail(graph, last, spec.tail, conv.channel(), conv.weights());
}

StatusOr<CommandGraph> boo::buildSepconv(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(ConvSpec first, depthwiseSpec(line, &result.notes));
  BOO_ASSIGN_OR_RETURN(ConvSpec second, pointwiseSpec(line, first));
  Graph &graph = result.graph;
  ValueId input = graph.addArgument(ConvGraph(first, graph).input());
  ValueId middle = addPart(graph, first, input);
  graph.addOutput(addPart(graph, second, middle));
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = "sep" + convFuncName(first) + "_" +
                std::to_string(second.outChannels) + (second.bias ? "_b" : "");
  for (const TailFn &tail : second.tail)
    result.name += "_" + std::string(pointwiseFnName(tail.fn));
  result.outputSizes.push_back(
      sizesInLayout(second.outSizes(), second.outLayout));
  return result;
}
