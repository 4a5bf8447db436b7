//===- ScheduleCost.cpp - What a Schedule is expected to take -------------===//

#include "boo/compiler/strategy/ScheduleCost.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/compiler/strategy/Strategy.h"

#include <algorithm>
#include <cmath>

using namespace boo;
using namespace boo::compiler;

/// Cycles for a byte that comes from beyond the second-level cache, for one
/// that is copied to scratch, and for one that is packed.
static constexpr double cyclesPerFarByte = 0.04, cyclesPerCopiedByte = 0.1,
                        cyclesPerPackedByte = 0.2;
/// Of finding a grid tile's place, and of waking the other threads.
static constexpr double gridTileCycles = 300, wakeCycles = 6000;

namespace {

class NestCost {
public:
  NestCost(const ConvNest &nest, const Target &target, const Schedule &schedule)
      : Nest(nest), P(nest.problem), T(target), S(schedule),
        Bytes(S.keepsBf16() ? 2 : dtypeBytes(nest.computeType())),
        Lanes(std::max<int64_t>(1, S.vectorBits / 8 / Bytes)),
        Tiles(ceilDiv(P.out[2], S.mTile)),
        Blocks(ceilDiv(nest.nExtent(), S.nVectors * (S.dot ? 1 : Lanes))),
        Rows(double(P.batch) * double(P.out[0] * P.out[1]) *
             double(nest.groupLoops())) {}

  double cycles() const {
    double work = productCycles() + filterCycles() + inputCycles();
    if (S.serial)
      return work + gridTileCycles;
    double grid = Rows * pieces() * chunks(), cores = double(T.cores);
    double busiest = std::ceil(grid / cores) * cores / std::max(grid, 1.0);
    return (work * busiest + gridTileCycles * grid) / cores + wakeCycles;
  }

private:
  /// Of a row, and of the channel blocks, that the grid consists of.
  double pieces() const { return double(ceilDiv(Tiles, S.wChunk)); }
  double chunks() const { return double(ceilDiv(Blocks, S.nChunk)); }

  double productCycles() const {
    TileWork work = tileWork(Nest, T, Bytes);
    double steps = double(P.reduction()) / (S.dot ? double(Lanes) : 1);
    double cycles =
        registerTileCost(T, work, S.mTile, S.nVectors, S.dot ? 1 : Lanes) *
        Rows * steps * (1 + 0.02 / double(S.kUnroll));
    RegisterFile registers = registerFile(T.isa);
    int64_t used = S.mTile * S.nVectors + S.nVectors + 1 + (S.fma ? 0 : 1);
    if (!S.amx && used > registers.count)
      cycles *= 1 + 0.1 * double(used - registers.count);
    // Between chunks of the reduction sums go to scratch and come back.
    if (S.kChunk != 0)
      cycles += double(ceilDiv(Nest.kChannels(), S.kChunk) - 1) * Rows *
                double(P.out[2] * Nest.nExtent()) / double(Lanes);
    return cycles;
  }

  double filterCycles() const {
    double block =
        double(P.reduction() * S.nVectors * Bytes) * double(S.dot ? 1 : Lanes);
    double all = block * double(Blocks) * double(Nest.groupLoops());
    double cycles = S.filterInPlace ? 0 : all * cyclesPerPackedByte;
    // What leaves the cache is read again for each piece of a row.
    bool stays = block * double(S.filterOuter ? S.nChunk : Blocks) <=
                 0.75 * double(T.l2Bytes);
    double reads = stays ? 1 : Rows * pieces() / double(Nest.groupLoops());
    return cycles + all * reads * cyclesPerFarByte;
  }

  double inputCycles() const {
    double bytes = Rows * double(P.filter[0] * P.filter[1]) *
                   double(P.out[2] * P.stride[2] * Nest.kChannels() * Bytes);
    if (!S.scratchInput)
      return bytes * chunks() * cyclesPerFarByte;
    return bytes * chunks() * cyclesPerCopiedByte;
  }

  const ConvNest &Nest;
  const ConvProblem &P;
  const Target &T;
  const Schedule &S;
  int64_t Bytes, Lanes, Tiles, Blocks;
  double Rows;
};

} // namespace

double boo::compiler::nestCost(const ConvNest &nest, const Target &target,
                               const Schedule &schedule) {
  return NestCost(nest, target, schedule).cycles();
}

int64_t boo::compiler::blocksForCopy(const ConvNest &nest,
                                     const Schedule &schedule) {
  if (!schedule.scratchInput || nest.matmul)
    return 1;
  const ConvProblem &p = nest.problem;
  int64_t bytes = schedule.keepsBf16() ? 2 : dtypeBytes(nest.computeType());
  double columns = double((p.out[2] - 1) * p.stride[2] + p.filter[2]);
  double copied = double(p.filter[0] * p.filter[1]) * columns *
                  double(nest.kChannels() * bytes);
  double products = double(p.out[2]) * double(p.reduction()) *
                    double(schedule.nVectors) / (schedule.keepsBf16() ? 2 : 1);
  constexpr double cyclesPerByte = 0.06, small = 1.0 / 64;
  double blocks = copied * cyclesPerByte / (small * std::max(1.0, products));
  return int64_t(std::min(std::ceil(blocks), 1e6));
}
