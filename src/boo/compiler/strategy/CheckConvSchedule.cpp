//===- CheckConvSchedule.cpp - Schedules that come from elsewhere ---------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Strategy.h"

using namespace boo;
using namespace boo::compiler;

Status boo::compiler::checkConvSchedule(const Graph &group,
                                        const Target &target,
                                        const Schedule &schedule) {
  ConvNest nest = makeConvNest(group);
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
  if (schedule.kChunk != 0 &&
      (nest.taps() != 1 || nest.depthwise || schedule.amx || schedule.dot))
    return refuse("k_chunk needs one tap and lanes over the channels");
  if (std::string reason = nest.needsScratch();
      !reason.empty() && !schedule.scratchInput)
    return refuse("scratch_input=0 cannot serve this input: " + reason);
  return Status::ok();
}
