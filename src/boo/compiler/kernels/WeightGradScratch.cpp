//===- WeightGradScratch.cpp - What the tiles of a piece of the sum read --===//
//
// Where channels lie side by side, the pixels of a sum lie a power of two apart
// more often than not, and then few of them stay in a cache at a time, however
// large it is. Copied, what a register tile reads is one run of memory.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/kernels/WeightGradEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

int64_t WeightGradEmitter::panelElements() const {
  // Whole vectors are stored: the last one reaches past its panel.
  int64_t vectors = ceilDiv(S.mTile, Lanes);
  int64_t elements = Cut.pixels() * S.mTile + vectors * Lanes - S.mTile;
  return ceilDiv(elements, Lanes) * Lanes;
}

bool WeightGradEmitter::copies(const Side &side) const {
  if (!S.scratchInput || !Nest.mergesTaps || side.isInput)
    return S.scratchInput;
  // Pixels of a single group lie side by side, in few lines of the cache.
  return P.groups > 1 || Stored != Compute || side.channels % Lanes != 0;
}

int64_t WeightGradEmitter::copiedElements(const Side &side) const {
  if (!copies(side))
    return 0;
  if (Nest.mergesTaps && side.isInput)
    return windowElements();
  return &side == &LaneSide ? S.nChunk * Cut.pixels() * BlockChannels
                            : S.wChunk * panelElements();
}

int64_t WeightGradEmitter::rowsAtScratch() const {
  int64_t bytes = Compute.getIntOrFloatBitWidth() / 8;
  return ceilDiv(copiedElements(LaneSide) * bytes, 64) * 64;
}

int64_t WeightGradEmitter::placeAtScratch(const Side &side) const {
  return &side == &LaneSide ? 0 : rowsAtScratch();
}

int64_t WeightGradEmitter::scratchBytes() const {
  return rowsAtScratch() +
         copiedElements(RowSide) * Compute.getIntOrFloatBitWidth() / 8;
}

int64_t WeightGradEmitter::scratchStep(size_t i) const {
  int64_t stride = 1;
  for (size_t inner = i + 1; inner != 4; ++inner)
    stride *= Cut.extent[inner];
  return stride;
}

void WeightGradEmitter::forPixels(
    const Side &side, const Place &at,
    const std::function<void(Value, Value)> &body) {
  Placed placed = inPlace(side);
  Value first = address(side, placed, at);
  std::function<void(size_t, Value, Value)> walk = [&](size_t i, Value from,
                                                       Value number) {
    if (i == 4)
      return body(from, number);
    if (isSinglePlace(i))
      return walk(i + 1, from, number);
    K.loop(K.index(0), at.count[i], 1, [&](Value step) {
      walk(i + 1, K.add(from, K.mul(step, pixelStep(side, placed, i))),
           K.add(number, K.mul(step, scratchStep(i))));
    });
  };
  walk(0, first, K.index(0));
}

void WeightGradEmitter::fillScratch(const Place &at) {
  for (const Side *side : {&LaneSide, &RowSide}) {
    if (!copies(*side))
      continue;
    if (Nest.mergesTaps && side->isInput)
      fillWindows(at);
    else if (side == &LaneSide)
      fillPanels(*side, at,
                 {at.firstBlock, at.blocks, blocks(), BlockChannels,
                  Cut.pixels() * BlockChannels});
    else
      fillPanels(
          *side, at,
          {at.firstTile, at.tiles, rowTiles(), S.mTile, panelElements()});
  }
}

WeightGradEmitter::Operand WeightGradEmitter::copied(const Side &side,
                                                     const Place &at,
                                                     const TilePlace &tile) {
  bool isLanes = &side == &LaneSide;
  Operand result{K.buffer(ArgField::Scratch, placeAtScratch(side), Compute),
                 K.index(0),
                 1,
                 {}};
  if (Nest.mergesTaps && side.isInput) {
    Value channel = isLanes ? K.mul(K.add(at.firstBlock, tile.i), BlockChannels)
                            : K.mul(K.add(at.firstTile, tile.j), S.mTile);
    for (size_t i = 0; i != 4; ++i)
      result.step[i] = windowStep(i) * (i == 0 ? 1 : P.stride[i - 1]);
    for (size_t d = 0; d != 2; ++d)
      channel = K.add(channel, K.mul(at.tap[d], windowStep(d + 1)));
    result.start = channel;
  } else {
    result.start = isLanes ? K.mul(tile.i, Cut.pixels() * BlockChannels)
                           : K.mul(tile.j, panelElements());
    for (size_t i = 0; i != 4; ++i)
      result.step[i] = scratchStep(i) * (isLanes ? BlockChannels : S.mTile);
  }
  // The tap may meet the piece from a later pixel on only.
  for (size_t i = 0; i != 4; ++i)
    result.start = K.add(result.start,
                         K.mul(K.sub(at.low[i], at.first[i]), result.step[i]));
  return result;
}

void WeightGradEmitter::fillPanels(const Side &side, const Place &at,
                                   const Panels &panels) {
  OpBuilder &b = K.builder();
  int64_t rest = side.channels - (panels.all - 1) * panels.width;
  Value source = K.buffer(ArgField::In, argument(side.value), Stored);
  Value target = K.buffer(ArgField::Scratch, placeAtScratch(side), Compute);
  // A tile takes some of a pixel's channels: short runs, which the hardware
  // foresees too late.
  int64_t ahead = 4 * pixelStep(side, inPlace(side), 3);
  forPixels(side, at, [&](Value from, Value pixel) {
    K.loop(K.index(0), panels.count, 1, [&](Value i) {
      Value panel = K.add(panels.first, i);
      Value in = K.add(from, K.mul(panel, panels.width));
      Value to = K.add(K.mul(i, panels.pitch), K.mul(pixel, panels.width));
      K.prefetch(source, K.add(in, ahead), /*level=*/1);
      auto copy = [&](int64_t channels) {
        // Pixels are written in order: what a vector writes beyond its pixel,
        // the next one writes again.
        for (int64_t v = 0; v < channels; v += Lanes) {
          Value row = loadPrefix(b, K.loc(), source, K.add(in, v), Lanes,
                                 std::min(Lanes, channels - v));
          vector::StoreOp::create(b, K.loc(), K.convert(row, Compute), target,
                                  K.add(to, v));
        }
      };
      if (rest == panels.width)
        return copy(rest);
      K.ifThen(
          K.equal(panel, panels.all - 1), [&] { copy(rest); },
          [&] { copy(panels.width); });
    });
  });
}

void WeightGradEmitter::zeroSums(const Place &at) {
  OpBuilder &b = K.builder();
  Value target = K.buffer(ArgField::Workspace, PartialSlot, Compute);
  Value zero = zeros(VectorType::get({Lanes}, Compute));
  Value low = K.mul(at.firstTile, S.mTile);
  Value high =
      K.min(K.index(Rows), K.mul(K.add(at.firstTile, at.tiles), S.mTile));
  K.loop(K.index(0), at.blocks, 1, [&](Value i) {
    Value first = sumsAt(at, K.add(at.firstBlock, i), K.index(0));
    K.loop(K.mul(low, BlockChannels), K.mul(high, BlockChannels), Lanes,
           [&](Value element) {
             vector::StoreOp::create(b, K.loc(), zero, target,
                                     K.add(first, element));
           });
  });
}

} // namespace boo::compiler
