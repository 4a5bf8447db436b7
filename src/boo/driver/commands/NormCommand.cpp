//===- NormCommand.cpp - The Graph of a layer norm command ----------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/SizeList.h"

#include <cstdio>

using namespace boo;

namespace {

/// Indices into normFlagTable().
enum class NormFlag : size_t {
#define BOO_NORM_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/NormFlags.inc"
};

struct NormSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes;
  int64_t dims = 1; ///< last ones, that are normalised
  double eps = 1e-5;
  bool weight = false, bias = false, stats = true, weightsConstant = false;
};

} // namespace

FlagTable boo::normFlagTable() {
  static constexpr Flag table[] = {
#define BOO_NORM_FLAG(id, name, letter, value, kind, use, help, reason)        \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/NormFlags.inc"
  };
  return table;
}

static std::string spell(NormFlag flag) {
  return flagSpelling(normFlagTable()[size_t(flag)]);
}

static StatusOr<NormSpec> normSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  NormSpec spec;
  spec.dtype = line.info->dtype;
  if (int64_t forw = op.integer(size_t(NormFlag::Forw)); forw != 1)
    return forw == 2 || forw == 4 || forw == 8 || forw == 14
               ? unsupported(spell(NormFlag::Forw) + " " +
                             std::to_string(forw) +
                             ": gradients of a layer norm are not there yet")
               : invalidArgument(
                     spell(NormFlag::Forw) + " " + std::to_string(forw) +
                     ": 1 is forward, 2 the gradient of the input, 4 of the "
                     "weight, 8 of the bias, 14 all of them");
  BOO_ASSIGN_OR_RETURN(
      spec.sizes, parseSizes(normFlagTable()[size_t(NormFlag::Input)],
                             op.text(size_t(NormFlag::Input)), spec.dtype));
  int64_t first = op.integer(size_t(NormFlag::NormalizedDim));
  if (first < 0 || first >= int64_t(spec.sizes.size()))
    return invalidArgument(spell(NormFlag::NormalizedDim) + " " +
                           std::to_string(first) + ": the input has " +
                           std::to_string(spec.sizes.size()) +
                           " dimensions, numbered from 0; the last one is -o " +
                           std::to_string(spec.sizes.size() - 1));
  spec.dims = int64_t(spec.sizes.size()) - first;
  spec.eps = op.real(size_t(NormFlag::Eps));
  if (!(spec.eps >= 0) || spec.eps > 1e30)
    return invalidArgument(spell(NormFlag::Eps) +
                           ": must lie between 0 and 1e30");
  int64_t mode = op.integer(size_t(NormFlag::Mode));
  if (mode != 0 && mode != 1)
    return invalidArgument(spell(NormFlag::Mode) + " " + std::to_string(mode) +
                           ": 0 is without, 1 with weight and bias");
  spec.bias = mode == 1;
  spec.weight = mode == 1 || op.on(size_t(NormFlag::Weight));
  spec.stats = op.on(size_t(NormFlag::Stats));
  spec.weightsConstant = line.driver.on(DriverFlag::WeiConst);
  return spec;
}

static DType statsType(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

/// In the manner of iree-turbine's names, whose second type is that of the
/// statistics: layer_norm_1d_bfloat16_float32_forward_8x128x768_w_b. What tells
/// signatures apart and is not in those follows: eps, nostats.
static std::string normFuncName(const NormSpec &spec) {
  std::string name = "layer_norm_" + std::to_string(spec.dims) + "d_" +
                     std::string(torchDType(spec.dtype)) + "_" +
                     std::string(torchDType(statsType(spec.dtype))) +
                     "_forward_";
  for (size_t i = 0; i != spec.sizes.size(); ++i)
    name += (i ? "x" : "") + std::to_string(spec.sizes[i]);
  if (spec.weight)
    name += "_w";
  if (spec.bias)
    name += "_b";
  char eps[32];
  std::snprintf(eps, sizeof eps, "_eps%g", spec.eps);
  if (spec.eps != 1e-5)
    name += eps;
  if (!spec.stats)
    name += "_nostats";
  return name;
}

StatusOr<CommandGraph> boo::buildNorm(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(NormSpec spec, normSpec(line));
  TensorType type = TensorType::contiguous(spec.dtype, spec.sizes);
  TensorType row = TensorType::contiguous(
      spec.dtype, {spec.sizes.end() - spec.dims, spec.sizes.end()});
  Graph &graph = result.graph;
  Role weights = spec.weightsConstant ? Role::Constant : Role::Input;
  std::vector<ValueId> operands{graph.addArgument(type)};
  if (spec.weight)
    operands.push_back(graph.addArgument(row, weights));
  if (spec.bias)
    operands.push_back(graph.addArgument(row, weights));
  DType acc = statsType(spec.dtype);
  AttributeMap attributes{{"acc", acc},
                          {"dims", spec.dims},
                          {"eps", spec.eps},
                          {"stats", spec.stats}};
  std::vector<TensorType> types{type};
  std::vector<int64_t> statSizes = spec.sizes;
  std::fill(statSizes.end() - spec.dims, statSizes.end(), 1);
  if (spec.stats)
    types.insert(types.end(), 2, TensorType::contiguous(acc, statSizes));
  for (ValueId id : graph.addNode(Op::Norm, operands, attributes, types))
    graph.addOutput(id);
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = normFuncName(spec);
  result.outputSizes.push_back(spec.sizes);
  if (spec.stats)
    result.outputSizes.insert(result.outputSizes.end(), 2, statSizes);
  return result;
}
