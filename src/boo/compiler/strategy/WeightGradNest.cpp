//===- WeightGradNest.cpp - A filter's gradient as a loop nest ------------===//

#include "boo/compiler/strategy/WeightGradNest.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/MergePixels.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

WeightGradNest boo::compiler::makeWeightGradNest(const Graph &group) {
  const Node &node = group.nodes().front();
  assert(node.op == Op::ConvGradWeight && "the group is one such node");
  WeightGradNest nest;
  ConvProblem &p = nest.problem;
  p = convProblem(group, node, group.value(group.outputs()[0].value).type);
  nest.depthwise = p.groups > 1 && p.inPerGroup() == 1 && p.outPerGroup() == 1;
  ConvProblem::Strides *const operands[] = {&p.inStrides, &p.outStrides};
  mergePixels(p, operands);
  nest.outGrad = {
      node.operands[0], false, nest.depthwise ? p.outChannels : p.outPerGroup(),
      p.outStrides,     p.out, p.filterStrides.outer};
  nest.input = {node.operands[1],
                true,
                nest.depthwise ? p.inChannels : p.inPerGroup(),
                p.inStrides,
                p.in,
                nest.depthwise ? p.filterStrides.spatial[2]
                               : p.filterStrides.channel};
  return nest;
}

std::optional<WeightGradNest>
boo::compiler::withMergedTaps(const WeightGradNest &nest) {
  const ConvProblem &p = nest.problem;
  constexpr int64_t mostChannels = 32, mostTerms = 256, mostRows = 64;
  int64_t channels = p.inPerGroup();
  if (nest.depthwise || p.filter[2] == 1 || channels > mostChannels ||
      p.filter[2] * channels > mostTerms ||
      p.filter[0] * p.filter[1] > mostRows || nest.input.strides.channel != 1 ||
      nest.outGrad.strides.channel != 1 || p.filterStrides.channel != 1 ||
      p.filterStrides.spatial[2] != channels)
    return std::nullopt;
  // A copy of whole rows has no use for what lies between windows.
  for (size_t d = 0; d != 3; ++d)
    if (p.dilation[d] != 1 || p.stride[d] > p.filter[d])
      return std::nullopt;
  WeightGradNest merged = nest;
  merged.mergesTaps = true;
  merged.input.channels *= p.filter[2];
  return merged;
}

WeightGradNest boo::compiler::makeWeightGradNest(const Graph &group,
                                                 const Schedule &schedule) {
  WeightGradNest nest = makeWeightGradNest(group);
  if (schedule.scratchInput)
    if (auto merged = withMergedTaps(nest))
      return *merged;
  return nest;
}

bool WeightGradNest::isInside(size_t dim) const {
  const ConvProblem &p = problem;
  if (mergesTaps && dim == 2)
    return true;
  return p.padLo[dim] == 0 && (p.out[dim] - 1) * p.stride[dim] +
                                      (p.filter[dim] - 1) * p.dilation[dim] <
                                  p.in[dim];
}

std::string WeightGradNest::lanesNeedPack(const Side &side, int64_t vectorLanes,
                                          bool pairs) const {
  if (std::string reason = rowsNeedPack(side, pairs); !reason.empty())
    return reason;
  if (side.strides.channel != 1)
    return "its channels are not contiguous";
  // Depthwise tiles read their lanes masked.
  if (!depthwise && side.channels % vectorLanes != 0)
    return "its channels do not fill vectors of " + std::to_string(vectorLanes);
  return "";
}

std::string WeightGradNest::rowsNeedPack(const Side &side, bool pairs) const {
  if (pairs)
    return "pairs of pixels side by side";
  // Depthwise tiles widen what they read.
  if (!depthwise && problem.dtype != problem.accType)
    return "it is widened to " + std::string(dtypeName(problem.accType));
  if (depthwise && side.strides.channel != 1)
    return "its channels are not contiguous";
  return "";
}

std::array<int64_t, 4> WeightGradNest::extents(const Schedule &schedule) const {
  int64_t width = problem.out[2];
  return {problem.batch, problem.out[0], problem.out[1],
          schedule.pairs ? ceilDiv(width, 2) : width};
}

std::array<int64_t, 4> WeightGradNest::pieces(const Schedule &schedule,
                                              int64_t parts) const {
  std::array<int64_t, 4> result = extents(schedule);
  size_t cut = rowTaps(schedule) > 1 ? 3 : 4;
  for (size_t i = 0; i != cut; ++i) {
    int64_t extent = result[i];
    result[i] = ceilDiv(extent, std::min(parts, extent));
    parts = ceilDiv(parts, ceilDiv(extent, result[i]));
  }
  return result;
}

int64_t
WeightGradNest::countPieces(const Schedule &schedule,
                            const std::array<int64_t, 4> &pieces) const {
  int64_t count = 1;
  for (size_t i = 0; i != pieces.size(); ++i)
    count *= ceilDiv(extents(schedule)[i], pieces[i]);
  return count;
}

WeightGradNest::Cut WeightGradNest::cut(const Schedule &schedule) const {
  int64_t wanted = schedule.kParts;
  if (schedule.kChunk != 0)
    wanted = std::max(wanted, ceilDiv(problem.reduction(), schedule.kChunk));
  Cut cut;
  cut.extent = pieces(schedule, wanted);
  cut.pieces = countPieces(schedule, cut.extent);
  cut.perPart =
      schedule.kChunk == 0
          ? 1
          : ceilDiv(cut.pieces, std::min(cut.pieces, schedule.kParts));
  return cut;
}

int64_t WeightGradNest::pixelsOfRow(const Schedule &schedule) const {
  int64_t extent = cut(schedule).extent[3];
  bool same = !schedule.pairs && !depthwise && isInside(2) &&
              extents(schedule)[3] % extent == 0;
  return same ? extent : 0;
}

std::array<int64_t, 4>
WeightGradNest::window(const std::array<int64_t, 4> &extent) const {
  const ConvProblem &p = problem;
  std::array<int64_t, 4> places{extent[0]};
  for (size_t d = 0; d != 3; ++d)
    places[d + 1] = (extent[d + 1] - 1) * p.stride[d] + p.filter[d];
  return places;
}

double
WeightGradNest::windowElements(const std::array<int64_t, 4> &extent) const {
  double elements = double(problem.inPerGroup());
  for (int64_t places : window(extent))
    elements *= double(places);
  return elements;
}

std::string WeightGradNest::refusesScratch(const Schedule &schedule) const {
  if (depthwise)
    return "a depthwise convolution reads each element for few products";
  if (schedule.pairs)
    return "pairs are packed ahead";
  if (input.strides.channel != 1 || outGrad.strides.channel != 1)
    return "channels are not contiguous";
  return "";
}
