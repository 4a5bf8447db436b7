//===- CheckConvSchedule.cpp - Schedules fit for a group ------------------===//
//
// Which Schedules the emitter can obey, and in which form it wants them.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/EdgePixels.h"
#include "boo/compiler/strategy/Strategy.h"
#include "boo/ops/conv/Winograd.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

Schedule boo::compiler::fitNestSchedule(const ConvNest &nest,
                                        Schedule schedule) {
  int64_t width = nest.problem.out[2];
  if (!schedule.scratchInput)
    for (int64_t edge : edgePixels(nest.problem))
      width -= edge;
  if (int64_t tile = winogradTile(algorithmName(schedule.algorithm)))
    width = winogradTiles(nest.problem, tile);
  int64_t lanes =
      schedule.dot ? 1
                   : schedule.vectorBits / (8 * dtypeBytes(nest.computeType()));
  // A matrix unit takes whole tiles.
  if (!schedule.amx)
    schedule.mTile = std::min(schedule.mTile, width);
  schedule.wChunk = std::min(schedule.wChunk, ceilDiv(width, schedule.mTile));
  schedule.hChunk = std::min(schedule.hChunk, nest.problem.out[1]);
  schedule.nChunk = std::min(
      schedule.nChunk, ceilDiv(nest.nExtent(), schedule.nVectors * lanes));
  return schedule;
}

Schedule boo::compiler::adaptSchedule(const ConvNest &nest, Schedule schedule) {
  if (schedule.filterInPlace && !nest.needsPacking(schedule.dot).empty())
    schedule.filterInPlace = schedule.dot = false;
  if (nest.taps() != 1)
    schedule.kChunk = 0;
  if (schedule.kChunk != 0 || nest.depthwise)
    schedule.hChunk = 1;
  schedule.packInside &=
      !schedule.filterInPlace && schedule.kChunk == 0 && !nest.depthwise;
  schedule.scratchInput |=
      !nest.needsScratch(schedule.keepsBf16()).empty() ||
      (schedule.dot && nest.problem.inStrides.channel != 1);
  return fitNestSchedule(nest, schedule);
}

/// The nests that one Schedule serves.
static std::vector<ConvNest> nestsOf(const Graph &group) {
  bool gaps = false;
  if (group.nodes().front().op == Op::ConvGradInput)
    return makeGradInputNests(group, &gaps);
  return {makeConvNest(group)};
}

Schedule boo::compiler::fitConvSchedule(const Graph &group, Schedule schedule) {
  std::vector<ConvNest> nests = nestsOf(group);
  return nests.empty() ? schedule : fitNestSchedule(nests.front(), schedule);
}

Status boo::compiler::checkNestSchedule(const ConvNest &nest,
                                        const Target &target,
                                        const Schedule &schedule) {
  int64_t bits = 8 * dtypeBytes(nest.computeType());
  int64_t vector = schedule.vectorBits;
  auto refuse = [](std::string reason) {
    return invalidArgument("schedule: " + std::move(reason));
  };
  if (vector < bits)
    return refuse("vector_bits must be at least " + std::to_string(bits));
  if (schedule.mTile * schedule.nVectors > 64)
    return refuse("m_tile x n_vectors may be 64 at most: the tile is unrolled");
  if (schedule.mTile * schedule.nVectors * schedule.kUnroll > 256)
    return refuse("m_tile x n_vectors x k_unroll may be 256 at most");
  if (isWinograd(schedule.algorithm)) {
    if (vector < 128)
      return refuse("vector_bits must be at least 128 for winograd");
    if (nest.problem.inStrides.channel != 1 && !schedule.scratchInput)
      return refuse("scratch_input=0 cannot serve this input: its channels are "
                    "not contiguous");
    return Status::ok();
  }
  if (schedule.amx) {
    int64_t rows = ceilDiv(schedule.mTile, 16), columns = schedule.nVectors;
    if (target.isa != Isa::Amx || nest.problem.dtype != DType::BF16 ||
        nest.depthwise)
      return refuse("amx=1 needs dense bf16 sums and the target amx");
    if (!schedule.scratchInput || vector != 512 || schedule.mTile % 16 != 0 ||
        rows * columns + rows + columns > 8)
      return refuse(
          "amx=1 needs scratch_input=1, vector_bits=512 and an m_tile "
          "of 16 or 32 whose sums, A and B fit eight tiles");
  }
  if (schedule.pairs &&
      (!target.fastBf16Dot || nest.problem.dtype != DType::BF16 ||
       nest.depthwise || schedule.amx || vector < 128))
    return refuse("pairs=1 needs a dense bf16 convolution, a target with "
                  "bf16dot=1, vector_bits of at least 128 and no amx");
  if (schedule.dot && !schedule.filterInPlace)
    return refuse("dot=1 needs filter_in_place=1");
  if (schedule.filterInPlace) {
    if (schedule.amx)
      return refuse("filter_in_place=1 cannot feed a matrix unit");
    if (std::string reason = nest.needsPacking(schedule.dot); !reason.empty())
      return refuse("filter_in_place=1 cannot serve this filter: " + reason);
    if (schedule.dot && !schedule.scratchInput &&
        nest.problem.inStrides.channel != 1)
      return refuse("dot=1 needs scratch_input=1 for this input");
  }
  if (schedule.packInside && (schedule.filterInPlace || schedule.kChunk != 0))
    return refuse("pack_inside=1 packs a filter, for a reduction in one piece");
  if (schedule.packInside && nest.depthwise)
    return refuse("pack_inside=1 is not for a depthwise filter, which a tile "
                  "reads whole for each few pixels");
  if (schedule.filterInPlace && schedule.pairs)
    return refuse("filter_in_place=1 holds no pairs");
  if (schedule.kChunk != 0 &&
      (nest.taps() != 1 || nest.depthwise || schedule.amx || schedule.dot))
    return refuse("k_chunk needs one tap and lanes over the channels");
  if (schedule.hChunk != 1 && (schedule.kChunk != 0 || nest.depthwise))
    return refuse("h_chunk needs a reduction in one piece and lanes over the "
                  "channels");
  if (schedule.kChunk != 0 && schedule.pairs &&
      (schedule.kChunk % 2 != 0 || nest.kChannels() % 2 != 0))
    return refuse("k_chunk must cut the reduction into whole pairs");
  if (std::string reason = nest.needsScratch(schedule.keepsBf16());
      !reason.empty() && !schedule.scratchInput)
    return refuse("scratch_input=0 cannot serve this input: " + reason);
  return Status::ok();
}

Status boo::compiler::checkConvSchedule(const Graph &group,
                                        const Target &target,
                                        const Schedule &schedule) {
  std::vector<ConvNest> nests = nestsOf(group);
  for (size_t i = 0; i != nests.size(); ++i) {
    // The first one is what the Schedule is for.
    Schedule own = i == 0 ? schedule : adaptSchedule(nests[i], schedule);
    BOO_RETURN_IF_ERROR(checkNestSchedule(nests[i], target, own));
  }
  return Status::ok();
}
