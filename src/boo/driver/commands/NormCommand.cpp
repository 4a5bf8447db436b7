//===- NormCommand.cpp - The Graph of a layer norm command ----------------===//

#include "boo/driver/commands/NormSpec.h"
#include "boo/driver/commands/SizeList.h"

using namespace boo;

namespace {

/// Indices into normFlagTable().
enum class NormFlag : size_t {
#define BOO_NORM_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/NormFlags.inc"
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
  spec.parts = op.integer(size_t(NormFlag::Forw));
  if (spec.parts < 1 || spec.parts > 15)
    return op.wrongChoice(
        size_t(NormFlag::Forw),
        "add up what is wanted: 1 is forward, 2 the gradient of the input, 4 "
        "of the weight, 8 of the bias; 14 is all gradients");
  BOO_ASSIGN_OR_RETURN(
      spec.sizes, parseSizes(normFlagTable()[size_t(NormFlag::Input)],
                             op.text(size_t(NormFlag::Input)), spec.dtype));
  int64_t first = op.integer(size_t(NormFlag::NormalizedDim));
  if (first < 0 || first >= int64_t(spec.sizes.size()))
    return op.wrongChoice(
        size_t(NormFlag::NormalizedDim),
        "the input has " + std::to_string(spec.sizes.size()) +
            " dimensions, numbered from 0; the last one is -o " +
            std::to_string(spec.sizes.size() - 1));
  spec.dims = int64_t(spec.sizes.size()) - first;
  spec.eps = op.real(size_t(NormFlag::Eps));
  if (!(spec.eps >= 0) || spec.eps > 1e30)
    return op.wrongChoice(size_t(NormFlag::Eps), "must lie between 0 and 1e30");
  int64_t mode = op.integer(size_t(NormFlag::Mode));
  if (mode != 0 && mode != 1)
    return op.wrongChoice(size_t(NormFlag::Mode),
                          "0 is without, 1 with weight and bias");
  spec.bias = mode == 1;
  spec.weight = mode == 1 || op.on(size_t(NormFlag::Weight));
  spec.stats = op.on(size_t(NormFlag::Stats));
  spec.weightsConstant = line.driver.on(DriverFlag::WeiConst);
  return spec;
}

StatusOr<CommandGraph> boo::buildNorm(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(NormSpec spec, normSpec(line));
  BOO_RETURN_IF_ERROR(buildNormGraph(spec, &result));
  if (!(spec.parts & NormForward))
    for (NormFlag flag : {NormFlag::Eps, NormFlag::Stats})
      if (line.op.given(size_t(flag)))
        result.notes.push_back(spell(flag) +
                               " has no effect without the forward direction: "
                               "gradients take mean and rstd as they are");
  return result;
}
