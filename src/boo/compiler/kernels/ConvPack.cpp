//===- ConvPack.cpp - The packed filter of a convolution ------------------===//
//
// Source: for each output channel a run of taps and input channels. Target: for
// each block of output channels [tap][channel][lane]. One of three copies does
// it: lanes contiguous in the source are copied as vectors; runs contiguous in
// the source are transposed in squares; anything else goes element by element.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"
#include "boo/compiler/kernels/ConvEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

using namespace mlir;

namespace boo::compiler {

namespace {

/// One of the dimensions that a sum runs over: taps and input channels.
struct ReductionDim {
  int64_t size, source, target; ///< strides in elements
};

class FilterPack {
public:
  /// `width` elements side by side move as one: 2 for pairs of 16 bits that
  /// source and target, of 32-bit type, hold in the same order.
  FilterPack(KernelBuilder &kernel, const ConvNest &nest, int64_t width,
             int64_t lanes, int64_t blockChannels, Value source, Value target)
      : K(kernel), Nest(nest), Lanes(lanes), BlockChannels(blockChannels),
        Outer(nest.problem.filterStrides.outer / width), Source(source),
        Target(target),
        Stored(cast<MemRefType>(source.getType()).getElementType()),
        Compute(cast<MemRefType>(target.getType()).getElementType()) {
    const ConvProblem &p = nest.problem;
    int64_t stride = BlockChannels;
    auto dim = [&](int64_t size, int64_t from) {
      if (size != 1)
        Dims.push_back({size, from, stride});
      stride *= size;
    };
    dim(nest.kChannels() / width, p.filterStrides.channel);
    for (size_t d = 3; d-- > 0;)
      dim(p.filter[d], p.filterStrides.spatial[d] / width);
    std::stable_sort(Dims.begin(), Dims.end(),
                     [](const ReductionDim &a, const ReductionDim &b) {
                       return std::abs(a.source) > std::abs(b.source);
                     });
    mergeDims();
  }

  /// Whether the whole sum's operands are one run of memory.
  bool isRun() const {
    int64_t expected = 1;
    for (size_t i = Dims.size(); i-- > 0; expected *= Dims[i].size)
      if (Dims[i].source != expected)
        return false;
    return !Dims.empty();
  }

  /// Packs steps [low, high) of the reduction, in the source's order, of the
  /// block whose first lane is at `from` and that starts at `to`.
  void pack(Value from, Value to, Value low, Value high, bool lastBlock) {
    int64_t channels = Nest.nExtent() % BlockChannels;
    if (!lastBlock || channels == 0)
      channels = BlockChannels;
    int64_t whole = channels / Lanes * Lanes;
    K.loop(K.index(0), K.index(whole), Lanes, [&](Value first) {
      packVector(K.add(from, K.mul(first, Outer)), K.add(to, first), low, high,
                 Lanes);
    });
    if (channels != whole)
      packVector(K.add(from, whole * Outer), K.add(to, whole), low, high,
                 channels - whole);
  }

private:
  /// Neighbours that both source and target walk through without a gap are one
  /// dimension: a filter stored as it is packed has a single one.
  void mergeDims() {
    for (size_t i = Dims.size(); i-- > 1;) {
      ReductionDim &a = Dims[i - 1], &b = Dims[i];
      if (a.source != b.size * b.source || a.target != b.size * b.target)
        continue;
      a = {a.size * b.size, b.source, b.target};
      Dims.erase(Dims.begin() + int64_t(i));
    }
  }

  int64_t steps() const {
    int64_t product = 1;
    for (const ReductionDim &dim : Dims)
      product *= dim.size;
    return product;
  }
  /// Source and target of reduction step `q`.
  std::pair<Value, Value> place(Value from, Value to, Value q) {
    std::vector<int64_t> sizes;
    for (const ReductionDim &dim : Dims)
      sizes.push_back(dim.size);
    std::vector<Value> c = K.delinearize(q, sizes);
    for (size_t i = 0; i != Dims.size(); ++i) {
      from = K.add(from, K.mul(c[i], Dims[i].source));
      to = K.add(to, K.mul(c[i], Dims[i].target));
    }
    return {from, to};
  }

  void packVector(Value from, Value to, Value low, Value high, int64_t count) {
    if (Outer == 1) {
      K.loop(low, high, 1, [&](Value q) {
        auto [source, target] = place(from, to, q);
        storeRow(loadRow(source, count), target);
      });
      return;
    }
    Value rest = low;
    if (isRun()) {
      OpBuilder &b = K.builder();
      Value length = K.sub(high, low);
      rest = K.add(low, K.mul(b.createOrFold<arith::DivUIOp>(K.loc(), length,
                                                             K.index(Lanes)),
                              Lanes));
      K.loop(low, rest, Lanes,
             [&](Value q) { packSquare(from, to, q, count); });
    }
    // Grid tiles start at whole squares, so only a ragged sum has a rest.
    if (isRun() && steps() % Lanes == 0)
      return;
    K.loop(rest, high, 1, [&](Value q) {
      auto [source, target] = place(from, to, q);
      K.loop(K.index(0), K.index(count), 1, [&](Value lane) {
        Value at = K.add(source, K.mul(lane, Outer));
        K.store(K.convert(K.load(Source, at), Compute), Target,
                K.add(target, lane));
      });
      K.loop(K.index(count), K.index(Lanes), 1, [&](Value lane) {
        K.store(zero(Compute), Target, K.add(target, lane));
      });
    });
  }

  /// Lanes x lanes elements from reduction step `q` on.
  void packSquare(Value from, Value to, Value q, int64_t count) {
    Value start = K.add(from, q);
    SmallVector<Value> rows;
    for (int64_t lane = 0; lane != Lanes; ++lane)
      rows.push_back(lane < count ? loadRow(K.add(start, lane * Outer), Lanes)
                                  : zero(VectorType::get({Lanes}, Compute)));
    SmallVector<Value> columns = transposeSquare(K.builder(), K.loc(), rows);
    for (int64_t i = 0; i != Lanes; ++i)
      storeRow(columns[size_t(i)], place(start, to, K.add(q, i)).second);
  }

  Value zero(Type type) {
    return arith::ConstantOp::create(K.builder(), K.loc(),
                                     K.builder().getZeroAttr(type));
  }

  Value loadRow(Value at, int64_t count) {
    return K.convert(loadPrefix(K.builder(), K.loc(), Source, at, Lanes, count),
                     Compute);
  }

  void storeRow(Value row, Value at) {
    vector::StoreOp::create(K.builder(), K.loc(), row, Target, at);
  }

  KernelBuilder &K;
  const ConvNest &Nest;
  int64_t Lanes, BlockChannels;
  int64_t Outer; ///< from an output channel to the next
  Value Source, Target;
  Type Stored, Compute;
  std::vector<ReductionDim> Dims; ///< in the source's order, outermost first
};

} // namespace

/// Reduction steps that a grid tile of the pack takes: enough to be worth a
/// tile, few enough that small filters are shared by threads.
static constexpr int64_t packSteps = 256;

int64_t ConvEmitter::packPieces() const {
  int64_t taps = P.filter[0] * P.filter[1] * P.filter[2];
  if (S.keepsBf16() && packWidth() == 1)
    return taps;
  return ceilDiv(Nest.kChannels() / packWidth() * taps, packSteps);
}

int64_t ConvEmitter::packWidth() const {
  const ConvProblem::Strides &f = P.filterStrides;
  auto odd = [](int64_t stride) { return stride % 2 != 0; };
  bool paired = S.keepsBf16() && f.channel == 1 &&
                kPadded() == Nest.kChannels() && !odd(f.outer) &&
                !odd(f.base) &&
                std::none_of(f.group.begin(), f.group.end(), odd) &&
                std::none_of(f.spatial.begin(), f.spatial.end(), odd);
  return paired ? 2 : 1;
}

/// Pairs of channels side by side, [tap][channel / 2][lane][channel % 2], zeros
/// for the channels and lanes that fill up a tile.
void ConvEmitter::emitPackPairs() {
  const ConvProblem::Strides &f = P.filterStrides;
  std::vector<int64_t> grid{Nest.groupLoops(), blocks(), P.filter[0],
                            P.filter[1], P.filter[2]};
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
        Value to = K.mul(tile, kPadded() * BlockChannels);
        auto place = [&](Value lane, Value k) {
          Value pair =
              K.builder().createOrFold<arith::DivUIOp>(K.loc(), k, K.index(2));
          Value at = K.add(to, K.mul(pair, 2 * BlockChannels - 2));
          return K.add(K.add(at, K.mul(lane, 2)), k);
        };
        auto each = [&](Value lowLane, Value highLane, int64_t lowK,
                        int64_t highK, bool copy) {
          K.loop(lowLane, highLane, 1, [&](Value lane) {
            K.loop(K.index(lowK), K.index(highK), 1, [&](Value k) {
              Value value = zero;
              if (copy)
                value = K.load(source, K.add(from, K.add(K.mul(lane, f.outer),
                                                         K.mul(k, f.channel))));
              K.store(value, target, place(lane, k));
            });
          });
        };
        each(K.index(0), valid, 0, Nest.kChannels(), true);
        each(K.index(0), valid, Nest.kChannels(), kPadded(), false);
        each(valid, K.index(BlockChannels), 0, kPadded(), false);
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
