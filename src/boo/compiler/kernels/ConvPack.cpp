//===- ConvPack.cpp - The packed filter of a convolution ------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"
#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/compiler/kernels/FilterPack.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

/// Reduction steps that a grid tile of the pack takes: enough to be worth a
/// tile, few enough that small filters are shared by threads.
static constexpr int64_t mostStepsOfPiece = 256;
/// Of blocks that lie side by side in a filter's rows: those of the same rows
/// are packed while these are in the cache, in runs of several lines.
static constexpr int64_t stepsOfSharedRows = 32, bytesOfSharedRow = 512;

int64_t ConvEmitter::stepsOfPiece() const {
  if (packsPairs())
    return packsPairsByCopy() ? packSteps() : 1;
  return blocksOfPiece() == 1 ? mostStepsOfPiece : stepsOfSharedRows;
}

int64_t ConvEmitter::blocksOfPiece() const {
  if (P.filterStrides.outer != 1 || (packsPairs() && packsPairsByCopy()))
    return 1;
  int64_t bytes = BlockChannels * dtypeBytes(P.dtype);
  return std::clamp<int64_t>(bytesOfSharedRow / bytes, 1, blocks());
}

int64_t ConvEmitter::packWidth() const {
  const ConvProblem::Strides &f = P.filterStrides;
  auto odd = [](int64_t stride) { return stride % 2 != 0; };
  bool paired = S.keepsBf16() && f.channel == 1 && !mergesTaps() &&
                kPadded() == Nest.kChannels() && !odd(f.outer) &&
                !odd(f.base) &&
                std::none_of(f.group.begin(), f.group.end(), odd) &&
                std::none_of(f.spatial.begin(), f.spatial.end(), odd);
  return paired ? 2 : 1;
}

/// Pairs of channels side by side, [tap][channel / 2][lane][channel % 2], or of
/// a row's merged taps and channels; zeros for what fills up a pair or a tile.
/// Pairs are made of two rows of lanes: those of the filter where its lanes are
/// contiguous, else of a copy, [tap][channel][lane].
void ConvEmitter::packBlockOfPairs(const PackPlace &at, Value low, Value high,
                                   bool last) {
  const ConvProblem::Strides &f = P.filterStrides;
  int64_t merged = mergesTaps() ? P.filter[2] : 1;
  int64_t terms = merged * Nest.kChannels();
  int64_t padded = mergesTaps() ? rowTerms() : kPadded();
  int64_t channels = Nest.nExtent() % BlockChannels;
  if (!last || channels == 0)
    channels = BlockChannels;
  Value source = K.buffer(ArgField::In, argument(Nest.filter), Factor);
  Value from = K.add(groupStart(f, groupIndex(at.group)),
                     K.mul(at.block, BlockChannels * f.outer));
  bool copies = packsPairsByCopy();
  if (copies)
    FilterPack(K, Nest, 1, Lanes, BlockChannels, source, at.rows)
        .pack(from, K.index(0), K.index(0),
              K.index(Nest.taps() * Nest.kChannels()), last);
  K.loop(low, high, 1, [&](Value sum) {
    PairRows rows{at.rows, K.mul(sum, terms * BlockChannels), BlockChannels,
                  terms, channels};
    if (!copies) {
      rows = {source, from, f.channel, terms, channels};
      std::vector<Value> tap =
          K.delinearize(sum, {P.filter[0], P.filter[1], P.filter[2]});
      for (size_t d = 0; d != 3; ++d)
        rows.start = K.add(rows.start, K.mul(tap[d], f.spatial[d]));
    }
    packPairs(rows, at.target,
              K.add(at.start, K.mul(sum, padded * BlockChannels)), padded);
  });
}

void ConvEmitter::packPairs(const PairRows &rows, Value target, Value to,
                            int64_t padded) {
  OpBuilder &b = K.builder();
  auto type = VectorType::get({Lanes}, Factor);
  Value zeros = arith::ConstantOp::create(b, K.loc(), b.getZeroAttr(type));
  // Of pair `pair`, the first `count` rows exist.
  auto packPair = [&](Value pair, int64_t count) {
    for (int64_t v = 0; v != S.nVectors; ++v) {
      int64_t lanes = std::clamp<int64_t>(rows.channels - v * Lanes, 0, Lanes);
      Value halves[2] = {zeros, zeros};
      for (int64_t i = 0; i != count && lanes != 0; ++i) {
        Value row = K.add(K.mul(pair, 2 * rows.stride), i * rows.stride);
        halves[i] =
            loadPrefix(b, K.loc(), rows.buffer,
                       K.add(K.add(rows.start, row), v * Lanes), Lanes, lanes);
      }
      Value at = K.add(K.mul(pair, 2 * BlockChannels), v * 2 * Lanes);
      vector::StoreOp::create(b, K.loc(),
                              interleave(b, K.loc(), halves[0], halves[1]),
                              target, K.add(to, at));
    }
  };
  int64_t whole = rows.count / 2, made = ceilDiv(rows.count, 2);
  K.loop(K.index(0), K.index(whole), 1, [&](Value pair) { packPair(pair, 2); });
  if (made != whole)
    packPair(K.index(whole), 1);
  K.loop(K.index(made), K.index(padded / 2), 1,
         [&](Value pair) { packPair(pair, 0); });
}

bool ConvEmitter::packsPairsByCopy() const {
  return P.filterStrides.outer != 1 || mergesTaps();
}

int64_t ConvEmitter::packScratchBytes() const {
  bool copies = !S.filterInPlace && packsPairs() && packsPairsByCopy();
  return copies ? 2 * Nest.taps() * Nest.kChannels() * BlockChannels : 0;
}

bool ConvEmitter::packsPairs() const {
  return S.keepsBf16() && packWidth() == 1;
}

int64_t ConvEmitter::packSteps() const {
  int64_t taps = Nest.taps();
  if (packsPairs())
    return mergesTaps() ? taps / P.filter[2] : taps;
  return Nest.kChannels() / packWidth() * taps;
}

Type ConvEmitter::packType() const {
  return packWidth() == 2 ? Type(K.builder().getI32Type()) : Factor;
}

/// Steps [low, high) of a block.
void ConvEmitter::packBlock(const PackPlace &at, Value low, Value high,
                            bool last) {
  if (packsPairs())
    return packBlockOfPairs(at, low, high, last);
  int64_t width = packWidth();
  ConvProblem::Strides starts = P.filterStrides;
  starts.base /= width;
  for (int64_t &stride : starts.group)
    stride /= width;
  Type source = width == 2 ? packType() : K.type(P.dtype);
  FilterPack pack(K, Nest, width, Lanes, BlockChannels,
                  K.buffer(ArgField::In, argument(Nest.filter), source),
                  at.target);
  Value from = K.add(groupStart(starts, groupIndex(at.group)),
                     K.mul(at.block, BlockChannels * starts.outer / width));
  pack.pack(from, at.start, low, high, last);
}

void ConvEmitter::withLastBlock(Value block,
                                const std::function<void(bool)> &body) {
  if (Nest.nExtent() % BlockChannels == 0)
    return body(false);
  K.ifThen(
      K.equal(block, blocks() - 1), [&] { body(true); }, [&] { body(false); });
}

void ConvEmitter::emitPack() {
  int64_t piece = stepsOfPiece(), together = blocksOfPiece();
  K.dispatch(
      FirstDispatch,
      [&](Value tile) {
        std::vector<Value> c =
            K.delinearize(tile, {Nest.groupLoops(), ceilDiv(blocks(), together),
                                 ceilDiv(packSteps(), piece)});
        Value low = K.mul(c[2], piece);
        Value high = K.min(K.index(packSteps()), K.add(low, piece));
        Value first = K.mul(c[1], together);
        Value end = K.min(K.index(blocks()), K.add(first, together));
        auto pack = [&](Value block) {
          PackPlace at;
          at.group = c[0];
          at.block = block;
          at.target = K.buffer(PackedField, PackedOffset, packType());
          at.rows = K.buffer(ArgField::Scratch, 0, Factor);
          at.start = K.mul(K.add(K.mul(c[0], blocks()), block),
                           blockElements() / packWidth());
          withLastBlock(block,
                        [&](bool last) { packBlock(at, low, high, last); });
        };
        if (together == 1)
          pack(first);
        else
          K.loop(first, end, 1, pack);
      },
      serialTiles(packTiles()));
}

void ConvEmitter::packInside(const Place &at, Value block) {
  PackPlace place;
  place.group = at.group;
  place.block = block;
  place.target = scratch(packedAt(), packType());
  place.rows = scratch(packedAt() + blockBytes(), Factor);
  place.start = K.index(0);
  withLastBlock(block, [&](bool last) {
    packBlock(place, K.index(0), K.index(packSteps()), last);
  });
}

} // namespace boo::compiler
