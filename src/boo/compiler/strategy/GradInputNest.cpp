//===- GradInputNest.cpp - An input's gradient as loop nests --------------===//
//
// The pixel i of a dimension meets tap f at output pixel o if
// i + pad = o*stride + f*dilation. Pixels i = r + stride*j of one phase r meet
// the same taps: every (stride / gcd)-th, if any, where gcd is that of stride
// and dilation. Written in j they are those of a convolution of stride 1 whose
// filter is flipped: no zeros are stuffed in.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/ConvNest.h"

#include <algorithm>
#include <numeric>
#include <utility>

using namespace boo;
using namespace boo::compiler;

namespace {

/// `count` phases of one dimension, alike but for where they start: the first
/// pixel of each is `phaseStep` behind that of the one before, the tap that
/// meets its pixels last `tapStep`.
struct Phases {
  int64_t count = 1;
  int64_t first = 0, phaseStep = 0;
  int64_t lastTap = 0, tapStep = 0;
  int64_t taps = 0, tapStride = 1;
  int64_t pixels = 0, padLo = 0, dilation = 1;

  /// Takes the next phase in, if it fits.
  bool extend(const Phases &next) {
    if (next.taps != taps || next.pixels != pixels || next.padLo != padLo)
      return false;
    int64_t phases = next.first - (first + (count - 1) * phaseStep);
    int64_t tap = next.lastTap - (lastTap + (count - 1) * tapStep);
    if (count > 1 && (phases != phaseStep || tap != tapStep))
      return false;
    phaseStep = phases;
    tapStep = tap;
    ++count;
    return true;
  }
};

} // namespace

/// The phase of the pixels r, r + stride, …; without taps if none meets them.
static Phases phase(const ConvProblem &p, size_t d, int64_t r) {
  Phases result;
  int64_t stride = p.stride[d], dilation = p.dilation[d];
  int64_t gcd = std::gcd(stride, dilation);
  result.first = r;
  result.pixels = ceilDiv(p.in[d] - r, stride);
  result.tapStride = stride / gcd;
  result.dilation = dilation / gcd;
  // The first tap with (r + pad - f*dilation) % stride == 0.
  int64_t tap = 0, last = std::min(result.tapStride, p.filter[d]);
  while (tap != last && (r + p.padLo[d] - tap * dilation) % stride != 0)
    ++tap;
  if (tap == last)
    return result;
  result.taps = ceilDiv(p.filter[d] - tap, result.tapStride);
  result.lastTap = tap + (result.taps - 1) * result.tapStride;
  // Pixel j meets tap t of them at j + (r + pad - tap*dilation) / stride
  // - t*(dilation/gcd), and the flipped filter begins with the last.
  result.padLo = (result.taps - 1) * result.dilation -
                 (r + p.padLo[d] - tap * dilation) / stride;
  return result;
}

/// The phases as families, each of those that follow each other alike.
static std::vector<Phases> joined(const std::vector<Phases> &phases) {
  std::vector<Phases> families;
  for (const Phases &next : phases)
    if (families.empty() || !families.back().extend(next))
      families.push_back(next);
  return families;
}

/// The phases of a dimension in families; `join` lets a family have several.
static std::vector<Phases> allPhases(const ConvProblem &p, size_t d, bool join,
                                     bool *gaps) {
  std::vector<Phases> phases;
  for (int64_t r = 0; r != std::min(p.stride[d], p.in[d]); ++r) {
    Phases next = phase(p, d, r);
    if (next.taps == 0)
      *gaps = true;
    else
      phases.push_back(next);
  }
  if (!join)
    return phases;
  std::vector<Phases> families = joined(phases);
  // With a dilation neighbouring pixels meet taps far apart, neighbouring taps
  // pixels a dilation apart.
  std::sort(phases.begin(), phases.end(), [](const Phases &a, const Phases &b) {
    return a.lastTap - a.taps * a.tapStride < b.lastTap - b.taps * b.tapStride;
  });
  std::vector<Phases> byTap = joined(phases);
  return byTap.size() < families.size() ? byTap : families;
}

/// What all phases share: input and output with their channels trade places.
static ConvNest forwardNest(const Graph &group, const ConvProblem &p) {
  const Node &node = group.nodes().front();
  ConvNest nest;
  ConvProblem &q = nest.problem;
  q.dtype = p.dtype;
  q.accType = p.accType;
  q.batch = p.batch;
  q.inChannels = p.outChannels;
  q.outChannels = p.inChannels;
  q.groups = p.groups;
  q.in = p.out;
  q.inStrides = p.outStrides;
  q.outStrides = p.inStrides;
  q.filterStrides = p.filterStrides;
  std::swap(q.filterStrides.outer, q.filterStrides.channel);
  nest.groupSizes = {p.groups};
  nest.result = group.outputs()[0].value;
  nest.outType = group.value(nest.result).type.dtype;
  nest.tail = tailOperands(group, nest.tailNode, nest.result, p.inPerGroup());
  nest.input = node.operands[0];
  nest.filter = node.operands[1];
  nest.sum = node.results[0];
  return nest;
}

static void setDimension(ConvNest &nest, size_t d, const Phases &phases,
                         int64_t stride) {
  ConvProblem &q = nest.problem;
  q.filter[d] = phases.taps;
  q.dilation[d] = phases.dilation;
  q.out[d] = phases.pixels;
  q.padLo[d] = phases.padLo;
  int64_t tap = q.filterStrides.spatial[d];
  q.filterStrides.base += phases.lastTap * tap;
  q.filterStrides.spatial[d] = -phases.tapStride * tap;
  for (ConvProblem::Strides *s : outputStrides(nest)) {
    int64_t pixel = s->spatial[d];
    s->base += phases.first * pixel;
    s->spatial[d] = stride * pixel;
    if (phases.count != 1)
      s->group.push_back(phases.phaseStep * pixel);
  }
  if (phases.count == 1)
    return;
  nest.groupSizes.push_back(phases.count);
  q.groups *= phases.count;
  q.inChannels *= phases.count;
  q.outChannels *= phases.count;
  q.inStrides.group.push_back(0);
  q.filterStrides.group.push_back(phases.tapStep * tap);
}

/// A family of phases that lie behind each other like channels, in memory of
/// both filter and result, joins these. Else, where a family has more phases
/// than a group has channels, the two change places. So lanes, which run over
/// channels, are filled.
static void widenLanes(ConvNest &nest) {
  ConvProblem &q = nest.problem;
  ConvProblem::Strides &from = q.filterStrides;
  std::vector<ConvProblem::Strides *> outputs = outputStrides(nest);
  int64_t channels = q.outPerGroup(), terms = q.inPerGroup();
  size_t best = 0;
  bool joins = false;
  for (size_t i = 1; i < nest.groupSizes.size() && !joins; ++i) {
    joins = from.group[i] == channels * from.outer &&
            std::all_of(outputs.begin(), outputs.end(),
                        [&](const ConvProblem::Strides *to) {
                          return to->group[i] == channels * to->channel;
                        });
    // The last of equals: width, which memory runs along.
    if (joins || best == 0 || nest.groupSizes[i] >= nest.groupSizes[best])
      best = i;
  }
  if (!joins && (best == 0 || nest.groupSizes[best] <= channels))
    return;
  int64_t phases = nest.groupSizes[best];
  if (joins) {
    nest.groupSizes[best] = 1;
    q.groups /= phases;
    phases *= channels;
  } else {
    std::swap(from.outer, from.group[best]);
    for (ConvProblem::Strides *to : outputs)
      std::swap(to->channel, to->group[best]);
    nest.groupSizes[best] = channels;
    q.groups = q.groups / phases * channels;
  }
  q.inChannels = terms * q.groups;
  q.outChannels = phases * q.groups;
}

std::vector<ConvNest> boo::compiler::makeGradInputNests(const Graph &group,
                                                        bool *gaps) {
  const Node &node = group.nodes().front();
  assert(node.op == Op::ConvGradInput && "the group is one such node");
  ConvProblem p =
      convProblem(group, node, group.value(group.outputs()[0].value).type);
  *gaps = false;
  // Lanes that run over groups leave no room for phases among these: a few
  // phases have nests of their own.
  bool depthwise = p.groups > 1 && p.inPerGroup() == 1 && p.outPerGroup() == 1;
  auto families = [&](bool join) {
    std::array<std::vector<Phases>, 3> all;
    for (size_t d = 0; d != 3; ++d)
      all[d] = allPhases(p, d, join, gaps);
    return all;
  };
  auto product = families(!depthwise);
  constexpr size_t mostNests = 9;
  if (product[0].size() * product[1].size() * product[2].size() > mostNests)
    product = families(true);

  std::vector<ConvNest> nests;
  for (const Phases &depth : product[0])
    for (const Phases &height : product[1])
      for (const Phases &width : product[2]) {
        ConvNest nest = forwardNest(group, p);
        setDimension(nest, 0, depth, p.stride[0]);
        setDimension(nest, 1, height, p.stride[1]);
        setDimension(nest, 2, width, p.stride[2]);
        widenLanes(nest);
        finishNest(nest);
        nests.push_back(std::move(nest));
      }
  std::stable_sort(nests.begin(), nests.end(),
                   [](const ConvNest &a, const ConvNest &b) {
                     return std::pair(a.problem.flops(), a.taps()) >
                            std::pair(b.problem.flops(), b.taps());
                   });
  return nests;
}
