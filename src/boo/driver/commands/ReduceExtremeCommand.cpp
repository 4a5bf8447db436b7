//===- ReduceExtremeCommand.cpp - The Graph of argmin, argmax, … ----------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/SizeList.h"

using namespace boo;

namespace {
/// Indices into reduceExtremeFlagTable().
enum class ExtremeFlag : size_t {
#define BOO_REDUCE_EXTREME_FLAG(id, name, letter, value, kind, use, help,      \
                                reason)                                        \
  id,
#include "boo/driver/commands/ReduceExtremeFlags.inc"
};
} // namespace

FlagTable boo::reduceExtremeFlagTable() {
  static constexpr Flag table[] = {
#define BOO_REDUCE_EXTREME_FLAG(id, name, letter, value, kind, use, help,      \
                                reason)                                        \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/ReduceExtremeFlags.inc"
  };
  return table;
}

static const Flag &flagOf(ExtremeFlag flag) {
  return reduceExtremeFlagTable()[size_t(flag)];
}

StatusOr<CommandGraph> boo::extremeGraph(DType dtype,
                                         const std::vector<int64_t> &sizes,
                                         const std::vector<int64_t> &dims,
                                         const std::string &fn, bool values) {
  CommandGraph result;
  TensorType x = withDimsLast(TensorType::contiguous(dtype, sizes), dims);
  std::vector<int64_t> kept;
  for (size_t i = 0; i + dims.size() != x.rank(); ++i)
    kept.push_back(x.sizes[i].size());
  std::vector<TensorType> types{TensorType::contiguous(DType::I64, kept)};
  if (values)
    types.push_back(TensorType::contiguous(dtype, kept));
  Graph &graph = result.graph;
  AttributeMap attributes{{"dims", int64_t(dims.size())},
                          {"fn", fn},
                          {"keep", false},
                          {"values", values}};
  std::vector<ValueId> outputs =
      graph.addNode(Op::ArgReduce, {graph.addArgument(x)}, attributes, types);
  // Values first, as torch has them.
  for (size_t i = outputs.size(); i-- != 0;) {
    graph.addOutput(outputs[i]);
    result.outputSizes.push_back(kept);
  }
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = std::string(values ? "" : "arg") + fn + "_" +
                std::string(torchDType(dtype)) + "_forward_" +
                joinSizes(sizes) + "_over_" + joinSizes(dims, "_");
  return result;
}

StatusOr<CommandGraph> boo::buildReduceExtreme(const CommandLine &line) {
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  auto text = [&](ExtremeFlag flag) { return line.op.text(size_t(flag)); };
  if (line.op.integer(size_t(ExtremeFlag::Forw)) != 1)
    return line.op.wrongChoice(size_t(ExtremeFlag::Forw),
                               "there is no gradient here; 1 is forward");
  DType dtype = line.info->dtype;
  BOO_ASSIGN_OR_RETURN(
      std::vector<int64_t> sizes,
      parseSizes(flagOf(ExtremeFlag::Input), text(ExtremeFlag::Input), dtype));
  BOO_ASSIGN_OR_RETURN(std::vector<int64_t> dims,
                       parseDims(flagOf(ExtremeFlag::Dims),
                                 text(ExtremeFlag::Dims), sizes.size()));
  static constexpr std::string_view names[] = {"argmin", "argmax", "min",
                                               "max"};
  if (auto fn = line.op.choice(size_t(ExtremeFlag::Fn), names, /*first=*/1))
    return extremeGraph(dtype, sizes, dims, *fn % 2 ? "max" : "min", *fn >= 2);
  return line.op.wrongChoice(size_t(ExtremeFlag::Fn),
                             "must be 1 argmin, 2 argmax, 3 min or 4 max");
}
