//===- RegisterTile.cpp - The size of a register tile ---------------------===//

#include "boo/compiler/strategy/RegisterTile.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Strategy.h"

#include <algorithm>

using namespace boo;
using namespace boo::compiler;

/// Cycles of one reduction step of an m x v tile.
static double stepCost(int64_t m, int64_t v, double filterCycles,
                       const TileWork &work) {
  double multiply = 0.5 * double(m * v);
  double load = 0.5 * double(m + v);
  // Fewer than eight sums in flight wait for the multiplier's latency.
  return std::max({multiply, load, 4.0}) + filterCycles * double(v) +
         work.rowCycles * double(m) + work.openLoads * load;
}

TileWork boo::compiler::tileWork(const ConvNest &nest, const Target &target,
                                 int64_t elementBytes) {
  const ConvProblem &p = nest.problem;
  TileWork work{p.out[2], nest.nExtent(), p.reduction(), elementBytes};
  // A row's taps at once: its pixels share columns of the input.
  constexpr int64_t mostSteps = 7;
  if (nest.depthwise && p.filter[2] <= mostSteps)
    work.filterSteps = p.filter[2];
  bool fewRegisters = registerFile(target.isa).count == 16;
  // Pixels that fall into the same sets of a cache are better looked at once,
  // by tiles as wide as can be: where there are registers for whole lines.
  constexpr int64_t setsBytes = 2048;
  int64_t pixelBytes = p.inStrides.spatial[2] * dtypeBytes(p.dtype);
  if (work.filterSteps > 1 && (fewRegisters || pixelBytes % setsBytes != 0))
    work.mostSums = fewRegisters ? 8 : sumsOfShortTile(target.isa);
  if (work.mostSums != 0)
    work.rowCycles = 0.1;
  // Tiles of 16 registers load nearly as often as they multiply: on Zen 3 a
  // tile of 14 x 8 takes 1.2 times as long as one of 6 x 16.
  if (fewRegisters && !nest.depthwise)
    work.openLoads = 0.1;
  return work;
}

double boo::compiler::registerTileCost(const Target &target,
                                       const TileWork &work, int64_t m,
                                       int64_t v, int64_t lanes) {
  int64_t block = work.reduction * v * lanes * work.elementBytes;
  // A block that leaves the second-level cache comes from the third in order,
  // which is fetched ahead of its use. Zen 3, 512 channels of 3x3 for rows of
  // 7: tiles of 4 x 24 are 1.0 to 1.25 times as fast as those of 7 x 8.
  double filterCycles = block > target.l2Bytes * 3 / 4 ? 0.5 : 0.3;
  int64_t restM = work.m % m, restN = work.n % (v * lanes);
  int64_t restV = ceilDiv(restN, lanes);
  double cost = 0;
  for (auto [mCount, mSize] :
       {std::pair(work.m / m, m), std::pair(int64_t(restM != 0), restM)})
    for (auto [nCount, nSize] : {std::pair(work.n / (v * lanes), v),
                                 std::pair(int64_t(restN != 0), restV)})
      if (mCount * nCount != 0)
        cost += double(mCount * nCount) *
                (stepCost(mSize, nSize, filterCycles, work) +
                 8.0 / double(std::max<int64_t>(1, work.reduction)));
  if (work.mostSums != 0 && m * v > work.mostSums)
    cost *= 1.1;
  // At the same number of instructions shorter vectors win: some cores split
  // the long ones.
  return cost * (1.0 + 0.0001 * double(lanes));
}

int64_t boo::compiler::mostTileRows(const RegisterFile &registers, bool fma,
                                    int64_t vectors, int64_t filterSteps) {
  // The sums, rows of the filter, one input element, and without fused
  // multiply-add a product, or two that follow each other closely.
  int64_t products = fma ? 0 : filterSteps > 1 ? 2 : 1;
  return (registers.count - filterSteps * vectors - 1 - products) / vectors;
}

int64_t boo::compiler::sumsOfShortTile(Isa isa) {
  RegisterFile registers = registerFile(isa);
  return registers.count == 32 ? registers.count / 2 : 0;
}

int64_t boo::compiler::unrolledSteps(const RegisterTile &tile,
                                     const RegisterFile &registers,
                                     int64_t run) {
  constexpr int64_t enough = 48, longRun = 32;
  if (tile.nVectors == 1 || !registers.fma)
    return 1;
  bool isLong = run >= longRun;
  auto fits = [&](int64_t steps) {
    return steps * tile.m * tile.nVectors <= enough &&
           (isLong || (run % steps == 0 && run > steps));
  };
  return fits(4) ? 4 : fits(2) ? 2 : !isLong && fits(3) ? 3 : 1;
}

void boo::compiler::chooseRegisterTile(const Target &target, int64_t bits,
                                       const TileWork &work, RegisterTile &best,
                                       RegisterTile &widest) {
  RegisterFile registers = registerFile(target.isa);
  int64_t lanes = bits / 8 / work.elementBytes;
  for (int64_t v = 1; v <= 4; ++v) {
    if (v > 1 && (v - 1) * lanes >= work.n)
      break;
    int64_t largest = std::min(
        mostTileRows(registers, registers.fma, v, work.filterSteps), work.m);
    if (work.mostSums != 0)
      largest = std::min(largest, work.mostSums / v);
    for (int64_t m = 1; m <= largest; ++m) {
      RegisterTile choice{m, v, bits,
                          registerTileCost(target, work, m, v, lanes)};
      if (best.m == 0 || choice.cost < best.cost)
        best = choice;
      if (m == largest && (widest.m == 0 || choice.cost < widest.cost))
        widest = choice;
    }
  }
}
