//===- PoolBuilder.cpp - Units, rows and scratch of poolings --------------===//

#include "boo/base/Math.h"
#include "boo/compiler/kernels/PoolEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace boo::compiler {

PoolBuilder::PoolBuilder(MLIRContext &context, const Graph &group,
                         const Schedule &schedule)
    : Nest(group), P(Nest.P), Name(opName(group.nodes().front().op)),
      S(schedule), Lanes(Nest.lanes(schedule.vectorBits)),
      BlockChannels(Nest.blockChannels(schedule)),
      Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module),
      Element(K.type(P.accType)), Stored(K.type(P.dtype)),
      Vector(VectorType::get({Lanes}, Element)),
      Ints(VectorType::get({Lanes}, K.builder().getI32Type())) {}

KernelModule PoolBuilder::emit() {
  KernelModule kernel;
  int64_t units = Nest.units(S);
  int64_t chunk = std::min(S.wChunk, std::max<int64_t>(units, 1));
  int64_t tiles = ceilDiv(units, chunk);
  auto body = [&](Value tile) {
    beginTile();
    Value first = K.mul(tile, chunk);
    Value end = K.add(first, chunk);
    if (units % chunk != 0)
      end = K.min(end, K.index(units));
    K.loop(first, end, 1, [&](Value unit) { emitUnit(unit); });
  };
  if (units == 0)
    K.dispatch(0, [](Value) {});
  else if (S.serial)
    K.dispatch(0, body, tiles);
  else
    K.dispatch(0, body);
  kernel.run.push_back(
      {"boo_dispatch_0", Name, S.serial ? std::min<int64_t>(tiles, 1) : tiles});
  kernel.scratchBytes = Nest.scratchBytes(S);
  kernel.module = std::move(Module);
  return kernel;
}

void PoolBuilder::emitUnit(Value number) {
  int64_t blocks = Nest.channelBlocks(S);
  auto [depth, height, width] = Nest.written();
  Unit unit;
  std::vector<Value> at;
  if (S.dot) {
    at = K.delinearize(number, {P.batch, P.channels, depth, height});
    std::tie(unit.image, unit.channel, unit.depth, unit.height) =
        std::tie(at[0], at[1], at[2], at[3]);
    return emitRow(unit);
  }
  // The blocks of a row follow each other in memory.
  at = K.delinearize(number, {P.batch, depth, height, blocks});
  std::tie(unit.image, unit.depth, unit.height) = std::tie(at[0], at[1], at[2]);
  unit.channel = K.mul(at[3], BlockChannels);
  auto emitBlock = [&](int64_t channels) {
    unit.vectors = ceilDiv(channels, Lanes);
    unit.count = channels - (unit.vectors - 1) * Lanes;
    emitRow(unit);
  };
  int64_t rest = P.channels % BlockChannels;
  if (rest == 0)
    return emitBlock(BlockChannels);
  if (blocks == 1)
    return emitBlock(rest);
  K.ifThen(
      K.equal(at[3], blocks - 1), [&] { emitBlock(rest); },
      [&] { emitBlock(BlockChannels); });
}

void PoolBuilder::overRow(const Unit &unit, int64_t positions,
                          const std::function<void(const Piece &)> &body) {
  if (!S.dot)
    return K.loop(K.index(0), K.index(positions), 1,
                  [&](Value at) { body({at, unit.vectors, unit.count}); });
  int64_t block = S.kUnroll * Lanes, full = positions / block * block;
  K.loop(K.index(0), K.index(full), block,
         [&](Value at) { body({at, S.kUnroll, Lanes}); });
  if (int64_t rest = positions - full) {
    int64_t vectors = ceilDiv(rest, Lanes);
    body({K.index(full), vectors, rest - (vectors - 1) * Lanes});
  }
}

PoolBuilder::Values
PoolBuilder::loop(const Range &range, Values init,
                  const std::function<Values(Value, Values)> &body) {
  APInt low, high;
  if (matchPattern(range.begin, m_ConstantInt(&low)) &&
      matchPattern(range.end, m_ConstantInt(&high))) {
    constexpr int64_t unrolled = 4;
    int64_t first = low.getSExtValue(), count = high.getSExtValue() - first;
    if (count <= unrolled) {
      for (int64_t i = 0; i < count; ++i)
        init = body(K.index(first + i), init);
      return init;
    }
  }
  OpBuilder &builder = K.builder();
  auto loop = scf::ForOp::create(builder, K.loc(), range.begin, range.end,
                                 K.index(1), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(), Values(loop.getRegionIterArgs()));
  // An empty one has its terminator already.
  if (!init.empty())
    scf::YieldOp::create(builder, K.loc(), next);
  return Values(loop.getResults());
}

//===----------------------------------------------------------------------===//
// Tensors and scratch
//===----------------------------------------------------------------------===//

Value PoolBuilder::rowOffset(const Unit &unit,
                             const PoolProblem::Strides &strides, Value depth,
                             Value height) {
  Value at = K.add(K.mul(unit.image, strides.batch),
                   K.mul(unit.channel, strides.channel));
  at = K.add(at, K.mul(depth, strides.spatial[0]));
  return K.add(at, K.mul(height, strides.spatial[1]));
}

/// The shapes of a piece in memory: full vectors, and one that is not.
static SmallVector<VectorBlock, 2> blocksOf(int64_t vectors, int64_t count,
                                            int64_t lanes, int64_t stride) {
  VectorBlock block{vectors, lanes, lanes, stride * lanes, stride};
  if (count == lanes)
    return {block};
  VectorBlock last = block;
  last.rows = 1;
  last.count = count;
  if (vectors == 1)
    return {last};
  block.rows = vectors - 1;
  return {block, last};
}

PoolBuilder::Values PoolBuilder::loadRow(Value buffer, Value row,
                                         const PoolProblem::Strides &strides,
                                         const Piece &piece) {
  int64_t along = S.dot ? strides.spatial[2] : strides.channel;
  Value at = K.add(row, K.mul(piece.at, strides.spatial[2]));
  Values values;
  for (const VectorBlock &block :
       blocksOf(piece.vectors, piece.count, Lanes, along)) {
    values.append(loadBlock(K.builder(), K.loc(), buffer, at, block));
    at = K.add(at, block.rows * block.rowStride);
  }
  return values;
}

void PoolBuilder::storeRow(ArrayRef<Value> values, Value buffer, Value row,
                           const PoolProblem::Strides &strides,
                           const Piece &piece) {
  int64_t along = S.dot ? strides.spatial[2] : strides.channel;
  Value at = K.add(row, K.mul(piece.at, strides.spatial[2]));
  for (const VectorBlock &block :
       blocksOf(piece.vectors, piece.count, Lanes, along)) {
    storeBlock(K.builder(), K.loc(), values.take_front(size_t(block.rows)),
               buffer, at, block);
    values = values.drop_front(size_t(block.rows));
    at = K.add(at, block.rows * block.rowStride);
  }
}

PoolBuilder::Values PoolBuilder::loadScratch(Value buffer, const Piece &piece,
                                             Value shift, int64_t step) {
  OpBuilder &b = K.builder();
  Value at = K.mul(K.add(K.mul(piece.at, step), shift), BlockChannels);
  auto load = [&](int64_t vectors, int64_t stride) {
    return loadBlock(b, K.loc(), buffer, at,
                     {vectors, Lanes, Lanes, stride * Lanes, stride});
  };
  if (!S.dot || step == 1)
    return load(piece.vectors, 1);
  if (step != 2)
    return load(piece.vectors, step);
  // Every other element of two vectors: what they reach beyond is scratch.
  Values pairs;
  for (int64_t u = 0; u != 2 * piece.vectors; ++u, at = K.add(at, Lanes))
    pairs.push_back(load(1, 1).front());
  SmallVector<int64_t> even;
  for (int64_t lane = 0; lane != Lanes; ++lane)
    even.push_back(2 * lane);
  Values values;
  for (size_t u = 0; u != size_t(piece.vectors); ++u)
    values.push_back(vector::ShuffleOp::create(b, K.loc(), pairs[2 * u],
                                               pairs[2 * u + 1], even));
  return values;
}

void PoolBuilder::storeScratch(ArrayRef<Value> values, Value buffer,
                               const Piece &piece, Value shift, int64_t step) {
  Value at = K.mul(K.add(K.mul(piece.at, step), shift), BlockChannels);
  if (!S.dot || step == 1) {
    storeBlock(K.builder(), K.loc(), values, buffer, at,
               {piece.vectors, Lanes, Lanes, Lanes, 1});
    return;
  }
  for (const VectorBlock &block :
       blocksOf(piece.vectors, piece.count, Lanes, step)) {
    storeBlock(K.builder(), K.loc(), values.take_front(size_t(block.rows)),
               buffer, at, block);
    values = values.drop_front(size_t(block.rows));
    at = K.add(at, block.rows * block.rowStride);
  }
}

void PoolBuilder::fillScratch(Value buffer, Value value, int64_t begin,
                              int64_t end) {
  K.loop(K.index(begin * BlockChannels), K.index(end * BlockChannels), Lanes,
         [&](Value at) {
           storeBlock(K.builder(), K.loc(), {value}, buffer, at,
                      {1, Lanes, Lanes, Lanes, 1});
         });
}

//===----------------------------------------------------------------------===//
// Vectors and divisors
//===----------------------------------------------------------------------===//

Value PoolBuilder::splat(double value) {
  return arith::ConstantOp::create(
      K.builder(), K.loc(), Vector,
      DenseElementsAttr::get(Vector, K.builder().getFloatAttr(Element, value)));
}

Value PoolBuilder::splatInt(int64_t value) {
  return arith::ConstantOp::create(
      K.builder(), K.loc(), Ints,
      DenseElementsAttr::get(Ints, K.builder().getI32IntegerAttr(int(value))));
}

Value PoolBuilder::broadcastInt(Value index) {
  OpBuilder &b = K.builder();
  Value number =
      arith::IndexCastOp::create(b, K.loc(), Ints.getElementType(), index);
  return vector::BroadcastOp::create(b, K.loc(), Ints, number);
}

Value PoolBuilder::positionsOf(const Piece &piece, int64_t u) {
  if (!S.dot)
    return broadcastInt(piece.at);
  SmallVector<int32_t> lanes;
  for (int64_t lane = 0; lane != Lanes; ++lane)
    lanes.push_back(int32_t(u * Lanes + lane));
  Value steps = arith::ConstantOp::create(
      K.builder(), K.loc(), Ints,
      DenseElementsAttr::get(Ints, ArrayRef<int32_t>(lanes)));
  return arith::AddIOp::create(K.builder(), K.loc(), broadcastInt(piece.at),
                               steps);
}

Value PoolBuilder::inUse(const Piece &piece, Value value, Value other) {
  if (piece.count == Lanes)
    return value;
  SmallVector<bool> bits(size_t(Lanes), false);
  std::fill_n(bits.begin(), piece.count, true);
  auto type = VectorType::get({Lanes}, K.builder().getI1Type());
  Value used = arith::ConstantOp::create(
      K.builder(), K.loc(), type, DenseElementsAttr::get(type, ArrayRef(bits)));
  return arith::SelectOp::create(K.builder(), K.loc(), used, value, other);
}

/// Whether all windows have as many taps in the input, or in the padded input.
bool PoolBuilder::divisorVaries(size_t dim) const {
  return P.divisor(dim, 0) != P.window[dim] ||
         P.divisor(dim, P.out[dim] - 1) != P.window[dim];
}

PoolBuilder::Range PoolBuilder::taps(size_t dim, Value o, bool forDivisor) {
  int64_t window = P.window[dim];
  bool padded = forDivisor && P.fn == PoolFn::AverageInclusive;
  bool inside = P.taps(dim, 0).count() == window &&
                P.taps(dim, P.out[dim] - 1).count() == window;
  if (padded ? !divisorVaries(dim) : inside)
    return {K.index(0), K.index(window)};
  Value first = K.mul(o, P.stride[dim]);
  int64_t limit = P.in[dim] + P.padLo[dim] + P.padHi[dim];
  if (!padded) {
    first = K.sub(first, K.index(P.padLo[dim]));
    limit = P.in[dim];
  }
  auto before = [&](int64_t position) {
    Value distance = K.max(K.sub(K.index(position), first), K.index(0));
    return K.min(K.ceilDiv(distance, P.dilation[dim]), K.index(window));
  };
  Value begin = before(0);
  return {begin, K.max(begin, before(limit))};
}

Value PoolBuilder::rowDivisor(Value depth, Value height) {
  OpBuilder &b = K.builder();
  Range d = taps(0, depth, true), h = taps(1, height, true);
  Value count = b.createOrFold<arith::MulIOp>(K.loc(), K.sub(d.end, d.begin),
                                              K.sub(h.end, h.begin));
  Value wide = arith::IndexCastOp::create(b, K.loc(), b.getI64Type(), count);
  Value number = arith::SIToFPOp::create(b, K.loc(), Element, wide);
  return vector::BroadcastOp::create(b, K.loc(), Vector, number);
}

Value PoolBuilder::columnDivisor(const Piece &piece, int64_t u) {
  OpBuilder &b = K.builder();
  auto floatOf = [&](Value ints) {
    return arith::SIToFPOp::create(b, K.loc(), Vector, ints);
  };
  if (!divisorVaries(2))
    return splat(double(P.window[2]));
  if (!S.dot) {
    Range w = taps(2, piece.at, true);
    return floatOf(broadcastInt(K.sub(w.end, w.begin)));
  }
  // The same as taps(), for each lane.
  auto low = [&](Value x, Value y) {
    return Value(arith::MinSIOp::create(b, K.loc(), x, y));
  };
  auto high = [&](Value x, Value y) {
    return Value(arith::MaxSIOp::create(b, K.loc(), x, y));
  };
  bool padded = P.fn == PoolFn::AverageInclusive;
  Value first = arith::MulIOp::create(b, K.loc(), positionsOf(piece, u),
                                      splatInt(P.stride[2]));
  int64_t shift = padded ? 0 : P.padLo[2];
  int64_t limit = P.in[2] + (padded ? P.padLo[2] + P.padHi[2] : 0);
  auto before = [&](int64_t position) {
    Value distance = high(
        arith::SubIOp::create(b, K.loc(), splatInt(position + shift), first),
        splatInt(0));
    if (P.dilation[2] != 1)
      distance = arith::DivSIOp::create(
          b, K.loc(),
          arith::AddIOp::create(b, K.loc(), distance,
                                splatInt(P.dilation[2] - 1)),
          splatInt(P.dilation[2]));
    return low(distance, splatInt(P.window[2]));
  };
  Value begin = before(0);
  Value end = high(begin, before(limit));
  return floatOf(arith::SubIOp::create(b, K.loc(), end, begin));
}

} // namespace boo::compiler
