//===- ConvGrid.h - In which order tiles of a product go --------*- C++ -*-===//
#pragma once

#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Strategy.h"

namespace boo::compiler {

/// A filter that is used for so few pixels is read once, from end to end.
constexpr int64_t streamPixels = 4;

/// What a register tile is made of.
struct TileElements {
  int64_t lanes; ///< of its vectors
  int64_t bytes; ///< of an operand's element
};

/// Chooses what a grid tile of direct sums works through, with tile, filter and
/// input already chosen: chunks of channel blocks, pieces of rows, which goes
/// outermost, where the filter is packed, and whether threads share the work.
void chooseConvGrid(const ConvNest &nest, const Target &target,
                    const NestBounds &bounds, const TileElements &elements,
                    Decision &decision);

} // namespace boo::compiler
