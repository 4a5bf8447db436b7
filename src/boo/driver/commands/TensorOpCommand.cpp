//===- TensorOpCommand.cpp - The Graph of a tensorop command --------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Factors.h"
#include "boo/driver/commands/SizeList.h"

#include <cmath>

using namespace boo;

namespace {

/// Indices into tensorOpFlagTable().
enum class TensorOpFlag : size_t {
#define BOO_TENSOR_OP_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/TensorOpFlags.inc"
};

/// MIOpen's numbers.
constexpr std::string_view names[] = {"set", "scale", "add",
                                      "mul", "min",   "max"};

struct TensorOpSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes, bSizes;
  size_t op = 2; ///< of `names`
  double alpha1 = 1, alpha2 = 1, beta = 0, value = 1;
};

} // namespace

FlagTable boo::tensorOpFlagTable() {
  static constexpr Flag table[] = {
#define BOO_TENSOR_OP_FLAG(id, name, letter, value, kind, use, help, reason)   \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/TensorOpFlags.inc"
  };
  return table;
}

static const Flag &flagOf(TensorOpFlag flag) {
  return tensorOpFlagTable()[size_t(flag)];
}

static StatusOr<size_t> readOp(const FlagValues &op) {
  std::optional<size_t> fn = op.choice(size_t(TensorOpFlag::Fn), names);
  if (!fn)
    return op.wrongChoice(size_t(TensorOpFlag::Fn),
                          "must be 1 scale, 2 add, 3 mul, 4 min or 5 max");
  if (*fn == 0)
    return unsupported(flagSpelling(flagOf(TensorOpFlag::Fn)) +
                       " 0: nothing is computed to set a tensor; there are 1 "
                       "scale, 2 add, 3 mul, 4 min and 5 max");
  return *fn;
}

/// B's sizes: A's, or 1 where it is broadcast.
static StatusOr<std::vector<int64_t>> readBSizes(const FlagValues &op,
                                                 const TensorOpSpec &spec) {
  const std::string text = op.text(size_t(TensorOpFlag::BSizes));
  if (text.empty())
    return spec.sizes;
  BOO_ASSIGN_OR_RETURN(
      auto sizes, parseSizes(flagOf(TensorOpFlag::BSizes), text, spec.dtype));
  bool fits = sizes.size() == spec.sizes.size();
  for (size_t i = 0; fits && i != sizes.size(); ++i)
    fits = sizes[i] == 1 || sizes[i] == spec.sizes[i];
  if (!fits)
    return op.wrongChoice(size_t(TensorOpFlag::BSizes),
                          "must be " + joinSizes(spec.sizes) +
                              ", or 1 in some places");
  return sizes;
}

static StatusOr<TensorOpSpec> tensorOpSpec(const CommandLine &line) {
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  const FlagValues &op = line.op;
  TensorOpSpec spec;
  spec.dtype = line.info->dtype;
  BOO_ASSIGN_OR_RETURN(
      spec.sizes,
      readImageSizes(op,
                     {size_t(TensorOpFlag::Batch),
                      size_t(TensorOpFlag::Channels), size_t(TensorOpFlag::InH),
                      size_t(TensorOpFlag::InW)},
                     spec.dtype));
  BOO_ASSIGN_OR_RETURN(spec.op, readOp(op));
  BOO_ASSIGN_OR_RETURN(spec.bSizes, readBSizes(op, spec));
  for (auto [flag, value] : {std::pair(TensorOpFlag::Alpha1, &spec.alpha1),
                             std::pair(TensorOpFlag::Alpha2, &spec.alpha2),
                             std::pair(TensorOpFlag::Beta, &spec.beta),
                             std::pair(TensorOpFlag::TensorVal, &spec.value)}) {
    *value = op.real(size_t(flag));
    if (!std::isfinite(*value) || std::fabs(*value) > 1e20)
      return op.wrongChoice(size_t(flag), "must lie between -1e20 and 1e20");
  }
  return spec;
}

/// tensorop_add_float32_64x3x32x32_b1x3x1x1_alpha1_2_alpha2_3_beta0.5.
static std::string tensorOpFuncName(const TensorOpSpec &spec) {
  std::string name = "tensorop_" + std::string(names[spec.op]) + "_" +
                     std::string(torchDType(spec.dtype)) + "_" +
                     joinSizes(spec.sizes);
  if (spec.op == 1)
    return name + "_by" + realText(spec.value);
  if (spec.bSizes != spec.sizes)
    name += "_b" + joinSizes(spec.bSizes);
  if (spec.alpha1 != 1)
    name += "_alpha1_" + realText(spec.alpha1);
  if (spec.alpha2 != 1)
    name += "_alpha2_" + realText(spec.alpha2);
  if (spec.beta != 0)
    name += "_beta" + realText(spec.beta);
  return name;
}

StatusOr<CommandGraph> boo::buildTensorOp(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(TensorOpSpec spec, tensorOpSpec(line));
  Graph &graph = result.graph;
  TensorType type = TensorType::contiguous(spec.dtype, spec.sizes);
  auto scaled = [&](ValueId x, double factor) {
    return factor == 1 ? x
                       : graph.addPointwise(PointwiseFn::Scale, {x},
                                            graph.value(x).type, {factor, 0.0});
  };
  ValueId last = graph.addArgument(type);
  if (spec.op == 1) {
    last =
        graph.addPointwise(PointwiseFn::Scale, {last}, type, {spec.value, 0.0});
  } else {
    static constexpr PointwiseFn fns[] = {PointwiseFn::Add, PointwiseFn::Mul,
                                          PointwiseFn::Minimum,
                                          PointwiseFn::Maximum};
    ValueId b =
        graph.addArgument(TensorType::contiguous(spec.dtype, spec.bSizes));
    last = scaled(last, spec.alpha1);
    last = graph.addPointwise(fns[spec.op - 2], {last, scaled(b, spec.alpha2)},
                              type);
    if (spec.beta != 0)
      last = graph.addPointwise(
          PointwiseFn::Add, {last, scaled(graph.addArgument(type), spec.beta)},
          type);
  }
  graph.addOutput(last);
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = tensorOpFuncName(spec);
  result.outputSizes.push_back(spec.sizes);
  return result;
}
