//===- ConvCommand.cpp - The Graph of a convolution command ---------------===//

#include "boo/driver/commands/ConvCommand.h"

#include <cstdio>

using namespace boo;

template <typename Values> static std::string joinTimes(const Values &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : "x") + std::to_string(value);
  return text;
}

static std::string joinTimes(const std::array<int64_t, 3> &values,
                             size_t rank) {
  return joinTimes(std::span(values).first(rank));
}

/// The layout in lower case, with `from` spelt f.
static std::string layoutName(const std::string &layout, char from) {
  std::string text;
  for (char c : layout)
    text += c == from ? 'f' : char(c - 'A' + 'a');
  return text;
}

std::string boo::convDirectionName(unsigned gradients) {
  if (gradients == 0)
    return "forward";
  if (gradients == (InputGrad | WeightGrad | BiasGrad))
    return "all_backward";
  std::string name;
  if (gradients & InputGrad)
    name += "input_";
  if (gradients & WeightGrad)
    name += "weight_";
  if (gradients & BiasGrad)
    name += "bias_";
  return name + "backward";
}

/// What iree-turbine's names do not tell.
static std::string nameSuffix(const ConvSpec &spec) {
  std::string name;
  if (spec.transposed)
    name += "_trans_" + joinTimes(spec.outPad, spec.rank) + "op";
  if (spec.padValue != 0) {
    char value[32];
    std::snprintf(value, sizeof value, "_pad%g", spec.padValue);
    name += value;
  }
  if (spec.castTo)
    name += "_cast_" + std::string(torchDType(*spec.castTo));
  if (spec.residual)
    name += "_residual";
  for (const TailFn &tail : spec.tail)
    name += "_" + std::string(pointwiseFnName(tail.fn));
  return name;
}

std::string boo::convFuncName(const ConvSpec &spec) {
  size_t rank = spec.rank;
  std::string pads;
  for (size_t i = 0; i != rank; ++i) {
    pads += (i ? "x" : "") + std::to_string(spec.padLo[i]);
    if (spec.padHi[i] != spec.padLo[i])
      pads += "_" + std::to_string(spec.padHi[i]);
  }
  std::string name = "conv_" + std::to_string(rank) + "d_" +
                     std::string(torchDType(spec.dtype)) + "_" +
                     convDirectionName(spec.gradients);
  if (spec.bias)
    name += "_b";
  name += "_" + joinTimes(sizesInLayout(spec.inSizes(), spec.inLayout)) + "_" +
          layoutName(spec.inLayout, 0) + "_" +
          joinTimes(sizesInLayout(spec.filterSizes(), spec.filLayout)) + "_" +
          layoutName(spec.filLayout, 'N') + "_" +
          layoutName(spec.outLayout, 'C') + "_" + joinTimes(spec.stride, rank) +
          "s_" + pads + "p_" + joinTimes(spec.dilation, rank) + "d_" +
          std::to_string(spec.groups) + "g";
  return name + nameSuffix(spec);
}

static void buildForward(const ConvSpec &spec, CommandGraph *result) {
  Graph &graph = result->graph;
  ConvGraph conv(spec, graph);
  ValueId input = graph.addArgument(conv.input());
  ValueId filter = graph.addArgument(conv.filter(), conv.weights());
  ValueId last = conv.convolve(input, filter);
  if (spec.bias)
    last = conv.addBias(last);
  if (spec.residual) {
    ValueId residual = graph.addArgument(conv.output());
    last =
        graph.addPointwise(PointwiseFn::Add, {last, residual}, conv.output());
  }
  graph.addOutput(
      addTail(graph, last, spec.tail, conv.channel(), conv.weights()));
  result->outputSizes.push_back(sizesInLayout(spec.outSizes(), spec.outLayout));
}

/// One launch, however many gradients. The output's comes first, then input and
/// filter as far as they are read, as iree-turbine launches it; the gradients
/// of input, filter and bias in this order come back.
static void buildGradients(const ConvSpec &spec, CommandGraph *result) {
  Graph &graph = result->graph;
  ConvGraph conv(spec, graph);
  ValueId outGrad = graph.addArgument(conv.output());
  ValueId input = kNoValue, filter = kNoValue;
  if (spec.wants(WeightGrad))
    input = graph.addArgument(conv.input());
  if (spec.wants(InputGrad))
    filter = graph.addArgument(conv.filter(), conv.weights());
  if (spec.wants(InputGrad)) {
    graph.addOutput(conv.inputGradient(outGrad, filter));
    result->outputSizes.push_back(sizesInLayout(spec.inSizes(), spec.inLayout));
  }
  if (spec.wants(WeightGrad)) {
    graph.addOutput(conv.weightGradient(outGrad, input));
    result->outputSizes.push_back(
        sizesInLayout(spec.filterSizes(), spec.filLayout));
  }
  if (spec.wants(BiasGrad)) {
    graph.addOutput(conv.biasGradient(outGrad));
    result->outputSizes.push_back({spec.outChannels});
  }
}

StatusOr<CommandGraph> boo::buildConv(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(ConvSpec spec, convSpec(line, &result.notes));
  result.name = convFuncName(spec);
  result.direction = convDirectionName(spec.gradients);
  if (spec.gradients)
    buildGradients(spec, &result);
  else
    buildForward(spec, &result);
  BOO_RETURN_IF_ERROR(result.graph.verify());
  return result;
}
