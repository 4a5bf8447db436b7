//===- WeightGradPairs.cpp - Operands as pairs of pixels ------------------===//
//
// A dot product takes two steps of a sum at once: two output pixels of a row
// and, for each tap, the input pixels that they meet.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"
#include "boo/compiler/kernels/WeightGradEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

/// Pairs of a row that a grid tile packs.
static constexpr int64_t packedPairs = 256;

WeightGradEmitter::Columns
WeightGradEmitter::columnsOf(const Side &side) const {
  if (!side.isInput)
    return {1, 0, 0};
  return {P.stride[2], -P.padLo[2], (P.filter[2] - 1) * P.dilation[2]};
}

WeightGradEmitter::Placed WeightGradEmitter::packPairs(const Side &side,
                                                       int64_t blockChannels) {
  int64_t pairs = Nest.extents(S)[3];
  Placed placed;
  placed.field = ArgField::Workspace;
  placed.type = Stored;
  placed.channel = 2;
  placed.spatial[2] = 2 * blockChannels;
  placed.spatial[1] = pairs * placed.spatial[2];
  placed.spatial[0] = side.size[1] * placed.spatial[1];
  placed.outer = side.size[0] * placed.spatial[0];
  placed.tap = side.isInput ? P.batch * placed.outer : 0;
  placed.block =
      side.isInput ? P.filter[2] * placed.tap : P.batch * placed.outer;
  placed.group = ceilDiv(side.channels, blockChannels) * placed.block;
  placed.slot = addWorkspace(Result, 2 * Nest.groupLoops() * placed.group);

  bool copies = side.strides.channel != 1;
  int64_t pitch = ceilDiv(side.channels, Lanes) * Lanes; // of the copy
  auto [stride, first, reach] = columnsOf(side);
  std::vector<int64_t> grid{Nest.groupLoops(), P.batch, side.size[0],
                            side.size[1], ceilDiv(pairs, packedPairs)};
  dispatch(
      side.isInput ? "pack_input" : "pack_output_gradient", grid,
      [&](const std::vector<Value> &c) {
        Value row = K.mul(c[0], side.channels * side.strides.channel);
        Value to = K.mul(c[0], placed.group);
        row = K.add(row, K.mul(c[1], side.strides.outer));
        to = K.add(to, K.mul(c[1], placed.outer));
        for (size_t d = 0; d != 2; ++d) {
          row = K.add(row, K.mul(c[2 + d], side.strides.spatial[d]));
          to = K.add(to, K.mul(c[2 + d], placed.spatial[d]));
        }
        PairSource source;
        source.buffer = K.buffer(ArgField::In, argument(side.value), Stored);
        source.base = row;
        source.column = side.strides.spatial[2];
        source.low = K.mul(c[4], packedPairs);
        source.high = K.min(K.index(pairs), K.add(source.low, packedPairs));
        if (copies) {
          // The columns that these pairs meet.
          Value low = K.add(K.mul(source.low, 2 * stride), first);
          Value high =
              K.add(K.mul(source.high, 2 * stride), first + reach - stride + 1);
          low = K.max(K.index(0), low);
          high = K.min(K.index(side.size[2]), high);
          copyColumns(side, row, low, high, pitch);
          source.buffer = K.buffer(ArgField::Scratch, 0, Stored);
          source.column = pitch;
          source.base = K.sub(K.index(0), K.mul(low, source.column));
        }
        packRowOfPairs(side, placed, blockChannels, source, to);
      });
  if (copies) {
    int64_t columns = std::min(
        side.size[2], 2 * std::min(pairs, packedPairs) * stride + reach);
    Result.scratchBytes = std::max(Result.scratchBytes, 2 * columns * pitch);
  }
  return placed;
}

void WeightGradEmitter::copyColumns(const Side &side, Value row, Value low,
                                    Value high, int64_t pitch) {
  OpBuilder &b = K.builder();
  Value in = K.buffer(ArgField::In, argument(side.value), Stored);
  Value copy = K.buffer(ArgField::Scratch, 0, Stored);
  int64_t column = side.strides.spatial[2], channel = side.strides.channel;
  Value whole = b.createOrFold<arith::DivUIOp>(
      K.loc(), K.max(K.index(0), K.sub(high, low)), K.index(Lanes));
  Value rest = K.add(low, K.mul(whole, Lanes));
  auto block = [&](Value x, int64_t columns) {
    K.loopPieces(side.channels, Lanes, [&](Value c, int64_t channels) {
      Value from = K.add(row, K.add(K.mul(x, column), K.mul(c, channel)));
      SmallVector<Value> pixels = loadBlock(
          b, K.loc(), in, from, {columns, Lanes, channels, column, channel});
      storeBlock(b, K.loc(), pixels, copy,
                 K.add(K.mul(K.sub(x, low), pitch), c),
                 {columns, Lanes, channels, pitch, 1});
    });
  };
  K.loop(low, rest, Lanes, [&](Value x) { block(x, Lanes); });
  K.loop(rest, high, 1, [&](Value x) { block(x, 1); });
}

void WeightGradEmitter::packRowOfPairs(const Side &side, const Placed &placed,
                                       int64_t blockChannels,
                                       const PairSource &source, Value to) {
  OpBuilder &b = K.builder();
  Location loc = K.loc();
  auto type = VectorType::get({Lanes}, Stored);
  Value zeros = this->zeros(type);
  Value target = K.buffer(ArgField::Workspace, placed.slot, Stored);
  auto [stride, first, reach] = columnsOf(side);
  bool odd = P.out[2] % 2 != 0;
  // Whether every column exists.
  bool inside =
      first == 0 && !odd && (P.out[2] - 1) * stride + reach < side.size[2];
  auto compare = [&](arith::CmpIPredicate how, Value x, int64_t y) -> Value {
    return arith::CmpIOp::create(b, loc, how, x, K.index(y));
  };
  auto packPair = [&](Value tap, Value pair) {
    Value offset = K.add(K.mul(tap, P.dilation[2]), first);
    std::array<Value, 2> at, exists;
    for (int64_t i = 0; i != 2; ++i) {
      Value pixel = K.add(K.mul(pair, 2), i);
      Value column = K.add(K.mul(pixel, stride), offset);
      if (!inside) {
        Value nearest =
            K.max(K.index(0), K.min(column, K.index(side.size[2] - 1)));
        exists[size_t(i)] = arith::AndIOp::create(
            b, loc, compare(arith::CmpIPredicate::slt, pixel, P.out[2]),
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, column,
                                  nearest));
        column = nearest;
      }
      at[size_t(i)] = K.add(source.base, K.mul(column, source.column));
    }
    Value start = K.add(K.add(to, K.mul(tap, placed.tap)),
                        K.mul(pair, placed.spatial[2]));
    K.loopPieces(side.channels, Lanes, [&](Value c, int64_t count) {
      std::array<Value, 2> halves;
      for (size_t i = 0; i != 2; ++i) {
        halves[i] =
            loadPrefix(b, loc, source.buffer, K.add(at[i], c), Lanes, count);
        if (!inside)
          halves[i] =
              arith::SelectOp::create(b, loc, exists[i], halves[i], zeros);
      }
      Value both = interleave(b, loc, halves[0], halves[1]);
      std::vector<Value> place = K.delinearize(
          c, {ceilDiv(side.channels, blockChannels), blockChannels});
      vector::StoreOp::create(b, loc, both, target,
                              K.add(K.add(start, K.mul(place[0], placed.block)),
                                    K.mul(place[1], 2)));
    });
  };
  K.loop(K.index(0), K.index(side.isInput ? P.filter[2] : 1), 1,
         [&](Value tap) {
           K.loop(source.low, source.high, 1,
                  [&](Value pair) { packPair(tap, pair); });
         });
}

} // namespace boo::compiler
