//===- NormSpec.cpp - From a layer norm's description to a Graph ----------===//

#include "boo/driver/commands/NormSpec.h"

#include <cstdio>

using namespace boo;

static DType statsType(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

/// "forward", "input_backward", "full_backward", "forward_input_backward", ….
static std::string partsName(int64_t parts) {
  std::string name = parts & NormForward ? "forward" : "";
  auto append = [&](const char *word) {
    name += (name.empty() ? "" : "_") + std::string(word);
  };
  int64_t gradients = parts & ~NormForward;
  if (gradients == (NormInputGrad | NormWeightGrad | NormBiasGrad)) {
    append("full");
  } else {
    if (parts & NormInputGrad)
      append("input");
    if (parts & NormWeightGrad)
      append("weight");
    if (parts & NormBiasGrad)
      append("bias");
  }
  if (gradients)
    append("backward");
  return name;
}

/// In the manner of iree-turbine's names, whose second type is that of the
/// statistics: layer_norm_1d_bfloat16_float32_forward_8x128x768_w_b. What tells
/// signatures apart and is not in those follows: eps, nostats.
static std::string normFuncName(const NormSpec &spec) {
  std::string name = (spec.rms ? "rms_norm_" : "layer_norm_") +
                     std::to_string(spec.dims) + "d_" +
                     std::string(torchDType(spec.dtype)) + "_" +
                     std::string(torchDType(statsType(spec.dtype))) + "_" +
                     partsName(spec.parts) + "_";
  for (size_t i = 0; i != spec.sizes.size(); ++i)
    name += (i ? "x" : "") + std::to_string(spec.sizes[i]);
  if (spec.weight)
    name += "_w";
  if (spec.bias)
    name += "_b";
  char eps[32];
  std::snprintf(eps, sizeof eps, "_eps%g", spec.eps);
  if (spec.parts & NormForward && spec.eps != 1e-5)
    name += eps;
  if (spec.parts & NormForward && !spec.stats)
    name += "_nostats";
  return name;
}

namespace {

/// Adds the nodes of a command to its Graph, and its outputs.
class NormBuilder {
public:
  NormBuilder(const NormSpec &spec, CommandGraph &result)
      : Spec(spec), Result(result), G(result.graph),
        Input(TensorType::contiguous(spec.dtype, spec.sizes)),
        Row(TensorType::contiguous(
            spec.dtype, {spec.sizes.end() - spec.dims, spec.sizes.end()})) {
    std::vector<int64_t> sizes = spec.sizes;
    std::fill(sizes.end() - spec.dims, sizes.end(), 1);
    Stats = TensorType::contiguous(statsType(spec.dtype), sizes);
  }

  void build() {
    // Arguments stand as iree-turbine has them: dy first, weight behind x.
    int64_t parts = Spec.parts;
    if (parts & ~NormForward)
      Dy = G.addArgument(Input);
    if (parts != NormBiasGrad)
      X = G.addArgument(Input);
    Role constant = Spec.weightsConstant ? Role::Constant : Role::Input;
    if (Spec.weight && parts & (NormForward | NormInputGrad))
      Weight = G.addArgument(Row, constant);
    if (Spec.bias && parts & NormForward)
      Bias = G.addArgument(Row, constant);
    if (parts & NormForward)
      addForward();
    if (parts & ~NormForward)
      addGradient();
  }

private:
  void addForward() {
    std::vector<ValueId> operands{X};
    for (ValueId id : {Weight, Bias})
      if (id != kNoValue)
        operands.push_back(id);
    bool stats = Spec.stats || Spec.parts & (NormInputGrad | NormWeightGrad);
    AttributeMap attributes{{"acc", Stats.dtype},
                            {"dims", Spec.dims},
                            {"eps", Spec.eps},
                            {"stats", stats}};
    std::vector<TensorType> types{Input};
    if (stats)
      types.insert(types.end(), Spec.rms ? 1 : 2, Stats);
    if (Spec.rms)
      attributes["rms"] = true;
    std::vector<ValueId> made =
        G.addNode(Op::Norm, operands, attributes, types);
    if (stats) {
      Mean = Spec.rms ? kNoValue : made[1];
      Rstd = made.back();
    }
    if (!Spec.stats)
      made.resize(1);
    addOutputs(made);
  }

  void addGradient() {
    auto wants = [&](NormPart part) { return (Spec.parts & part) != 0; };
    std::vector<ValueId> operands{Dy};
    if (wants(NormInputGrad) || wants(NormWeightGrad)) {
      if (Rstd == kNoValue) {
        Mean = Spec.rms ? kNoValue : G.addArgument(Stats);
        Rstd = G.addArgument(Stats);
      }
      operands.push_back(X);
      if (!Spec.rms)
        operands.push_back(Mean);
      operands.push_back(Rstd);
    }
    if (wants(NormInputGrad) && Weight != kNoValue)
      operands.push_back(Weight);
    std::vector<TensorType> types;
    if (wants(NormInputGrad))
      types.push_back(Input);
    for (NormPart part : {NormWeightGrad, NormBiasGrad})
      if (wants(part))
        types.push_back(Row);
    AttributeMap attributes{{"acc", Stats.dtype},
                            {"dbias", wants(NormBiasGrad)},
                            {"dims", Spec.dims},
                            {"dweight", wants(NormWeightGrad)},
                            {"dx", wants(NormInputGrad)}};
    if (Spec.rms)
      attributes["rms"] = true;
    addOutputs(G.addNode(Op::NormGrad, operands, attributes, types));
  }

  void addOutputs(const std::vector<ValueId> &values) {
    for (ValueId id : values) {
      G.addOutput(id);
      std::vector<int64_t> sizes;
      for (Dim dim : G.value(id).type.sizes)
        sizes.push_back(dim.size());
      Result.outputSizes.push_back(std::move(sizes));
    }
  }

  const NormSpec &Spec;
  CommandGraph &Result;
  Graph &G;
  TensorType Input, Row, Stats;
  ValueId Dy = kNoValue, X = kNoValue, Weight = kNoValue, Bias = kNoValue,
          Mean = kNoValue, Rstd = kNoValue;
};

} // namespace

Status boo::buildNormGraph(const NormSpec &spec, CommandGraph *result) {
  NormBuilder(spec, *result).build();
  BOO_RETURN_IF_ERROR(result->graph.verify());
  result->name = normFuncName(spec);
  result->direction = partsName(spec.parts);
  return Status::ok();
}
