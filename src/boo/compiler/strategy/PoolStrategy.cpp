//===- PoolStrategy.cpp - Schedules of poolings ---------------------------===//
//
// These are bound by memory too. The rows that a row of windows meets come from
// the caches, all but one; what is left to decide is where the lanes lie and
// how many channels are worked on together.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/strategy/PoolNest.h"
#include "boo/compiler/strategy/Strategy.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// As of rows (RowStrategy.cpp).
static constexpr int64_t tileBytes = 32 << 10;
static constexpr int64_t serialBytes = 64 << 10;
static constexpr int64_t mostVectors = 4;
/// Of a scratch row of some channels.
static constexpr int64_t mostScratch = 64 << 20;

Decision boo::compiler::decidePool(const Graph &group, const Target &target) {
  PoolNest nest(group);
  const PoolProblem &p = nest.P;
  RegisterFile registers = registerFile(target.isa);
  Decision decision;
  Schedule &s = decision.schedule;
  s.algorithm = Algorithm::Pool;
  s.vectorBits = registers.bits;
  s.fma = registers.fma;
  int64_t lanes = nest.lanes(s.vectorBits);
  // Where neither lies side by side the longer one has the lanes.
  bool channelsBeside = nest.in.channel == 1 && p.channels > 1;
  bool columnsBeside = nest.in.spatial[2] == 1 || p.channels == 1;
  s.dot = !channelsBeside && (columnsBeside || p.in[2] >= p.channels);
  s.dot |= nest.scratchBytes(s) > mostScratch;
  if (s.dot) {
    s.kUnroll = std::min(mostVectors, ceilDiv(p.in[2], lanes));
    decision.why.push_back("pool: lanes along the rows of images");
  } else {
    int64_t vectors = ceilDiv(p.channels, lanes);
    s.nVectors = std::min(mostVectors, vectors);
    while (s.nVectors > 1 && nest.scratchBytes(s) > target.l1Bytes / 2)
      --s.nVectors;
    // Blocks of one size, nearly.
    s.nVectors = ceilDiv(vectors, ceilDiv(vectors, s.nVectors));
    decision.why.push_back("pool: lanes over channels, " +
                           std::to_string(s.nVectors * lanes) + " at a time");
  }
  int64_t unitBytes = 2 * nest.blockChannels(s) * dtypeBytes(p.dtype) *
                      std::max(p.in[2], p.out[2]);
  int64_t units = nest.units(s);
  s.wChunk = std::clamp<int64_t>(tileBytes / unitBytes, 1,
                                 std::max<int64_t>(units, 1));
  s.serial = units * unitBytes <= serialBytes;
  decision.why.push_back(s.serial ? "one grid tile: too little work to share"
                                  : "grid tiles of " +
                                        std::to_string(s.wChunk) + " rows");
  return decision;
}

Status boo::compiler::checkPoolSchedule(const Graph &group,
                                        const Schedule &schedule) {
  PoolNest nest(group);
  constexpr double most = double(int64_t(1) << 30);
  double bytes = double(nest.positions()) *
                 double(nest.blockChannels(schedule)) *
                 double(nest.hasIndices ? 20 : 8);
  if (bytes > most)
    return invalidArgument(
        "schedule: n_vectors=" + std::to_string(schedule.nVectors) +
        " needs more than 1 GiB of scratch");
  if (schedule.amx || schedule.pairs)
    return invalidArgument("schedule: amx=1 and pairs=1 serve products only");
  return Status::ok();
}
