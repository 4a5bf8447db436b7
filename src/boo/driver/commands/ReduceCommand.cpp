//===- ReduceCommand.cpp - The Graph of a reduce command ------------------===//
//
// The op reduces the last dimensions of what it sees; which ones a command
// names is a matter of strides.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Factors.h"
#include "boo/driver/commands/SizeList.h"

#include <algorithm>

using namespace boo;

namespace {

/// Indices into reduceFlagTable().
enum class ReduceFlag : size_t {
#define BOO_REDUCE_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/ReduceFlags.inc"
};

struct ReduceSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes, dims;
  std::string fn;
  Factors factors;
  bool indices = false;
};

} // namespace

FlagTable boo::reduceFlagTable() {
  static constexpr Flag table[] = {
#define BOO_REDUCE_FLAG(id, name, letter, value, kind, use, help, reason)      \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/ReduceFlags.inc"
  };
  return table;
}

static const Flag &flagOf(ReduceFlag flag) {
  return reduceFlagTable()[size_t(flag)];
}

/// MIOpen's number of a function, or its name.
static StatusOr<std::string> readFn(const FlagValues &op) {
  static constexpr std::string_view names[] = {
      "sum", "prod", "min", "max", "amax", "mean", "norm1", "norm2"};
  if (auto fn = op.choice(size_t(ReduceFlag::Fn), names))
    return std::string(names[*fn]);
  return op.wrongChoice(size_t(ReduceFlag::Fn),
                        "must be 0 sum, 1 prod, 2 min, 3 max, 4 amax, 5 mean, "
                        "6 norm1 or 7 norm2");
}

static StatusOr<ReduceSpec> reduceSpec(const CommandLine &line) {
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  auto text = [&](ReduceFlag flag) { return line.op.text(size_t(flag)); };
  ReduceSpec spec;
  spec.dtype = line.info->dtype;
  if (line.op.integer(size_t(ReduceFlag::Forw)) != 1)
    return line.op.wrongChoice(
        size_t(ReduceFlag::Forw),
        "a reduction has no gradient here; 1 is forward");
  BOO_ASSIGN_OR_RETURN(spec.sizes,
                       parseSizes(flagOf(ReduceFlag::Lengths),
                                  text(ReduceFlag::Lengths), spec.dtype));
  BOO_ASSIGN_OR_RETURN(spec.dims,
                       parseDims(flagOf(ReduceFlag::Dims),
                                 text(ReduceFlag::Dims), spec.sizes.size()));
  BOO_ASSIGN_OR_RETURN(spec.fn, readFn(line.op));
  spec.factors = {line.op.real(size_t(ReduceFlag::Alpha)),
                  line.op.real(size_t(ReduceFlag::Beta))};
  BOO_RETURN_IF_ERROR(checkFactors(spec.factors));
  spec.indices = line.op.on(size_t(ReduceFlag::Indices));
  if (spec.indices && spec.fn != "min" && spec.fn != "max")
    return unsupported(flagSpelling(flagOf(ReduceFlag::Indices)) +
                       " 1: only -O min and -O max have indices");
  if (spec.indices && !factorsName(spec.factors).empty())
    return invalidArgument(flagSpelling(flagOf(ReduceFlag::Indices)) +
                           " 1: values with indices are taken as they are; "
                           "leave out --alpha and --beta");
  return spec;
}

/// reduce_sum_float32_forward_100x60x16x240_over_0_2.
static std::string reduceFuncName(const ReduceSpec &spec) {
  return "reduce_" + spec.fn + "_" + std::string(torchDType(spec.dtype)) +
         "_forward_" + joinSizes(spec.sizes) + "_over_" +
         joinSizes(spec.dims, "_") + factorsName(spec.factors);
}

StatusOr<CommandGraph> boo::buildReduce(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(ReduceSpec spec, reduceSpec(line));
  if (spec.indices)
    return extremeGraph(spec.dtype, spec.sizes, spec.dims, spec.fn, true);
  TensorType x =
      withDimsLast(TensorType::contiguous(spec.dtype, spec.sizes), spec.dims);
  size_t kept = spec.sizes.size() - spec.dims.size();
  std::vector<int64_t> sizes;
  for (size_t i = 0; i != kept; ++i)
    sizes.push_back(x.sizes[i].size());
  Graph &graph = result.graph;
  AttributeMap attributes{
      {"acc", spec.dtype == DType::F64 ? DType::F64 : DType::F32},
      {"dims", int64_t(spec.dims.size())},
      {"fn", spec.fn},
      {"keep", false}};
  ValueId y = graph.addNode(Op::Reduce, {graph.addArgument(x)}, attributes,
                            {TensorType::contiguous(spec.dtype, sizes)})[0];
  graph.addOutput(addFactors(graph, y, spec.factors));
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = reduceFuncName(spec);
  std::vector<int64_t> shown = spec.sizes;
  for (int64_t dim : spec.dims)
    shown[size_t(dim)] = 1;
  result.outputSizes.push_back(std::move(shown));
  return result;
}
