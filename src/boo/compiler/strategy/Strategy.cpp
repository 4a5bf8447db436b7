//===- Strategy.cpp - Chooses the family, applies the tuning entry --------===//

#include "boo/compiler/strategy/Strategy.h"
#include "boo/abi/CompilerAbi.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/SeparableNest.h"
#include "boo/compiler/strategy/WinogradStrategy.h"
#include "boo/graph/Attributes.h"
#include "boo/graph/partition/Partition.h"
#include "boo/ops/attention/AttentionProblem.h"
#include "boo/ops/pool/PoolProblem.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

RegisterFile boo::compiler::registerFile(Isa isa) {
  switch (isa) {
  case Isa::Generic:
    return {128, 16, false};
  case Isa::Avx2:
    return {256, 16, true};
  case Isa::Avx512:
  case Isa::Amx:
    return {512, 32, true};
  }
  return {128, 16, false};
}

/// Whether the group is what partition makes of an anchor, with nothing left
/// open until launch.
static Status checkAnchorGroup(const Graph &group, const std::string &what) {
  if (group.outputs().size() != 1 &&
      group.outputs().size() != group.nodes().front().results.size())
    return unsupported(what + "'s group of several outputs");
  if (!takesTail(group, group.nodes().front()) && group.nodes().size() != 1)
    return unsupported("nodes behind a " +
                       std::string(opName(group.nodes().front().op)) +
                       " in its group");
  const auto &sizes = group.value(group.nodes().front().results[0]).type.sizes;
  for (const Value &value : group.values())
    if (!value.type.isStatic())
      return unsupported(what + " with symbolic sizes");
  for (size_t i = 1; i < group.nodes().size(); ++i) {
    const Node &node = group.nodes()[i];
    if ((node.op != Op::Pointwise && node.op != Op::Cast) ||
        group.value(node.results[0]).type.sizes != sizes)
      return unsupported(what + "'s group with a node '" +
                         std::string(opName(node.op)) +
                         "' that is not elementwise on its result");
  }
  return Status::ok();
}

/// Whether the group is what partition makes of two convolutions: a chain.
static Status checkSeparableGroup(const Graph &group) {
  const std::vector<Node> &nodes = group.nodes();
  size_t convs = 1;
  for (size_t i = 1; i != nodes.size(); ++i) {
    ValueId last = nodes[i - 1].results[0];
    bool chained = group.outputs().size() == 1;
    for (ValueId id : nodes[i].operands)
      chained &= id == last || group.value(id).producer < 0;
    bool fits = group.value(nodes[i].results[0]).type.sizes ==
                group.value(last).type.sizes;
    if (nodes[i].op == Op::Conv) {
      ++convs;
      fits = nodes[i].operands[0] == last &&
             areSeparable(group, nodes.front(), nodes[i]);
    }
    if (!chained || !fits || convs > 2 ||
        (nodes[i].op != Op::Conv && nodes[i].op != Op::Pointwise &&
         nodes[i].op != Op::Cast))
      return unsupported("a group of convolutions that is not a depthwise one, "
                         "a 1x1 one, and their pointwise tails");
  }
  for (const Value &value : group.values())
    if (!value.type.isStatic())
      return unsupported("a separable convolution with symbolic sizes");
  return Status::ok();
}

static Status checkConvGroup(const Graph &group) {
  BOO_RETURN_IF_ERROR(isSeparable(group)
                          ? checkSeparableGroup(group)
                          : checkAnchorGroup(group, "a convolution"));
  // Index arithmetic and cost model multiply these: the products of the large
  // ones are checked by the emitter, which knows them.
  constexpr int64_t largest = (int64_t(1) << 31) - 1;
  for (const char *name : {"stride", "dilation", "pad_lo", "pad_hi"})
    for (int64_t number :
         attribute<std::vector<int64_t>>(group.nodes().front(), name))
      if (number > largest)
        return unsupported("a convolution with a " + std::string(name) +
                           " of more than " + std::to_string(largest));
  return Status::ok();
}

static Status checkMatmulGroup(const Graph &group) {
  BOO_RETURN_IF_ERROR(checkAnchorGroup(group, "a matmul"));
  // Of operands that are broadcast, the product may have more batches than
  // either: keep what is counted over all of them far from the ends of int64_t.
  const Node &node = group.nodes().front();
  const TensorType &a = group.value(node.operands[0]).type;
  const TensorType &out = group.value(node.results[0]).type;
  constexpr int64_t most = int64_t(1) << 60;
  int64_t count = a.sizes.back().size();
  for (size_t i = 0; i + 2 < out.rank(); ++i)
    if (__builtin_mul_overflow(count, out.sizes[i].size(), &count) ||
        count > most)
      return unsupported("a matmul of more than 2^60 products");
  return Status::ok();
}

static Status checkRowGroup(const Graph &group) {
  const Node &anchor = group.nodes().front();
  BOO_RETURN_IF_ERROR(
      checkAnchorGroup(group, "a " + std::string(opName(anchor.op))));
  if ((anchor.results.size() > 1 || anchor.op == Op::NormGrad ||
       anchor.op == Op::BatchNorm) &&
      group.nodes().size() > 1)
    return unsupported("nodes behind a norm with statistics, a batch norm, or "
                       "the gradient of a norm in its group");
  // Far from the ends of int64_t: bytes are multiplied by lanes.
  constexpr int64_t most = int64_t(1) << 50;
  if (group.value(anchor.operands[0]).type.numElements() > most)
    return unsupported("a " + std::string(opName(anchor.op)) +
                       " of more than 2^50 elements");
  return Status::ok();
}

static Status checkAttentionGroup(const Graph &group) {
  BOO_RETURN_IF_ERROR(checkAnchorGroup(group, "an attention"));
  if (group.nodes().size() > 1)
    return unsupported("nodes behind an attention in its group");
  if (group.outputs().size() != group.nodes().front().results.size())
    return unsupported("an attention's group that leaves out a result");
  // Scratch holds whole queries and sums; sums of products of sizes are counted
  // in int64_t.
  AttentionProblem p = attentionProblem(group, group.nodes().front());
  constexpr int64_t widest = 1 << 16;
  if (p.depth > widest || p.valueDepth > widest)
    return unsupported("an attention with heads of more than 2^16 elements");
  if (p.flops() > 0x1p60 ||
      double(p.batch) * double(p.heads) * 64 * double(p.queries) > 0x1p60)
    return unsupported("an attention of more than 2^60 operations");
  return Status::ok();
}

static Status checkPoolGroup(const Graph &group) {
  const Node &anchor = group.nodes().front();
  std::string name = "a " + std::string(opName(anchor.op));
  BOO_RETURN_IF_ERROR(checkAnchorGroup(group, name));
  // Far from the ends of int64_t and, of an image's positions, of int32_t; a
  // row fits scratch.
  constexpr double mostElements = 0x1p50, mostPixels = 0x1p29, mostRow = 0x1p25;
  PoolProblem p = poolProblem(group, anchor);
  double planes = double(p.batch) * double(p.channels);
  double in = double(p.in[0]) * double(p.in[1]) * double(p.in[2]);
  double out = double(p.out[0]) * double(p.out[1]) * double(p.out[2]);
  if (planes * std::max(in, out) > mostElements)
    return unsupported(name + " of more than 2^50 elements");
  for (size_t dim = 0; dim != 3; ++dim)
    if (double(p.extent(dim)) > mostPixels ||
        double(p.stride[dim]) > mostPixels)
      return unsupported(name + " with a window or stride of more than 2^29");
  if (in > mostPixels || out > mostPixels)
    return unsupported(name + " of images of more than 2^29 pixels");
  if (double(p.in[2]) + double(p.extent(2)) + double(p.stride[2]) > mostRow)
    return unsupported(name + " of rows, or with windows, of more than 2^25 "
                              "pixels");
  return Status::ok();
}

static Status checkPadGroup(const Graph &group) {
  BOO_RETURN_IF_ERROR(checkAnchorGroup(group, "a pad"));
  // Far from the ends of int64_t: bytes are multiplied by lanes.
  constexpr int64_t most = int64_t(1) << 50;
  const Node &node = group.nodes().front();
  if (group.value(node.results[0]).type.numElements() > most)
    return unsupported("a pad of more than 2^50 elements");
  return Status::ok();
}

/// What every family asks of a Schedule.
static Status checkSchedule(const Target &target, const Schedule &schedule) {
  RegisterFile registers = registerFile(target.isa);
  int64_t vector = schedule.vectorBits;
  if (vector < 64 || vector > registers.bits || (vector & (vector - 1)) != 0)
    return invalidArgument("schedule: vector_bits must be a power of two from "
                           "64 to " +
                           std::to_string(registers.bits) + " for " +
                           std::string(isaName(target.isa)));
  if (schedule.fma && !registers.fma)
    return invalidArgument("schedule: fma=1 needs a target with fused "
                           "multiply-add, not " +
                           std::string(isaName(target.isa)));
  if (schedule.amx && schedule.algorithm != Algorithm::Direct &&
      schedule.algorithm != Algorithm::Separable)
    return invalidArgument("schedule: amx=1 serves direct products only");
  if ((schedule.pairs || schedule.dot || schedule.filterInPlace ||
       schedule.packInside) &&
      isWinograd(schedule.algorithm))
    return invalidArgument("schedule: pairs=1, dot=1, filter_in_place=1 and "
                           "pack_inside=1 serve direct products only");
  if (schedule.packInside && schedule.algorithm == Algorithm::Separable)
    return invalidArgument("schedule: pack_inside=1 serves one convolution");
  return Status::ok();
}

/// The algorithm that a tuning entry names, if it does.
static StatusOr<std::optional<Algorithm>>
askedAlgorithm(std::string_view entry) {
  Schedule one, other;
  other.algorithm = Algorithm::Module;
  BOO_ASSIGN_OR_RETURN(one, parseSchedule(entry, one));
  BOO_ASSIGN_OR_RETURN(other, parseSchedule(entry, other));
  std::optional<Algorithm> asked;
  if (one.algorithm == other.algorithm)
    asked = one.algorithm;
  return asked;
}

bool boo::compiler::isFilterPackedAhead(const Graph &group,
                                        const ConvNest &nest,
                                        const Mode &mode) {
  return mode.constantsPacked &&
         group.value(nest.filter).role == Role::Constant;
}

/// `asked`: the algorithm that a tuning entry names.
static StatusOr<Decision> decideConv(const Graph &group, const Target &target,
                                     const Mode &mode,
                                     std::optional<Algorithm> asked) {
  ConvNest nest = makeConvNest(group);
  NestBounds bounds;
  bounds.packedAhead = isFilterPackedAhead(group, nest, mode);
  Decision direct = decideNest(nest, target, mode.math, bounds);
  if (nest.matmul || asked == direct.schedule.algorithm)
    return direct;
  return weighWinograd(nest, target, mode.math, bounds.packedAhead,
                       std::move(direct), asked);
}

/// Whether the anchor's emitter can obey the Schedule.
static Status checkForGroup(const Graph &group, const Target &target,
                            const Schedule &schedule) {
  if (isSeparable(group))
    return checkSeparableSchedule(group, target, schedule);
  switch (group.nodes().front().op) {
  case Op::Conv:
  case Op::ConvGradInput:
  case Op::Matmul:
    return checkConvSchedule(group, target, schedule);
  case Op::ConvGradWeight:
    return checkWeightGradSchedule(group, target, schedule);
  case Op::Attention:
  case Op::AttentionGrad:
    return checkAttentionSchedule(group, schedule);
  case Op::Norm:
  case Op::NormGrad:
  case Op::BatchNorm:
  case Op::BatchNormGrad:
  case Op::Softmax:
  case Op::SoftmaxGrad:
  case Op::Reduce:
  case Op::ArgReduce:
    return checkRowSchedule(group, schedule);
  case Op::Pool:
  case Op::PoolGrad:
    return checkPoolSchedule(group, schedule);
  default:
    return Status::ok();
  }
}

/// The Schedule without what the group is too small for.
static Schedule fitToGroup(const Graph &group, const Schedule &schedule) {
  if (isSeparable(group))
    return fitSeparableSchedule(group, schedule);
  switch (group.nodes().front().op) {
  case Op::Conv:
  case Op::ConvGradInput:
  case Op::Matmul:
    return fitConvSchedule(group, schedule);
  case Op::ConvGradWeight:
    return fitWeightGradSchedule(group, schedule);
  case Op::Attention:
  case Op::AttentionGrad:
    return fitAttentionSchedule(group, schedule);
  default:
    return schedule;
  }
}

/// Results that the last-level cache would not keep, beside what is read and
/// what others have there, need not pass through it: a store past the caches
/// spares reading the line first. Measured on Zen 4, 32 MB of cache: even at 6
/// to 8 MB, 1.3 to 2 times as fast from 10 MB on. Winograd writes a few pixels
/// of many rows at a time: even at 1.6 MB, a tenth to a fifth faster from 3 MB.
static void chooseStream(const Graph &group, const Target &target,
                         Decision &decision) {
  double bytes = 0;
  for (const auto &output : group.outputs()) {
    const TensorType &type = group.value(output.value).type;
    bytes += double(type.numElements()) * double(dtypeBytes(type.dtype));
  }
  bool winograd = isWinograd(decision.schedule.algorithm);
  if (!target.exceedsShareOfL3(winograd ? 4 * bytes : bytes))
    return;
  decision.schedule.stream = true;
  decision.why.push_back(
      "stored past the caches: results of " +
      std::to_string(int64_t(bytes / (1 << 20))) + " MiB, more than a " +
      (winograd ? "sixteenth" : "quarter") + " of the last-level cache");
}

/// By an entry that must serve, or "".
static StatusOr<Decision> decideBy(const Graph &group, const Target &target,
                                   const Mode &mode,
                                   std::string_view tuningEntry) {
  if (group.nodes().empty())
    return invalidArgument("a group needs at least one node");
  BOO_ASSIGN_OR_RETURN(std::optional<Algorithm> asked,
                       askedAlgorithm(tuningEntry));
  Decision decision;
  switch (group.nodes().front().op) {
  case Op::Conv: {
    BOO_RETURN_IF_ERROR(checkConvGroup(group));
    if (isSeparable(group)) {
      decision = decideSeparable(group, target, mode.math);
      break;
    }
    BOO_ASSIGN_OR_RETURN(decision, decideConv(group, target, mode, asked));
    break;
  }
  case Op::ConvGradInput: {
    BOO_RETURN_IF_ERROR(checkConvGroup(group));
    BOO_ASSIGN_OR_RETURN(decision, decideGradInput(group, target, mode, asked));
    break;
  }
  case Op::ConvGradWeight:
    BOO_RETURN_IF_ERROR(checkConvGroup(group));
    decision = decideWeightGrad(group, target, mode.math);
    break;
  case Op::Matmul: {
    BOO_RETURN_IF_ERROR(checkMatmulGroup(group));
    BOO_ASSIGN_OR_RETURN(decision, decideConv(group, target, mode, asked));
    break;
  }
  case Op::Attention:
  case Op::AttentionGrad:
    BOO_RETURN_IF_ERROR(checkAttentionGroup(group));
    decision = decideAttention(group, target);
    break;
  case Op::Norm:
  case Op::NormGrad:
  case Op::BatchNorm:
  case Op::BatchNormGrad:
  case Op::Softmax:
  case Op::SoftmaxGrad:
  case Op::Reduce:
  case Op::ArgReduce:
    BOO_RETURN_IF_ERROR(checkRowGroup(group));
    decision = decideRows(group, target);
    break;
  case Op::Pool:
  case Op::PoolGrad:
    BOO_RETURN_IF_ERROR(checkPoolGroup(group));
    decision = decidePool(group, target);
    break;
  case Op::Pad:
    BOO_RETURN_IF_ERROR(checkPadGroup(group));
    decision = decidePad(group, target);
    break;
  case Op::Pointwise:
  case Op::Cast:
    decision = decidePointwise(group, target);
    break;
  case Op::Mlir:
    decision.schedule.algorithm = Algorithm::Module;
    decision.why = {"module: an mlir node is compiled as it is written"};
    break;
  }
  decision.schedule = fitToGroup(group, decision.schedule);
  if (decision.schedule.algorithm != Algorithm::Module)
    chooseStream(group, target, decision);
  if (tuningEntry.empty()) {
    Status sound = checkForGroup(group, target, decision.schedule);
    return sound.isOk()
               ? StatusOr<Decision>(std::move(decision))
               : internalError("the strategy's own " + sound.message());
  }
  if (asked && *asked != decision.schedule.algorithm)
    return unsupported("tuning entry: this group has no algorithm '" +
                       std::string(algorithmName(*asked)) + "', only '" +
                       std::string(algorithmName(decision.schedule.algorithm)) +
                       "'");
  BOO_ASSIGN_OR_RETURN(decision.schedule,
                       parseSchedule(tuningEntry, decision.schedule));
  BOO_RETURN_IF_ERROR(checkSchedule(target, decision.schedule));
  BOO_RETURN_IF_ERROR(checkForGroup(group, target, decision.schedule));
  decision.schedule = fitToGroup(group, decision.schedule);
  decision.why.push_back("tuned: " + std::string(tuningEntry));
  return decision;
}

StatusOr<Decision> boo::compiler::decide(const Graph &group,
                                         const Target &target, const Mode &mode,
                                         std::string_view tuningEntry) {
  constexpr std::string_view optional = BOO_OPTIONAL_ENTRY;
  if (!tuningEntry.starts_with(optional))
    return decideBy(group, target, mode, tuningEntry);
  auto tuned =
      decideBy(group, target, mode, tuningEntry.substr(optional.size()));
  if (tuned.isOk())
    return tuned;
  BOO_ASSIGN_OR_RETURN(Decision decision, decideBy(group, target, mode, ""));
  decision.why.push_back("not tuned: " + tuned.status().message());
  return decision;
}
