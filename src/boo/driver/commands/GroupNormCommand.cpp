//===- GroupNormCommand.cpp - The Graph of a group norm command -----------===//
//
// A group norm is a norm of the input seen as [batch, groups, channels of a
// group, …]: the rows are a group's channels and pixels.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/Command.h"

#include <cstdio>

using namespace boo;

namespace {

/// Indices into groupNormFlagTable().
enum class GroupNormFlag : size_t {
#define BOO_GROUP_NORM_FLAG(id, name, letter, value, kind, use, help, reason)  \
  id,
#include "boo/driver/commands/GroupNormFlags.inc"
};

struct GroupNormSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes; ///< N, C, perhaps D, perhaps H, W
  int64_t groups = 3;
  bool channelsLast = false, weights = false, weightsConstant = false;
  bool stats = true;
  double eps = 1e-5;
};

} // namespace

FlagTable boo::groupNormFlagTable() {
  static constexpr Flag table[] = {
#define BOO_GROUP_NORM_FLAG(id, name, letter, value, kind, use, help, reason)  \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/GroupNormFlags.inc"
  };
  return table;
}

static Status readSizes(const FlagValues &op, GroupNormSpec *spec) {
  int64_t bytes = dtypeBytes(spec->dtype);
  bool deep = op.integer(size_t(GroupNormFlag::InD)) != 0;
  for (GroupNormFlag flag :
       {GroupNormFlag::Batch, GroupNormFlag::Channels, GroupNormFlag::InD,
        GroupNormFlag::InH, GroupNormFlag::InW}) {
    int64_t size = op.integer(size_t(flag));
    if (size == 0 &&
        (flag == GroupNormFlag::InD || (flag == GroupNormFlag::InH && !deep)))
      continue;
    if (size < 1)
      return op.wrongChoice(size_t(flag), "must be at least 1");
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
      return invalidArgument("the input has more bytes than 61 bits count; "
                             "lower its sizes");
    spec->sizes.push_back(size);
  }
  static constexpr std::string_view first[] = {"NCW", "NCHW", "NCDHW"};
  static constexpr std::string_view last[] = {"NWC", "NHWC", "NDHWC"};
  size_t rank = spec->sizes.size() - 3;
  std::string layout = op.text(size_t(GroupNormFlag::Layout));
  spec->channelsLast = layout == last[rank];
  if (layout.empty() || spec->channelsLast || layout == first[rank])
    return Status::ok();
  return op.wrongChoice(size_t(GroupNormFlag::Layout),
                        "must be " + std::string(first[rank]) + " or " +
                            std::string(last[rank]) + " for these sizes");
}

static StatusOr<GroupNormSpec> groupNormSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  GroupNormSpec spec;
  spec.dtype = line.info->dtype;
  BOO_RETURN_IF_ERROR(readSizes(op, &spec));
  if (op.integer(size_t(GroupNormFlag::Forw)) != 1)
    return op.wrongChoice(size_t(GroupNormFlag::Forw),
                          "1 is forward, and MIOpenDriver has nothing else");
  spec.groups = op.integer(size_t(GroupNormFlag::Groups));
  if (spec.groups < 1 || spec.sizes[1] % spec.groups != 0)
    return op.wrongChoice(size_t(GroupNormFlag::Groups),
                          "must be at least 1 and divide the channels, " +
                              std::to_string(spec.sizes[1]));
  spec.eps = op.real(size_t(GroupNormFlag::Eps));
  if (!(spec.eps >= 0) || spec.eps > 1e30)
    return op.wrongChoice(size_t(GroupNormFlag::Eps),
                          "must lie between 0 and 1e30");
  int64_t mode = op.integer(size_t(GroupNormFlag::Mode));
  if (mode != 0 && mode != 1)
    return op.wrongChoice(size_t(GroupNormFlag::Mode),
                          "0 is without, 1 with weight and bias");
  spec.weights = mode == 1;
  spec.stats = op.on(size_t(GroupNormFlag::Stats));
  spec.weightsConstant = line.driver.on(DriverFlag::WeiConst);
  return spec;
}

/// group_norm_float32_forward_100x6x32x32_nchw_3g_w_b, and what tells
/// signatures apart beyond that: eps, nostats.
static std::string groupNormFuncName(const GroupNormSpec &spec) {
  std::string name =
      "group_norm_" + std::string(torchDType(spec.dtype)) + "_forward_";
  for (size_t i = 0; i != spec.sizes.size(); ++i)
    name += (i ? "x" : "") + std::to_string(spec.sizes[i]);
  static constexpr const char *first[] = {"_ncw", "_nchw", "_ncdhw"};
  static constexpr const char *last[] = {"_nwc", "_nhwc", "_ndhwc"};
  size_t rank = spec.sizes.size() - 3;
  name += spec.channelsLast ? last[rank] : first[rank];
  name += "_" + std::to_string(spec.groups) + "g";
  if (spec.weights)
    name += "_w_b";
  char eps[32];
  std::snprintf(eps, sizeof eps, "_eps%g", spec.eps);
  if (spec.eps != 1e-5)
    name += eps;
  if (!spec.stats)
    name += "_nostats";
  return name;
}

StatusOr<CommandGraph> boo::buildGroupNorm(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(GroupNormSpec spec, groupNormSpec(line));
  std::vector<int64_t> sizes = spec.sizes;
  sizes[1] /= spec.groups;
  sizes.insert(sizes.begin() + 1, spec.groups);
  std::vector<size_t> order;
  for (size_t i = 0; i != sizes.size(); ++i)
    if (!spec.channelsLast || (i != 1 && i != 2))
      order.push_back(i);
  if (spec.channelsLast)
    order.insert(order.end(), {1, 2});
  std::vector<int64_t> channelSizes(sizes.size(), 1);
  channelSizes[1] = sizes[1];
  channelSizes[2] = sizes[2];
  std::vector<int64_t> statSizes(sizes.size(), 1);
  statSizes[0] = sizes[0];
  statSizes[1] = sizes[1];

  TensorType type = TensorType::permuted(spec.dtype, sizes, order);
  TensorType channel = TensorType::contiguous(spec.dtype, channelSizes);
  DType acc = spec.dtype == DType::F64 ? DType::F64 : DType::F32;
  Graph &graph = result.graph;
  std::vector<ValueId> operands{graph.addArgument(type)};
  Role role = spec.weightsConstant ? Role::Constant : Role::Input;
  for (int i = 0; spec.weights && i != 2; ++i)
    operands.push_back(graph.addArgument(channel, role));
  std::vector<TensorType> types{type};
  if (spec.stats)
    types.insert(types.end(), 2, TensorType::contiguous(acc, statSizes));
  for (ValueId id : graph.addNode(Op::Norm, operands,
                                  {{"acc", acc},
                                   {"dims", int64_t(sizes.size()) - 2},
                                   {"eps", spec.eps},
                                   {"stats", spec.stats}},
                                  types))
    graph.addOutput(id);
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = groupNormFuncName(spec);
  std::vector<int64_t> out = spec.sizes;
  if (spec.channelsLast) {
    out.erase(out.begin() + 1);
    out.push_back(spec.sizes[1]);
  }
  result.outputSizes.push_back(out);
  if (spec.stats)
    result.outputSizes.insert(result.outputSizes.end(), 2,
                              {spec.sizes[0], spec.groups});
  return result;
}
