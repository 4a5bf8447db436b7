//===- AttentionCode.cpp - What attention's emitters share ----------------===//

#include "boo/compiler/kernels/AttentionCode.h"
#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

AttentionCode::AttentionCode(MLIRContext &context, AttentionNest nest,
                             const Schedule &schedule, int64_t rows)
    : VectorCode(context, nest.problem.accType, schedule.vectorBits,
                 schedule.fma),
      Nest(std::move(nest)), P(Nest.problem), S(schedule), Rows(rows),
      PaddedRows(ceilDiv(Rows, S.mTile) * S.mTile) {}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

int64_t AttentionCode::room(int64_t elements) {
  int64_t at = ScratchBytes;
  ScratchBytes +=
      ceilDiv(elements * (Element.getIntOrFloatBitWidth() / 8), 64) * 64;
  return at;
}

std::vector<int64_t> AttentionCode::gridOf(std::array<int64_t, 3> outer,
                                           int64_t rows) const {
  return {outer[0], outer[1], outer[2], ceilDiv(rows, Rows)};
}

AttentionCode::Tile AttentionCode::place(const std::vector<Value> &at,
                                         int64_t rows, bool fromEnds) {
  Value number = fromEnds ? fromBothEnds(at[3], ceilDiv(rows, Rows)) : at[3];
  Tile tile;
  tile.outer = {at[0], at[1], at[2]};
  tile.first = K.mul(number, Rows);
  tile.count = K.min(K.index(Rows), K.sub(K.index(rows), tile.first));
  tile.extent = rows;
  return tile;
}

int64_t AttentionCode::pitch(int64_t columns) const {
  // Rows a page apart fall into one set of the L1 cache: a vector of slack
  // spreads them.
  int64_t whole = ceilDiv(columns, Lanes) * Lanes;
  bool aliases = whole * (Element.getIntOrFloatBitWidth() / 8) % 4096 == 0;
  return whole + (aliases ? Lanes : 0);
}

Value AttentionCode::base(const Side &side, const Outer &outer) {
  Value start = K.index(0);
  for (size_t i = 0; i != 3; ++i)
    start = K.add(K.mul(outer[i], side.outer[i]), start);
  return start;
}
Value AttentionCode::in(const Side &side) {
  return K.buffer(ArgField::In, side.slot, K.type(side.dtype));
}
Value AttentionCode::scratch(int64_t offset) {
  return K.buffer(ArgField::Scratch, offset, Element);
}
Value AttentionCode::vectors(const Tile &at) {
  return K.ceilDiv(at.count, Lanes);
}
Value AttentionCode::stripes(const Tile &at) {
  return K.ceilDiv(at.count, S.nVectors * Lanes);
}

AttentionCode::Block AttentionCode::blockOf(Value first, Value end,
                                            int64_t extent, int64_t step) {
  Value count = K.min(K.index(S.kChunk), K.sub(end, first));
  count = K.mul(K.ceilDiv(count, step), step);
  return {first, K.min(count, K.sub(K.index(extent), first))};
}

Value AttentionCode::fromBothEnds(Value number, int64_t count) {
  if (count == 1)
    return number;
  Value half =
      K.builder().createOrFold<arith::DivUIOp>(K.loc(), number, K.index(2));
  Value even = K.equal(K.sub(number, K.mul(half, 2)), 0);
  return arith::SelectOp::create(K.builder(), K.loc(), even, half,
                                 K.sub(K.index(count - 1), half));
}

void AttentionCode::forVectors(
    int64_t columns, const std::function<void(Value, int64_t)> &body) {
  K.loopPieces(columns, Lanes, body);
}

void AttentionCode::withLanes(const Tile &at, Value number,
                              const std::function<void(int64_t)> &body) {
  Value row = K.add(at.first, K.mul(number, Lanes));
  withLines(row, at.extent, Lanes, body);
}

void AttentionCode::withLines(Value line, int64_t extent, int64_t step,
                              const std::function<void(int64_t)> &body) {
  int64_t rest = extent % step;
  if (rest == 0 || extent < step)
    return body(rest == 0 ? step : rest);
  K.ifThen(
      K.equal(line, extent - rest), [&] { body(rest); }, [&] { body(step); });
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

Value AttentionCode::scaled(Value vector, double scale) {
  vector = K.convert(vector, Element);
  return scale == 1 ? vector : mulF(vector, splat(scale));
}

void AttentionCode::packLanes(const Side &side, const Tile &at, int64_t columns,
                              double scale, int64_t to) {
  Value source = K.add(base(side, at.outer), K.mul(at.first, side.row));
  Value zero = splat(0);
  K.loop(K.index(0), vectors(at), 1, [&](Value number) {
    Value row = K.mul(number, Lanes);
    Value from = K.add(source, K.mul(row, side.row));
    withLanes(at, number, [&](int64_t lanes) {
      forVectors(columns, [&](Value first, int64_t elements) {
        SmallVector<Value> packed =
            loadBlock(K.builder(), K.loc(), in(side),
                      K.add(from, K.mul(first, side.column)),
                      {elements, Lanes, lanes, side.column, side.row});
        for (int64_t i = 0; i != elements; ++i) {
          Value vector = scaled(packed[size_t(i)], scale);
          storeVector(keepFirst(vector, lanes, zero), scratch(to),
                      K.add(K.mul(K.add(first, i), Rows), row));
        }
      });
    });
  });
}

AttentionCode::View AttentionCode::copyRows(const Side &side, Value from,
                                            Value count, int64_t columns,
                                            int64_t pitch, int64_t to,
                                            double scale) {
  K.loop(K.index(0), count, 1, [&](Value row) {
    forVectors(columns, [&](Value first, int64_t lanes) {
      Value at =
          K.add(K.add(from, K.mul(row, side.row)), K.mul(first, side.column));
      Value vector = loadBlock(K.builder(), K.loc(), in(side), at,
                               {1, Lanes, lanes, 0, side.column})[0];
      storeVector(scaled(vector, scale), scratch(to),
                  K.add(K.mul(row, pitch), first));
    });
  });
  return {scratch(to), K.index(0), pitch, 1};
}

void AttentionCode::fill(int64_t to, int64_t elements, double value) {
  Value vector = splat(value);
  K.loop(K.index(0), K.index(elements), Lanes,
         [&](Value i) { storeVector(vector, scratch(to), i); });
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void AttentionCode::emitProduct(const Product &p) {
  SmallVector<Value> counts;
  if (p.count)
    counts.push_back(p.count);
  Value init = p.accumulate ? p.c : Value();
  Value initAt = p.accumulate ? p.cAt : Value();
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), p.a, p.aAt, p.b, p.bAt, p.c, p.cAt, counts,
      ValueRange{}, ValueRange{}, /*staging=*/Value(), init, initAt,
      /*next=*/Value(), uint64_t(p.m), uint64_t(p.n), uint64_t(p.k), p.aStrides,
      p.bStrides, p.cStrides, ArrayRef<int64_t>{}, p.exactB, p.dot,
      uint64_t(S.kUnroll), uint64_t(S.prefetch), uint64_t(p.accumulate));
  OpBuilder::InsertionGuard guard(K.builder());
  mlir::Block *body = K.builder().createBlock(&op.getBody());
  YieldOp::create(K.builder(), K.loc(), body->addArgument(Element, K.loc()));
}

void AttentionCode::multiplyLanes(const Tile &at, const Block &block,
                                  int64_t extent, const View &a,
                                  int64_t columns, int64_t packed,
                                  int64_t scores) {
  K.loop(K.index(0), block.count, S.mTile, [&](Value line) {
    withLines(K.add(block.first, line), extent, S.mTile, [&](int64_t m) {
      K.loop(K.index(0), stripes(at), 1, [&](Value stripe) {
        Value row = K.mul(stripe, S.nVectors * Lanes);
        Product product;
        product.a = a.buffer;
        product.aAt = K.add(a.base, K.mul(line, a.row));
        product.b = scratch(packed);
        product.bAt = row;
        product.c = scratch(scores);
        product.cAt = K.add(K.mul(line, Rows), row);
        product.m = m;
        product.n = S.nVectors * Lanes;
        product.k = columns;
        product.aStrides = {a.row, 0, a.column};
        product.bStrides = {1, Rows};
        product.cStrides = {Rows, 1};
        emitProduct(product);
      });
    });
  });
}

void AttentionCode::addLines(const Tile &at, const Block &block, const View &b,
                             bool exactB, int64_t columns, int64_t scores,
                             int64_t sums, int64_t sumsPitch) {
  // With lanes along the lines scores lie the other way round.
  int64_t rowStride = S.dot ? S.kChunk : 1, lineStride = S.dot ? 1 : Rows;
  int64_t stripe = S.nVectors * Lanes;
  auto emitStripe = [&](Value column, int64_t n) {
    K.loop(K.index(0), at.count, S.mTile, [&](Value row) {
      Product product;
      product.a = scratch(scores);
      product.aAt = K.mul(row, rowStride);
      product.b = b.buffer;
      product.bAt = K.add(b.base, column);
      product.c = scratch(sums);
      product.cAt = K.add(K.mul(row, sumsPitch), column);
      product.m = S.mTile;
      product.n = n;
      product.k = 1;
      product.aStrides = {rowStride, 0, 1, lineStride};
      product.bStrides = {1, 1, b.row};
      product.cStrides = {sumsPitch, 1};
      product.count = block.count;
      product.exactB = exactB;
      product.accumulate = sumsPitch;
      emitProduct(product);
    });
  };
  K.loopPieces(columns, stripe, emitStripe);
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

Value AttentionCode::keepLanes(Value values, arith::CmpIPredicate lane,
                               Value number) {
  OpBuilder &b = K.builder();
  Type word = b.getI32Type();
  number = K.min(K.max(number, K.index(0)), K.index(Lanes));
  number = arith::IndexCastOp::create(b, K.loc(), word, number);
  auto type = VectorType::get({Lanes}, word);
  SmallVector<int32_t> numbers;
  for (int32_t i = 0; i != Lanes; ++i)
    numbers.push_back(i);
  Value lanes = arith::ConstantOp::create(
      b, K.loc(), type, DenseElementsAttr::get(type, ArrayRef(numbers)));
  Value kept = arith::CmpIOp::create(
      b, K.loc(), lane, lanes,
      vector::BroadcastOp::create(b, K.loc(), type, number));
  return arith::SelectOp::create(
      b, K.loc(), kept, values,
      splat(-std::numeric_limits<double>::infinity()));
}

void AttentionCode::hideUnseen(const Tile &at, const Block &block, int64_t to,
                               bool linesAreKeys) {
  Value scores = scratch(to);
  // Not where all rows see, or are seen by, the line.
  Value from = block.first, end = K.add(block.first, block.count);
  if (linesAreKeys)
    from = K.max(from, K.add(at.first, 1));
  else
    end = K.min(end, K.add(at.first, at.count));
  K.loop(from, end, 1, [&](Value line) {
    Value start = K.mul(K.sub(line, block.first), Rows);
    K.loop(K.index(0), vectors(at), 1, [&](Value number) {
      Value row = K.mul(number, Lanes);
      Value place = K.add(start, row);
      Value lane = K.sub(line, K.add(at.first, row));
      // Keys are seen by the queries from theirs on, queries see up to theirs.
      auto kept =
          linesAreKeys ? arith::CmpIPredicate::sge : arith::CmpIPredicate::slt;
      if (!linesAreKeys)
        lane = K.add(lane, 1);
      storeVector(keepLanes(loadVector(scores, place), kept, lane), scores,
                  place);
    });
  });
}

void AttentionCode::addMaskTo(const Tile &at, const Block &block, int64_t to,
                              Value source, int64_t lineStride,
                              int64_t rowStride) {
  Value scores = scratch(to);
  // Lines in squares that are transposed, in fours, and one by one.
  SmallVector<int64_t> sizes{Lanes};
  for (int64_t size : {4, 1})
    if (size < Lanes)
      sizes.push_back(size);
  K.loop(K.index(0), vectors(at), 1, [&](Value number) {
    Value row = K.mul(number, Lanes);
    withLanes(at, number, [&](int64_t lanes) {
      Value done = K.index(0);
      for (int64_t size : sizes) {
        Value left = K.sub(block.count, done);
        Value end = K.add(done, K.mul(K.builder().createOrFold<arith::DivUIOp>(
                                          K.loc(), left, K.index(size)),
                                      size));
        K.loop(done, end, size, [&](Value line) {
          Value from = K.add(K.add(source, K.mul(row, rowStride)),
                             K.mul(line, lineStride));
          SmallVector<Value> mask =
              loadBlock(K.builder(), K.loc(), in(Nest.mask), from,
                        {size, Lanes, lanes, lineStride, rowStride});
          for (int64_t i = 0; i != size; ++i) {
            Value place = K.add(K.mul(K.add(line, i), Rows), row);
            storeVector(addF(loadVector(scores, place),
                             K.convert(mask[size_t(i)], Element)),
                        scores, place);
          }
        });
        done = end;
      }
    });
  });
}

} // namespace boo::compiler
