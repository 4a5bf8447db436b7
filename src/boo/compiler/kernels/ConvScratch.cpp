//===- ConvScratch.cpp - Rows of input in scratch memory ------------------===//
//
// Where rows need padding, widening or contiguous channels, a grid tile works
// on a copy of them.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/VectorTranspose.h"
#include "boo/compiler/kernels/ConvEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

ConvEmitter::InputView ConvEmitter::scratchView(const Place &at, Value row) {
  int64_t pitch = scratchPitch(), columns = scratchColumns();
  InputView view;
  view.buffer = scratch(0, Factor);
  view.tap = {scratchRows() * columns * pitch, columns * pitch};
  view.base =
      K.mul(K.add(K.mul(row, Nest.freshRows()), at.low[1]), view.tap[1]);
  view.column = pitch;
  view.channel = 1;
  return view;
}

void ConvEmitter::fillScratch(const Place &at, const Pass &pass) {
  if (First)
    return computeScratch(at);
  auto [depthTap, rowPitch] = scratchView(at, K.index(0)).tap;
  withRows(at, [&](const Place &here, Value row) {
    Value source =
        K.add(inputRow(here), K.mul(pass.first, P.inStrides.channel));
    if (Nest.depthwise)
      source = K.add(
          source, K.mul(here.firstBlock, BlockChannels * P.inStrides.channel));
    // The first of this row's taps that no row before it had.
    Value fresh = here.low[1];
    if (S.hChunk != 1)
      fresh = K.max(
          fresh, K.mul(K.min(row, K.index(1)), P.filter[1] - Nest.freshRows()));
    Value end = K.add(here.low[1], here.count[1]);
    // Only taps inside the input have a row; the batch counts skip the others.
    K.loop(K.index(0), here.count[0], 1, [&](Value d) {
      Value from =
          K.add(source, K.mul(d, P.dilation[0] * P.inStrides.spatial[0]));
      Value to =
          K.add(K.mul(d, depthTap), K.mul(row, Nest.freshRows() * rowPitch));
      K.loop(fresh, end, 1, [&](Value h) {
        Value tap = K.sub(h, here.low[1]);
        fillRow(here, pass,
                K.add(from, K.mul(tap, P.dilation[1] * P.inStrides.spatial[1])),
                K.add(to, K.mul(h, rowPitch)));
      });
    });
  });
}

void ConvEmitter::fillRow(const Place &at, const Pass &pass, Value source,
                          Value target) {
  // Input columns [first, first + width), of which [low, high) exist.
  Value firstPixel = K.mul(at.firstTile, S.mTile);
  Value pixels =
      K.min(K.mul(at.tiles, S.mTile), K.sub(K.index(P.out[2]), firstPixel));
  Value width = K.add(K.mul(K.add(pixels, -1), P.stride[2]),
                      (P.filter[2] - 1) * P.dilation[2] + 1);
  Value first = K.add(K.mul(firstPixel, P.stride[2]), -P.padLo[2]);
  Value zero = K.index(0);
  Value low = K.min(width, K.max(zero, K.sub(zero, first)));
  Value high = K.max(low, K.min(width, K.sub(K.index(P.in[2]), first)));
  Value channels = K.index(pass.steps);
  if (Nest.depthwise)
    channels = K.min(
        K.index(scratchChannels()),
        K.sub(K.index(Nest.nExtent()), K.mul(at.firstBlock, BlockChannels)));
  zeroColumns(target, zero, low, channels);
  copyColumns(K.add(source, K.mul(first, P.inStrides.spatial[2])), target, low,
              high, channels);
  zeroColumns(target, high, width, channels);
  if (!Nest.depthwise && kPadded() != Nest.kChannels())
    zeroPadding(target, low, high);
}

void ConvEmitter::zeroPadding(Value target, Value from, Value to) {
  Value out = scratch(0, Factor);
  Value zero = arith::ConstantOp::create(K.builder(), K.loc(),
                                         K.builder().getZeroAttr(Factor));
  K.loop(from, to, 1, [&](Value x) {
    Value column = K.add(target, K.mul(x, scratchPitch()));
    K.loop(K.index(Nest.kChannels()), K.index(kPadded()), 1,
           [&](Value c) { K.store(zero, out, K.add(column, c)); });
  });
}

void ConvEmitter::copyColumns(Value source, Value target, Value from, Value to,
                              Value channels) {
  int64_t pitch = scratchPitch();
  Type stored = K.type(P.dtype);
  Value in = K.buffer(ArgField::In, argument(Nest.input), stored);
  Value out = scratch(0, Factor);
  int64_t column = P.inStrides.spatial[2], channel = P.inStrides.channel;
  OpBuilder &b = K.builder();
  Location loc = K.loc();
  auto element = [&](Value x, Value c) {
    Value at = K.add(source, K.add(K.mul(x, column), K.mul(c, channel)));
    K.store(K.convert(K.load(in, at), Factor), out,
            K.add(target, K.add(K.mul(x, pitch), c)));
  };
  if (channel != 1) {
    // Squares while they fit, then element by element along the row.
    Value c0 = K.index(0);
    if (column == 1) {
      Value wholeC = K.mul(
          b.createOrFold<arith::DivUIOp>(loc, channels, K.index(Lanes)), Lanes);
      Value wholeX =
          K.add(from, K.mul(b.createOrFold<arith::DivUIOp>(loc, K.sub(to, from),
                                                           K.index(Lanes)),
                            Lanes));
      K.loop(c0, wholeC, Lanes, [&](Value c) {
        K.loop(from, wholeX, Lanes, [&](Value x) {
          copySquare(in, K.add(source, K.add(x, K.mul(c, channel))), channel,
                     out, K.add(target, K.add(K.mul(x, pitch), c)));
        });
        K.loop(c, K.add(c, Lanes), 1, [&](Value c) {
          K.loop(wholeX, to, 1, [&](Value x) { element(x, c); });
        });
      });
      c0 = wholeC;
    }
    K.loop(c0, channels, 1, [&](Value c) {
      K.loop(from, to, 1, [&](Value x) { element(x, c); });
    });
    return;
  }
  auto loadType = VectorType::get({Lanes}, stored);
  auto run = [&](Value source, Value target, Value length,
                 const std::function<void(Value)> &single) {
    Value whole = K.mul(
        b.createOrFold<arith::DivUIOp>(loc, length, K.index(Lanes)), Lanes);
    K.loop(K.index(0), whole, Lanes, [&](Value i) {
      Value value =
          vector::LoadOp::create(b, loc, loadType, in, K.add(source, i));
      vector::StoreOp::create(b, loc, K.convert(value, Factor), out,
                              K.add(target, i));
    });
    K.loop(whole, length, 1, single);
  };
  if (!Nest.depthwise && !isChunked() && column == pitch &&
      scratchChannels() == pitch) {
    // Columns follow each other in memory without a gap: one run.
    Value start = K.add(source, K.mul(from, column));
    Value to0 = K.add(target, K.mul(from, pitch));
    run(start, to0, K.mul(K.sub(to, from), pitch), [&](Value i) {
      K.store(K.convert(K.load(in, K.add(start, i)), Factor), out,
              K.add(to0, i));
    });
    return;
  }
  K.loop(from, to, 1, [&](Value x) {
    run(K.add(source, K.mul(x, column)), K.add(target, K.mul(x, pitch)),
        channels, [&](Value c) { element(x, c); });
  });
}

void ConvEmitter::copySquare(Value in, Value source, int64_t channel, Value out,
                             Value target) {
  OpBuilder &b = K.builder();
  auto type =
      VectorType::get({Lanes}, cast<MemRefType>(in.getType()).getElementType());
  SmallVector<Value> rows;
  for (int64_t i = 0; i != Lanes; ++i)
    rows.push_back(K.convert(vector::LoadOp::create(b, K.loc(), type, in,
                                                    K.add(source, i * channel)),
                             Factor));
  SmallVector<Value> columns = transposeSquare(b, K.loc(), rows);
  for (int64_t i = 0; i != Lanes; ++i)
    vector::StoreOp::create(b, K.loc(), columns[size_t(i)], out,
                            K.add(target, i * scratchPitch()));
}

void ConvEmitter::zeroColumns(Value target, Value from, Value to,
                              Value channels) {
  int64_t pitch = scratchPitch();
  OpBuilder &b = K.builder();
  Location loc = K.loc();
  Value out = scratch(0, Factor);
  auto vectorType = VectorType::get({Lanes}, Factor);
  Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(vectorType));
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(Factor));
  // Whole pitches are zeroed: what stands past `channels` is never used.
  Value start = K.add(target, K.mul(from, pitch));
  Value length = K.mul(K.sub(to, from), pitch);
  Value whole =
      K.mul(b.createOrFold<arith::DivUIOp>(loc, length, K.index(Lanes)), Lanes);
  K.loop(K.index(0), whole, Lanes, [&](Value i) {
    vector::StoreOp::create(b, loc, zeros, out, K.add(start, i));
  });
  K.loop(whole, length, 1,
         [&](Value i) { K.store(zero, out, K.add(start, i)); });
}

} // namespace boo::compiler
