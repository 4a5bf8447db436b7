//===- ConvPack.cpp - The packed filter of a convolution ------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/compiler/kernels/FilterPack.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

/// Reduction steps that a grid tile of the pack takes: enough to be worth a
/// tile, few enough that small filters are shared by threads.
static constexpr int64_t packSteps = 256;

int64_t ConvEmitter::packPieces() const {
  int64_t taps = Nest.taps();
  if (S.keepsBf16() && packWidth() == 1)
    return packsPairsByCopy() ? 1 : taps;
  return ceilDiv(Nest.kChannels() / packWidth() * taps, packSteps);
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
void ConvEmitter::emitPackPairs() {
  const ConvProblem::Strides &f = P.filterStrides;
  int64_t merged = mergesTaps() ? P.filter[2] : 1;
  int64_t sums = P.filter[0] * P.filter[1] * P.filter[2] / merged;
  int64_t terms = merged * Nest.kChannels();
  int64_t padded = mergesTaps() ? rowTerms() : kPadded();
  bool copies = packsPairsByCopy();
  std::vector<int64_t> grid{Nest.groupLoops(), blocks()};
  if (!copies)
    grid.push_back(sums);
  auto packBlock = [&](const std::vector<Value> &c, bool last) {
    Value source = K.buffer(ArgField::In, argument(Nest.filter), Factor);
    Value from = K.add(groupStart(f, groupIndex(c[0])),
                       K.mul(c[1], BlockChannels * f.outer));
    Value to = K.mul(K.add(K.mul(c[0], blocks()), c[1]), blockElements());
    int64_t channels = Nest.nExtent() % BlockChannels;
    if (!last || channels == 0)
      channels = BlockChannels;
    if (!copies) {
      std::vector<Value> tap =
          K.delinearize(c[2], {P.filter[0], P.filter[1], P.filter[2]});
      for (size_t d = 0; d != 3; ++d)
        from = K.add(from, K.mul(tap[d], f.spatial[d]));
      to = K.add(to, K.mul(c[2], padded * BlockChannels));
      return packPairs({source, from, f.channel, terms, channels}, to, padded);
    }
    Value rows = K.buffer(ArgField::Scratch, 0, Factor);
    FilterPack(K, Nest, 1, Lanes, BlockChannels, source, rows)
        .pack(from, K.index(0), K.index(0), K.index(sums * terms), last);
    K.loop(K.index(0), K.index(sums), 1, [&](Value sum) {
      packPairs({rows, K.mul(sum, terms * BlockChannels), BlockChannels, terms,
                 channels},
                K.add(to, K.mul(sum, padded * BlockChannels)), padded);
    });
  };
  K.dispatch(
      FirstDispatch,
      [&](Value tile) {
        std::vector<Value> c = K.delinearize(tile, grid);
        if (Nest.nExtent() % BlockChannels == 0)
          return packBlock(c, false);
        K.ifThen(
            K.equal(c[1], blocks() - 1), [&] { packBlock(c, true); },
            [&] { packBlock(c, false); });
      },
      serialTiles(packTiles()));
}

void ConvEmitter::packPairs(const PairRows &rows, Value to, int64_t padded) {
  OpBuilder &b = K.builder();
  auto type = VectorType::get({Lanes}, Factor);
  Value zeros = arith::ConstantOp::create(b, K.loc(), b.getZeroAttr(type));
  SmallVector<int64_t> sideBySide;
  for (int64_t lane = 0; lane != Lanes; ++lane)
    sideBySide.append({lane, Lanes + lane});
  Value target = K.buffer(PackedField, PackedOffset, Factor);
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
      Value both = vector::ShuffleOp::create(b, K.loc(), halves[0], halves[1],
                                             sideBySide);
      Value at = K.add(K.mul(pair, 2 * BlockChannels), v * 2 * Lanes);
      vector::StoreOp::create(b, K.loc(), both, target, K.add(to, at));
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
  bool copies = !S.filterInPlace && S.keepsBf16() && packWidth() == 1 &&
                packsPairsByCopy();
  return copies ? 2 * Nest.taps() * Nest.kChannels() * BlockChannels : 0;
}

void ConvEmitter::emitPack() {
  int64_t width = packWidth();
  if (S.keepsBf16() && width == 1)
    return emitPackPairs();
  int64_t steps =
      Nest.kChannels() / width * P.filter[0] * P.filter[1] * P.filter[2];
  int64_t outer = P.filterStrides.outer / width;
  ConvProblem::Strides starts = P.filterStrides;
  starts.base /= width;
  for (int64_t &stride : starts.group)
    stride /= width;
  Type source = K.type(P.dtype), target = Compute;
  if (width == 2)
    source = target = K.builder().getI32Type();
  K.dispatch(
      FirstDispatch,
      [&](Value tile) {
        std::vector<Value> c =
            K.delinearize(tile, {Nest.groupLoops(), blocks(), packPieces()});
        FilterPack pack(K, Nest, width, Lanes, BlockChannels,
                        K.buffer(ArgField::In, argument(Nest.filter), source),
                        K.buffer(PackedField, PackedOffset, target));
        Value from = K.add(groupStart(starts, groupIndex(c[0])),
                           K.mul(c[1], BlockChannels * outer));
        Value to =
            K.mul(K.add(K.mul(c[0], blocks()), c[1]), blockElements() / width);
        Value low = K.mul(c[2], packSteps);
        Value high = K.min(K.index(steps), K.add(low, packSteps));
        if (Nest.nExtent() % BlockChannels == 0)
          return pack.pack(from, to, low, high, false);
        K.ifThen(
            K.equal(c[1], blocks() - 1),
            [&] { pack.pack(from, to, low, high, true); },
            [&] { pack.pack(from, to, low, high, false); });
      },
      serialTiles(packTiles()));
}

} // namespace boo::compiler
