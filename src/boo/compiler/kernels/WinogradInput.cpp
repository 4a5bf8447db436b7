//===- WinogradInput.cpp - Input tiles of Winograd ------------------------===//
//
// A tile's rows and columns that lie outside of the input are zeros: an edge
// tile reads the nearest row and column that exist, and selects.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/kernels/WinogradEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

void WinogradEmitter::emitCopy(int64_t dispatch) {
  int64_t rows = copyRows();
  K.dispatch(
      dispatch,
      [&](Value tile) {
        std::vector<Value> c = K.delinearize(tile, {P.batch, P.in[0], rows});
        Value to = K.mul(tile, copyColumns() * copyPitch());
        Value row = K.add(c[2], -P.padLo[1]);
        Value from = K.add(K.add(K.mul(c[0], P.inStrides.outer),
                                 K.mul(c[1], P.inStrides.spatial[0])),
                           K.mul(row, P.inStrides.spatial[1]));
        Value out = copyBuffer();
        auto zero = [&](int64_t low, int64_t high) {
          Value zeros = splat(0);
          Value start = K.add(to, low * copyPitch());
          K.loopPieces((high - low) * copyPitch(), Lanes,
                       [&](Value i, int64_t count) {
                         storePrefix(K.builder(), K.loc(), zeros, out,
                                     K.add(start, i), count);
                       });
        };
        int64_t high = P.padLo[2] + P.in[2];
        K.ifThen(
            isInside(row, 1, P.in[1]),
            [&] {
              zero(0, P.padLo[2]);
              copyRow(from, K.add(to, P.padLo[2] * copyPitch()));
              zero(high, copyColumns());
            },
            [&] { zero(0, copyColumns()); });
      },
      serialTiles(P.batch * P.in[0] * rows));
}

void WinogradEmitter::copyRow(Value from, Value to) {
  Value in = K.buffer(ArgField::In, argument(Nest.input), K.type(P.dtype));
  int64_t column = P.inStrides.spatial[2], channel = P.inStrides.channel;
  auto block = [&](Value x, Value c, int64_t columns, int64_t channels) {
    Value source = K.add(from, K.add(K.mul(x, column), K.mul(c, channel)));
    Value target = K.add(to, K.add(K.mul(x, copyPitch()), c));
    SmallVector<Value> rows =
        loadBlock(K.builder(), K.loc(), in, source,
                  {columns, Lanes, channels, column, channel});
    for (Value &row : rows)
      row = K.convert(row, F32);
    storeBlock(K.builder(), K.loc(), rows, copyBuffer(), target,
               {columns, Lanes, channels, copyPitch(), 1});
  };
  K.loopPieces(P.inChannels, Lanes, [&](Value c, int64_t channels) {
    K.loopPieces(P.in[2], Lanes, [&](Value x, int64_t columns) {
      block(x, c, columns, channels);
    });
  });
}

Value WinogradEmitter::isInside(Value first, int64_t count, int64_t size) {
  OpBuilder &b = K.builder();
  Value low = b.createOrFold<arith::CmpIOp>(K.loc(), arith::CmpIPredicate::sge,
                                            first, K.index(0));
  Value high = b.createOrFold<arith::CmpIOp>(K.loc(), arith::CmpIPredicate::sle,
                                             first, K.index(size - count));
  return b.createOrFold<arith::AndIOp>(K.loc(), low, high);
}

void WinogradEmitter::transformInput(const Strip &strip) {
  bool padded = !Nest.isInside(0);
  K.loop(K.index(0), strip.tiles, 1, [&](Value i) {
    TilePlace at = place(K.add(strip.firstTile, i));
    K.loop(K.index(0), K.index(P.filter[0]), 1, [&](Value tap) {
      Value target = K.add(K.mul(i, inputPitch()), K.mul(tap, P.inPerGroup()));
      Value depth = K.add(K.mul(at.depth, P.stride[0]), -P.padLo[0]);
      depth = K.add(depth, K.mul(tap, P.dilation[0]));
      if (!padded)
        return transformPlane(strip, at, depth, target);
      K.ifThen(
          isInside(depth, 1, P.in[0]),
          [&] { transformPlane(strip, at, depth, target); },
          [&] { zeroPlane(target); });
    });
  });
}

void WinogradEmitter::zeroPlane(Value target) {
  K.loopPieces(P.inPerGroup(), Lanes, [&](Value c, int64_t) {
    Value to = K.add(target, c);
    K.loop(K.index(0), K.index(T.products()), 1, [&](Value f) {
      storeVector(splat(0), scratch(0), K.add(to, K.mul(f, inputFrequency())));
    });
  });
}

void WinogradEmitter::transformPlane(const Strip &strip, const TilePlace &at,
                                     Value depth, Value target) {
  InputView view = viewInput(strip, at, depth);
  auto all = [&](bool checked) {
    K.loopPieces(P.inPerGroup(), Lanes, [&](Value c, int64_t lanes) {
      transformInputVector(view, c, K.add(target, c), lanes, checked);
    });
  };
  bool inside = S.scratchInput || (P.padLo[1] == 0 && P.padLo[2] == 0 &&
                                   TilesH * T.tile + 2 <= P.in[1] &&
                                   TilesW * T.tile + 2 <= P.in[2]);
  if (inside)
    return all(false);
  Value both = K.builder().createOrFold<arith::AndIOp>(
      K.loc(), isInside(view.row, T.size, P.in[1]),
      isInside(view.column, T.size, P.in[2]));
  K.ifThen(both, [&] { all(false); }, [&] { all(true); });
}

WinogradEmitter::InputView WinogradEmitter::viewInput(const Strip &strip,
                                                      const TilePlace &at,
                                                      Value depth) {
  InputView view;
  int64_t groupChannels = P.inPerGroup();
  if (S.scratchInput) {
    view.buffer = copyBuffer();
    view.columnStride = copyPitch();
    view.rowStride = copyColumns() * copyPitch();
    view.row = at.row;
    view.column = at.column;
    Value plane = K.add(K.mul(at.batch, P.in[0]), depth);
    view.base = K.add(K.mul(plane, copyRows() * view.rowStride),
                      K.mul(strip.group, groupChannels));
    return view;
  }
  view.buffer = K.buffer(ArgField::In, argument(Nest.input), K.type(P.dtype));
  view.columnStride = P.inStrides.spatial[2];
  view.rowStride = P.inStrides.spatial[1];
  view.row = K.add(at.row, -P.padLo[1]);
  view.column = K.add(at.column, -P.padLo[2]);
  view.base = K.add(K.add(K.mul(at.batch, P.inStrides.outer),
                          K.mul(depth, P.inStrides.spatial[0])),
                    K.mul(strip.group, groupChannels));
  return view;
}

void WinogradEmitter::transformInputVector(const InputView &view, Value channel,
                                           Value target, int64_t lanes,
                                           bool checked) {
  OpBuilder &b = K.builder();
  Location loc = K.loc();
  Value temporaries = scratch(temporariesAt());
  Value source = K.add(view.base, channel);
  auto nearest = [&](Value at, int64_t size) {
    return checked ? K.max(K.index(0), K.min(at, K.index(size - 1))) : at;
  };
  auto same = [&](Value a, Value c) -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, a, c);
  };
  // Columns, then rows; what is between them lies in scratch: a patch fills
  // more registers than there are.
  K.loop(K.index(0), K.index(T.size), 1, [&](Value j) {
    Value column = K.add(view.column, j);
    Value x = nearest(column, P.in[2]);
    Value start = K.add(source, K.mul(x, view.columnStride));
    std::vector<Value> patch;
    for (int64_t i = 0; i != T.size; ++i) {
      Value row = K.add(view.row, i);
      Value y = nearest(row, P.in[1]);
      Value value = K.convert(loadPrefix(b, loc, view.buffer,
                                         K.add(start, K.mul(y, view.rowStride)),
                                         Lanes, lanes),
                              F32);
      if (checked) {
        Value inside =
            arith::AndIOp::create(b, loc, same(x, column), same(y, row));
        value = arith::SelectOp::create(b, loc, inside, value, splat(0));
      }
      patch.push_back(value);
    }
    std::vector<Value> sums = apply(T.inputT, patch);
    for (int64_t i = 0; i != T.size; ++i)
      storeVector(sums[size_t(i)], temporaries,
                  K.add(K.mul(j, Lanes), i * T.size * Lanes));
  });
  K.loop(K.index(0), K.index(T.size), 1, [&](Value i) {
    std::vector<Value> row;
    for (int64_t j = 0; j != T.size; ++j)
      row.push_back(
          loadVector(temporaries, K.add(K.mul(i, T.size * Lanes), j * Lanes)));
    std::vector<Value> sums = apply(T.inputT, row);
    Value to = K.add(target, K.mul(i, T.size * inputFrequency()));
    for (int64_t j = 0; j != T.size; ++j)
      storeVector(sums[size_t(j)], scratch(0), K.add(to, j * inputFrequency()));
  });
}

} // namespace boo::compiler
