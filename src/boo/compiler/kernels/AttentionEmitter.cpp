//===- AttentionEmitter.cpp - The walk over blocks of keys ----------------===//

#include "boo/compiler/kernels/AttentionEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

AttentionEmitter::AttentionEmitter(MLIRContext &context, const Graph &group,
                                   const Schedule &schedule)
    : VectorCode(context, attribute<DType>(group.nodes().front(), "acc"),
                 schedule.vectorBits, schedule.fma),
      S(schedule), Nest(makeAttentionNest(group)), P(Nest.problem),
      Rows(S.dot ? Nest.rows : S.wChunk * Lanes),
      PaddedRows(ceilDiv(Rows, S.mTile) * S.mTile) {
  int64_t bytes = Element.getIntOrFloatBitWidth() / 8;
  // Rows a page apart fall into one set of the L1 cache: a vector of slack
  // spreads them.
  auto pitch = [&](int64_t columns) {
    int64_t whole = ceilDiv(columns, Lanes) * Lanes;
    return whole + (whole * bytes % 4096 == 0 ? Lanes : 0);
  };
  KeyPitch = pitch(P.depth);
  ValuePitch = pitch(P.valueDepth);
  auto room = [&](int64_t elements) {
    int64_t at = ScratchBytes;
    ScratchBytes += ceilDiv(elements * bytes, 64) * 64;
    return at;
  };
  QueriesAt = room(S.dot ? Rows * KeyPitch : P.depth * Rows);
  // Register tiles of rows may reach past the last one.
  ScoresAt = room(S.kChunk * Rows + (S.dot ? 0 : PaddedRows - Rows));
  SumsAt = room(PaddedRows * ValuePitch);
  StatisticsAt = room(3 * Rows);
  if (S.scratchInput)
    KeysAt = room(S.kChunk * KeyPitch);
  if (!S.filterInPlace)
    ValuesAt = room(S.kChunk * ValuePitch);
}

KernelModule AttentionEmitter::emit() {
  int64_t tiles = Nest.outerCount() * ceilDiv(Nest.rows, Rows);
  K.dispatch(
      0, [&](Value tile) { emitTile(place(tile)); },
      S.serial ? std::optional(tiles) : std::nullopt);
  KernelModule kernel;
  kernel.run.push_back({"boo_dispatch_0", "attention", S.serial ? 1 : tiles});
  kernel.scratchBytes = ScratchBytes;
  kernel.module = std::move(Module);
  return kernel;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

AttentionEmitter::Place AttentionEmitter::place(Value tile) {
  int64_t blocks = ceilDiv(Nest.rows, Rows);
  std::vector<Value> c = K.delinearize(
      tile, {Nest.outer[0], Nest.outer[1], Nest.outer[2], blocks});
  Value number = c[3];
  if (Nest.isCausal() && blocks > 1) {
    // The last rows see most keys: taken in turn from both ends, neighbours
    // among the tiles, which one thread works on, have equal shares.
    Value half =
        K.builder().createOrFold<arith::DivUIOp>(K.loc(), number, K.index(2));
    Value even = K.equal(K.sub(number, K.mul(half, 2)), 0);
    number = arith::SelectOp::create(K.builder(), K.loc(), even, half,
                                     K.sub(K.index(blocks - 1), half));
  }
  Place at;
  at.outer = {c[0], c[1], c[2]};
  at.first = K.mul(number, Rows);
  at.count = K.min(K.index(Rows), K.sub(K.index(Nest.rows), at.first));
  at.keyEnd = K.index(Nest.keys());
  if (Nest.isCausal())
    at.keyEnd = K.min(at.keyEnd, K.add(at.first, at.count));
  return at;
}

Value AttentionEmitter::base(const Side &side, const Place &at) {
  Value start = K.index(0);
  for (size_t i = 0; i != 3; ++i)
    start = K.add(K.mul(at.outer[i], side.outer[i]), start);
  return start;
}
Value AttentionEmitter::in(const Side &side) {
  return K.buffer(ArgField::In, side.slot, K.type(side.dtype));
}
Value AttentionEmitter::scratch(int64_t offset) {
  return K.buffer(ArgField::Scratch, offset, Element);
}
Value AttentionEmitter::statistic(int64_t which, Value row) {
  return K.add(row, which * Rows);
}
int64_t AttentionEmitter::keyStep() const { return S.dot ? Lanes : S.mTile; }
int64_t AttentionEmitter::scoreStride(bool alongKeys) const {
  return alongKeys == S.dot ? 1 : S.dot ? S.kChunk : Rows;
}
Value AttentionEmitter::vectors(const Place &at) {
  return K.ceilDiv(at.count, Lanes);
}
Value AttentionEmitter::stripes(const Place &at) {
  return K.ceilDiv(at.count, S.nVectors * Lanes);
}

AttentionEmitter::Block AttentionEmitter::block(const Place &at, Value first) {
  Value count = K.min(K.index(S.kChunk), K.sub(at.keyEnd, first));
  count = K.mul(K.ceilDiv(count, keyStep()), keyStep());
  return {first, K.min(count, K.sub(K.index(Nest.keys()), first))};
}

void AttentionEmitter::forVectors(
    int64_t columns, const std::function<void(Value, int64_t)> &body) {
  int64_t whole = columns / Lanes * Lanes;
  K.loop(K.index(0), K.index(whole), Lanes,
         [&](Value column) { body(column, Lanes); });
  if (whole != columns)
    body(K.index(whole), columns - whole);
}

void AttentionEmitter::withLanes(const Place &at, Value number,
                                 const std::function<void(int64_t)> &body) {
  int64_t rest = Nest.rows % Lanes;
  if (rest == 0 || Nest.rows < Lanes)
    return body(rest == 0 ? Lanes : rest);
  Value row = K.add(at.first, K.mul(number, Lanes));
  K.ifThen(
      K.equal(row, Nest.rows - rest), [&] { body(rest); },
      [&] { body(Lanes); });
}

void AttentionEmitter::withKeys(Value key, int64_t step,
                                const std::function<void(int64_t)> &body) {
  int64_t rest = Nest.keys() % step;
  if (rest == 0 || Nest.keys() < step)
    return body(rest == 0 ? step : rest);
  K.ifThen(
      K.equal(key, Nest.keys() - rest), [&] { body(rest); },
      [&] { body(step); });
}

//===----------------------------------------------------------------------===//
// A grid tile
//===----------------------------------------------------------------------===//

void AttentionEmitter::emitTile(const Place &at) {
  if (S.dot)
    packRows(at);
  else
    packQueries(at);
  clear();
  K.loop(K.index(0), at.keyEnd, S.kChunk, [&](Value first) {
    Block keys = block(at, first);
    if (S.dot)
      emitDotScores(at, keys);
    else
      emitScores(at, keys);
    if (P.hasMask)
      addMask(at, keys);
    if (Nest.isCausal())
      hideFuture(at, keys);
    weigh(at, keys);
    scaleSums(at);
    addValues(at, keys);
  });
  finish(at);
}

/// Queries times the scale, [element][row], zeros for rows past the last.
void AttentionEmitter::packQueries(const Place &at) {
  Value source = K.add(base(Nest.q, at), K.mul(at.first, Nest.q.row));
  Value to = scratch(QueriesAt), scale = splat(P.scale), zero = splat(0);
  K.loop(K.index(0), vectors(at), 1, [&](Value number) {
    Value row = K.mul(number, Lanes);
    Value from = K.add(source, K.mul(row, Nest.q.row));
    withLanes(at, number, [&](int64_t lanes) {
      SmallVector<bool> bits(size_t(Lanes), false);
      std::fill_n(bits.begin(), lanes, true);
      auto type = VectorType::get({Lanes}, K.builder().getI1Type());
      Value used = arith::ConstantOp::create(
          K.builder(), K.loc(), type,
          DenseElementsAttr::get(type, ArrayRef<bool>(bits)));
      forVectors(P.depth, [&](Value first, int64_t elements) {
        SmallVector<Value> packed =
            loadBlock(K.builder(), K.loc(), in(Nest.q),
                      K.add(from, K.mul(first, Nest.q.column)),
                      {elements, Lanes, lanes, Nest.q.column, Nest.q.row});
        for (int64_t i = 0; i != elements; ++i) {
          Value vector = mulF(K.convert(packed[size_t(i)], Element), scale);
          if (lanes != Lanes)
            vector = arith::SelectOp::create(K.builder(), K.loc(), used, vector,
                                             zero);
          storeVector(vector, to, K.add(K.mul(K.add(first, i), Rows), row));
        }
      });
    });
  });
}

/// Queries times the scale, [row][element].
void AttentionEmitter::packRows(const Place &at) {
  Value source = K.add(base(Nest.q, at), K.mul(at.first, Nest.q.row));
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    forVectors(P.depth, [&](Value first, int64_t lanes) {
      Value from = K.add(K.add(source, K.mul(row, Nest.q.row)),
                         K.mul(first, Nest.q.column));
      Value vector = loadBlock(K.builder(), K.loc(), in(Nest.q), from,
                               {1, Lanes, lanes, 0, Nest.q.column})[0];
      storeVector(mulF(K.convert(vector, Element), splat(P.scale)),
                  scratch(QueriesAt), K.add(K.mul(row, KeyPitch), first));
    });
  });
}

void AttentionEmitter::clear() {
  double lowest = P.accType == DType::F64
                      ? std::numeric_limits<double>::lowest()
                      : std::numeric_limits<float>::lowest();
  Value zero = splat(0);
  K.loop(K.index(0), K.index(PaddedRows * ValuePitch), Lanes,
         [&](Value i) { storeVector(zero, scratch(SumsAt), i); });
  auto scalar = [&](double value) {
    return arith::ConstantOp::create(K.builder(), K.loc(),
                                     K.builder().getFloatAttr(Element, value));
  };
  Value low = scalar(lowest), none = scalar(0);
  K.loop(K.index(0), K.index(Rows), 1, [&](Value row) {
    K.store(low, scratch(StatisticsAt), statistic(Greatest, row));
    K.store(none, scratch(StatisticsAt), statistic(Sum, row));
  });
}

/// A copy of `count` rows from `from` on, widened.
AttentionEmitter::View AttentionEmitter::copyRows(const Side &side, Value from,
                                                  Value count, int64_t columns,
                                                  int64_t pitch, int64_t to) {
  K.loop(K.index(0), count, 1, [&](Value row) {
    forVectors(columns, [&](Value first, int64_t lanes) {
      Value at =
          K.add(K.add(from, K.mul(row, side.row)), K.mul(first, side.column));
      Value vector = loadBlock(K.builder(), K.loc(), in(side), at,
                               {1, Lanes, lanes, 0, side.column})[0];
      storeVector(K.convert(vector, Element), scratch(to),
                  K.add(K.mul(row, pitch), first));
    });
  });
  return {scratch(to), K.index(0), pitch, 1};
}

AttentionEmitter::View AttentionEmitter::keys(const Place &at,
                                              const Block &block) {
  Value from = K.add(base(Nest.k, at), K.mul(block.first, Nest.k.row));
  if (S.scratchInput)
    return copyRows(Nest.k, from, block.count, P.depth, KeyPitch, KeysAt);
  return {in(Nest.k), from, Nest.k.row, Nest.k.column};
}

AttentionEmitter::View AttentionEmitter::values(const Place &at,
                                                const Block &block) {
  Value from = K.add(base(Nest.v, at), K.mul(block.first, Nest.v.row));
  if (!S.filterInPlace)
    return copyRows(Nest.v, from, block.count, P.valueDepth, ValuePitch,
                    ValuesAt);
  return {in(Nest.v), from, Nest.v.row, 1};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void AttentionEmitter::emitProduct(const Product &p) {
  SmallVector<Value> counts;
  if (p.count)
    counts.push_back(p.count);
  Value init = p.accumulate ? p.c : Value();
  Value initAt = p.accumulate ? p.cAt : Value();
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), p.a, p.aAt, p.b, p.bAt, p.c, p.cAt, counts,
      ValueRange{}, ValueRange{}, /*staging=*/Value(), init, initAt,
      uint64_t(p.m), uint64_t(p.n), uint64_t(p.k), p.aStrides, p.bStrides,
      p.cStrides, ArrayRef<int64_t>{}, p.exactB, p.dot, uint64_t(S.kUnroll),
      uint64_t(S.prefetch), uint64_t(p.accumulate));
  OpBuilder::InsertionGuard guard(K.builder());
  mlir::Block *body = K.builder().createBlock(&op.getBody());
  YieldOp::create(K.builder(), K.loc(), body->addArgument(Element, K.loc()));
}

void AttentionEmitter::emitScores(const Place &at, const Block &block) {
  View k = keys(at, block);
  K.loop(K.index(0), block.count, S.mTile, [&](Value key) {
    withKeys(K.add(block.first, key), S.mTile, [&](int64_t m) {
      K.loop(K.index(0), stripes(at), 1, [&](Value stripe) {
        Value row = K.mul(stripe, S.nVectors * Lanes);
        Product product;
        product.a = k.buffer;
        product.aAt = K.add(k.base, K.mul(key, k.row));
        product.b = scratch(QueriesAt);
        product.bAt = row;
        product.c = scratch(ScoresAt);
        product.cAt = K.add(K.mul(key, Rows), row);
        product.m = m;
        product.n = S.nVectors * Lanes;
        product.k = P.depth;
        product.aStrides = {k.row, 0, k.column};
        product.bStrides = {1, Rows};
        product.cStrides = {Rows, 1};
        emitProduct(product);
      });
    });
  });
}

void AttentionEmitter::emitDotScores(const Place &at, const Block &block) {
  View k = keys(at, block);
  if (int64_t rest = Nest.keys() % Lanes) {
    // What fills up the last vector of keys is seen by no row.
    Value last = K.sub(K.index(Nest.keys() - rest), block.first);
    Value nothing = splat(-std::numeric_limits<double>::infinity());
    Value end = K.add(block.first, block.count);
    K.ifThen(K.equal(end, Nest.keys()), [&] {
      K.loop(K.index(0), at.count, 1, [&](Value row) {
        storeVector(nothing, scratch(ScoresAt),
                    K.add(K.mul(row, S.kChunk), last));
      });
    });
  }
  K.loop(K.index(0), block.count, S.nVectors, [&](Value key) {
    withKeys(K.add(block.first, key), S.nVectors, [&](int64_t n) {
      Product product;
      product.a = scratch(QueriesAt);
      product.aAt = K.index(0);
      product.b = k.buffer;
      product.bAt = K.add(k.base, K.mul(key, k.row));
      product.c = scratch(ScoresAt);
      product.cAt = key;
      product.m = Rows;
      product.n = n;
      product.k = P.depth;
      product.aStrides = {KeyPitch, 0, 1};
      product.bStrides = {k.row, 1};
      product.cStrides = {S.kChunk, 1};
      product.exactB = product.dot = true;
      emitProduct(product);
    });
  });
}

/// What was summed under another greatest score.
void AttentionEmitter::scaleSums(const Place &at) {
  Value sums = scratch(SumsAt);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    Value factor =
        broadcast(K.load(scratch(StatisticsAt), statistic(Factor, row)));
    Value from = K.mul(row, ValuePitch);
    forVectors(P.valueDepth, [&](Value column, int64_t) {
      Value place = K.add(from, column);
      storeVector(mulF(loadVector(sums, place), factor), sums, place);
    });
  });
}

void AttentionEmitter::addValues(const Place &at, const Block &block) {
  View v = values(at, block);
  int64_t stripe = S.nVectors * Lanes;
  auto emitStripe = [&](Value column, int64_t n) {
    K.loop(K.index(0), at.count, S.mTile, [&](Value row) {
      Product product;
      product.a = scratch(ScoresAt);
      product.aAt = K.mul(row, scoreStride(false));
      product.b = v.buffer;
      product.bAt = K.add(v.base, column);
      product.c = scratch(SumsAt);
      product.cAt = K.add(K.mul(row, ValuePitch), column);
      product.m = S.mTile;
      product.n = n;
      product.k = 1;
      product.aStrides = {scoreStride(false), 0, 1, scoreStride(true)};
      product.bStrides = {1, 1, v.row};
      product.cStrides = {ValuePitch, 1};
      product.count = block.count;
      product.exactB = S.filterInPlace;
      product.accumulate = ValuePitch;
      emitProduct(product);
    });
  };
  int64_t whole = P.valueDepth / stripe * stripe;
  K.loop(K.index(0), K.index(whole), stripe,
         [&](Value column) { emitStripe(column, stripe); });
  if (whole != P.valueDepth)
    emitStripe(K.index(whole), P.valueDepth - whole);
}

/// Divides by the sums of exponentials; rows that see nothing are zeros.
void AttentionEmitter::finish(const Place &at) {
  Type stored = K.type(P.dtype);
  Value to = K.add(base(Nest.out, at), K.mul(at.first, Nest.out.row));
  Value zero = splat(0);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    auto read = [&](int64_t which) {
      return broadcast(K.load(scratch(StatisticsAt), statistic(which, row)));
    };
    Value sum = read(Sum);
    Value nothing = arith::CmpFOp::create(K.builder(), K.loc(),
                                          arith::CmpFPredicate::OEQ, sum, zero);
    Value target = K.add(to, K.mul(row, Nest.out.row));
    forVectors(P.valueDepth, [&](Value column, int64_t lanes) {
      Value value =
          loadVector(scratch(SumsAt), K.add(K.mul(row, ValuePitch), column));
      value = arith::SelectOp::create(K.builder(), K.loc(), nothing, zero,
                                      divF(value, sum));
      storeBlock(K.builder(), K.loc(), K.convert(value, stored),
                 K.buffer(ArgField::Out, Nest.out.slot, stored),
                 K.add(target, K.mul(column, Nest.out.column)),
                 {1, Lanes, lanes, 0, Nest.out.column});
    });
    if (P.logsumexp)
      storeBlock(
          K.builder(), K.loc(), addF(read(Greatest), logF(sum)),
          K.buffer(ArgField::Out, Nest.lse.slot, Element),
          K.add(base(Nest.lse, at), K.mul(K.add(at.first, row), Nest.lse.row)),
          {1, Lanes, 1, 0, 1});
  });
}

StatusOr<KernelModule> emitAttention(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule) {
  return AttentionEmitter(context, group, schedule).emit();
}

} // namespace boo::compiler
