//===- SeparableStrategy.cpp - Schedules of separable convolutions --------===//
//
// A depthwise convolution has little work for what it reads and writes, the 1x1
// convolution behind it much: rows of the first one's output are computed into
// scratch that stays in the L2 cache, and the second one reads them there. Each
// has the Schedule of a convolution of its own; what is chosen here is how many
// rows a grid tile computes, and how many of the output's channels.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/SeparableNest.h"
#include "boo/compiler/strategy/Strategy.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// Enough pixels for register tiles without much waste, and for what is read of
/// the 1x1 filter to be used often; but the rows have to stay in the L2 cache.
/// A few more where that leaves no thread without work at the end.
static int64_t chooseRows(const Graph &group, const Target &target) {
  constexpr int64_t enoughPixels = 48;
  ConvNest nest = makeSeparableNests(group, 1).depthwise;
  const ConvProblem &p = nest.problem;
  int64_t rowBytes = p.out[2] * p.outChannels * dtypeBytes(nest.computeType());
  int64_t all = p.batch * p.out[0] * p.out[1];
  // Rows that the busiest thread has time for beyond its share, of all.
  auto idle = [&](int64_t rows) {
    int64_t most = ceilDiv(ceilDiv(all, rows), target.cores) * rows;
    return double(most * target.cores) / double(all) - 1;
  };
  int64_t best = 1;
  for (int64_t rows : joinedRows(group)) {
    bool fits = rows * rowBytes <= target.l2Bytes / 4;
    bool few = best * p.out[2] < enoughPixels;
    bool balances =
        rows * rowBytes <= target.l2Bytes / 2 && idle(best) - idle(rows) > 0.1;
    if ((fits && few) || balances)
      best = rows;
  }
  return best;
}

/// Channel blocks of a grid tile: all, if there are rows enough for the threads
/// to share. A tile of the same rows and other channels computes the depthwise
/// convolution again, so it must have many times as much work of its own.
static int64_t chooseBlocks(const SeparableNests &nests, const Target &target,
                            const Schedule &schedule) {
  constexpr int64_t worthIt = 32; ///< times the depthwise convolution's work
  const ConvProblem &p = nests.pointwise.problem;
  int64_t lanes =
      schedule.vectorBits / (8 * dtypeBytes(nests.pointwise.computeType()));
  int64_t blockChannels = schedule.nVectors * lanes;
  int64_t blocks = ceilDiv(nests.pointwise.nExtent(), blockChannels);
  int64_t fewest = std::min(
      blocks, ceilDiv(worthIt * nests.depthwise.taps(), blockChannels));
  int64_t tiles = p.batch * p.out[0] * p.out[1];
  int64_t most = blocks / fewest, chunks = 1;
  while (chunks < most && tiles * chunks < 4 * target.cores &&
         tiles * chunks % std::max<int64_t>(1, target.cores) != 0)
    ++chunks;
  return ceilDiv(blocks, chunks);
}

Decision boo::compiler::decideSeparable(const Graph &group,
                                        const Target &target,
                                        std::string_view math) {
  int64_t rows = chooseRows(group, target);
  SeparableNests nests = makeSeparableNests(group, rows);
  Decision result = decideNest(nests.pointwise, target, math, {true, 0});
  Schedule &s = result.schedule;
  Decision first =
      decideNest(nests.depthwise, target, math, {false, s.vectorBits});
  s.algorithm = Algorithm::Separable;
  s.rows = rows;
  s.nChunk = chooseBlocks(nests, target, s);
  s.filterOuter = false;
  setDepthwiseSchedule(s, first.schedule);
  double flops =
      nests.depthwise.problem.flops() + nests.pointwise.problem.flops();
  s.serial = flops < 5e5;
  std::vector<std::string> why{
      "separable: " + std::to_string(rows) +
      " rows of the depthwise "
      "convolution at a time stay in scratch, where the 1x1 convolution reads "
      "them"};
  for (const std::string &reason : first.why)
    why.push_back("first " + reason);
  for (const std::string &reason : result.why)
    why.push_back("then " + reason);
  result.why = std::move(why);
  return result;
}

Status boo::compiler::checkSeparableSchedule(const Graph &group,
                                             const Target &target,
                                             const Schedule &schedule) {
  std::vector<int64_t> all = joinedRows(group);
  if (std::find(all.begin(), all.end(), schedule.rows) == all.end())
    return invalidArgument("schedule: rows must divide the image's rows, and "
                           "be 1 where these do not follow each other");
  SeparableNests nests = makeSeparableNests(group, schedule.rows);
  if (!schedule.scratchInput || schedule.kChunk != 0 || schedule.dot ||
      schedule.hChunk != 1)
    return invalidArgument("schedule: separable needs scratch_input=1, "
                           "k_chunk=0, h_chunk=1 and dot=0");
  BOO_RETURN_IF_ERROR(checkNestSchedule(nests.pointwise, target, schedule));
  return checkNestSchedule(nests.depthwise, target,
                           depthwiseSchedule(schedule));
}

Schedule boo::compiler::fitSeparableSchedule(const Graph &group,
                                             Schedule schedule) {
  SeparableNests nests = makeSeparableNests(group, schedule.rows);
  schedule = fitNestSchedule(nests.pointwise, schedule);
  // Of a row in scratch, all is read.
  schedule.wChunk = ceilDiv(nests.pointwise.problem.out[2], schedule.mTile);
  setDepthwiseSchedule(
      schedule, fitNestSchedule(nests.depthwise, depthwiseSchedule(schedule)));
  return schedule;
}
