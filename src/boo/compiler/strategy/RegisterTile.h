//===- RegisterTile.h - The size of a register tile -------------*- C++ -*-===//
//
// A small cost model in cycles of an imagined core with two multiply-add and
// two load ports: only their order matters.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Target.h"

#include <cstdint>

namespace boo::compiler {

struct ConvNest;
struct RegisterFile;

/// A product of `m` by `n` that tiles are cut from.
struct TileWork {
  int64_t m, n;
  int64_t reduction; ///< steps
  int64_t elementBytes;
  int64_t filterSteps = 1; ///< reduction steps whose filter registers hold
  int64_t mostSums = 0;    ///< vectors of sums at most, if not 0
  double rowCycles = 0.02; ///< of going on to another of the m
  double openLoads = 0;    ///< share of loads that products do not hide
};

/// Of a nest's rows of output, computed in elements of so many bytes.
TileWork tileWork(const ConvNest &nest, const Target &target,
                  int64_t elementBytes);

/// Cycles of one reduction step of the whole product, by tiles of `m` x `v`
/// vectors of `lanes`, remainders included. What a tile spills is not counted.
double registerTileCost(const Target &target, const TileWork &work, int64_t m,
                        int64_t v, int64_t lanes);

/// Rows of a tile of `vectors` vectors for which `registers` suffice, less than
/// 1 where there are too few. `fma`: products are added as they are made.
int64_t mostTileRows(const RegisterFile &registers, bool fma, int64_t vectors,
                     int64_t filterSteps = 1);

/// Vectors of sums at most, 0 for no bound, of tiles whose sums are short or
/// whose operands come from far: one that takes half of the registers leaves
/// the core room to begin the next. Measured with 32 of them.
int64_t sumsOfShortTile(Isa isa);

struct RegisterTile {
  int64_t m = 0, nVectors = 0, bits = 0;
  double cost = 0; ///< of one reduction step of the whole product
};

/// Reduction steps in a round of a tile's loop: as many as make multiplications
/// many beside the loop's own instructions. Two threads of a core share what
/// decodes them: Zen 3, tiles of 6 x 16, 1.03 to 1.15 times as fast then; tiles
/// of one vector of channels, 0.85. Without fused multiply-add the products of
/// several steps would need registers of their own. A short loop of `run` steps
/// is one of two whole rounds and more: with a step left over, or as a single
/// round, whose registers spill, it takes 1.1 to 1.4 times as long.
int64_t unrolledSteps(const RegisterTile &tile, const RegisterFile &registers,
                      int64_t run);

/// Replaces `best` where a tile of vectors of `bits` costs less, and `widest`
/// where one of those does that fill the registers.
void chooseRegisterTile(const Target &target, int64_t bits,
                        const TileWork &work, RegisterTile &best,
                        RegisterTile &widest);

} // namespace boo::compiler
