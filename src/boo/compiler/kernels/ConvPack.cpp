//===- ConvPack.cpp - The packed filter of a convolution ------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/compiler/kernels/FilterPack.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

/// Reduction steps that a grid tile of the pack takes: enough to be worth a
/// tile, few enough that small filters are shared by threads.
static constexpr int64_t packSteps = 256;

int64_t ConvEmitter::packPieces() const {
  int64_t rows = P.filter[0] * P.filter[1], taps = rows * P.filter[2];
  if (S.keepsBf16() && packWidth() == 1)
    return mergesTaps() ? rows : taps;
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
void ConvEmitter::emitPackPairs() {
  const ConvProblem::Strides &f = P.filterStrides;
  int64_t merged = mergesTaps() ? P.filter[2] : 1;
  int64_t terms = merged * Nest.kChannels();
  int64_t padded = mergesTaps() ? rowTerms() : kPadded();
  std::vector<int64_t> grid{Nest.groupLoops(), blocks(), P.filter[0],
                            P.filter[1], P.filter[2] / merged};
  K.dispatch(
      FirstDispatch,
      [&](Value tile) {
        std::vector<Value> c = K.delinearize(tile, grid);
        Value source = K.buffer(ArgField::In, argument(Nest.filter), Factor);
        Value target = K.buffer(PackedField, PackedOffset, Factor);
        Value zero = arith::ConstantOp::create(K.builder(), K.loc(),
                                               K.builder().getZeroAttr(Factor));
        Value first = K.mul(c[1], BlockChannels);
        Value valid = K.min(K.index(BlockChannels),
                            K.sub(K.index(Nest.nExtent()), first));
        Value from =
            K.add(groupStart(f, groupIndex(c[0])), K.mul(first, f.outer));
        for (size_t d = 0; d != 3; ++d)
          from = K.add(from, K.mul(c[2 + d], f.spatial[d]));
        Value to = K.mul(tile, padded * BlockChannels);
        auto place = [&](Value lane, Value k) {
          Value pair =
              K.builder().createOrFold<arith::DivUIOp>(K.loc(), k, K.index(2));
          Value at = K.add(to, K.mul(pair, 2 * BlockChannels - 2));
          return K.add(K.add(at, K.mul(lane, 2)), k);
        };
        K.loop(K.index(0), valid, 1, [&](Value lane) {
          Value start = K.add(from, K.mul(lane, f.outer));
          K.loop(K.index(0), K.index(merged), 1, [&](Value tap) {
            Value at = K.add(start, K.mul(tap, f.spatial[2]));
            K.loop(K.index(0), K.index(Nest.kChannels()), 1, [&](Value c) {
              K.store(K.load(source, K.add(at, K.mul(c, f.channel))), target,
                      place(lane, K.add(K.mul(tap, Nest.kChannels()), c)));
            });
          });
        });
        auto fill = [&](Value low, int64_t lowK) {
          K.loop(low, K.index(BlockChannels), 1, [&](Value lane) {
            K.loop(K.index(lowK), K.index(padded), 1,
                   [&](Value k) { K.store(zero, target, place(lane, k)); });
          });
        };
        fill(K.index(0), terms);
        fill(valid, 0);
      },
      serialTiles(packTiles()));
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
