//===- T5NormCommand.cpp - The Graph of a norm by the mean square ---------===//

#include "boo/driver/commands/NormSpec.h"
#include "boo/driver/commands/SizeList.h"

using namespace boo;

namespace {
/// Indices into t5NormFlagTable().
enum class T5NormFlag : size_t {
#define BOO_T5_NORM_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/T5NormFlags.inc"
};
} // namespace

FlagTable boo::t5NormFlagTable() {
  static constexpr Flag table[] = {
#define BOO_T5_NORM_FLAG(id, name, letter, value, kind, use, help, reason)     \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/T5NormFlags.inc"
  };
  return table;
}

static std::string spell(T5NormFlag flag) {
  return flagSpelling(t5NormFlagTable()[size_t(flag)]);
}

static StatusOr<NormSpec> t5NormSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  NormSpec spec;
  spec.dtype = line.info->dtype;
  spec.rms = true;
  BOO_ASSIGN_OR_RETURN(
      spec.sizes, parseSizes(t5NormFlagTable()[size_t(T5NormFlag::Input)],
                             op.text(size_t(T5NormFlag::Input)), spec.dtype));
  spec.eps = op.real(size_t(T5NormFlag::Eps));
  if (!(spec.eps >= 0) || spec.eps > 1e30)
    return op.wrongChoice(size_t(T5NormFlag::Eps),
                          "must lie between 0 and 1e30");
  int64_t mode = op.integer(size_t(T5NormFlag::Mode));
  if (mode != 0 && mode != 1 && mode != 5 && mode != 6)
    return op.wrongChoice(size_t(T5NormFlag::Mode),
                          "0 or 5 is without, 1 or 6 with a weight");
  spec.weight = mode == 1 || mode == 6;
  int64_t forw = op.integer(size_t(T5NormFlag::Forw));
  if (forw < 0 || forw > 2)
    return op.wrongChoice(size_t(T5NormFlag::Forw),
                          "1 is forward, 2 the gradients, 0 both");
  int64_t gradients =
      NormInputGrad | (spec.weight ? int64_t(NormWeightGrad) : 0);
  spec.parts = forw == 1   ? NormForward
               : forw == 2 ? gradients
                           : NormForward | gradients;
  spec.stats = op.on(size_t(T5NormFlag::Stats));
  spec.weightsConstant = line.driver.on(DriverFlag::WeiConst);
  return spec;
}

StatusOr<CommandGraph> boo::buildT5Norm(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(NormSpec spec, t5NormSpec(line));
  BOO_RETURN_IF_ERROR(buildNormGraph(spec, &result));
  if (!(spec.parts & NormForward))
    for (T5NormFlag flag : {T5NormFlag::Eps, T5NormFlag::Stats})
      if (line.op.given(size_t(flag)))
        result.notes.push_back(spell(flag) +
                               " has no effect without the forward direction: "
                               "gradients take 1 / sqrt(mean square + eps) as "
                               "it is");
  return result;
}
