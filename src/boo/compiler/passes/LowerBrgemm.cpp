//===- LowerBrgemm.cpp - Turn register tiles into vector code -------------===//
//
// One lowering for every vector length: the Schedule has chosen m and n so that
// the accumulators fit the registers of the ISA.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/dialect/CloneAsVector.h"
#include "boo/compiler/dialect/VectorTranspose.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_LOWERBRGEMM
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Expands one tile in place of the op.
class TileLowering {
public:
  TileLowering(BrgemmOp op, int64_t vectorBits, bool fma)
      : Op(op), Builder(op), Loc(op.getLoc()), Fma(fma),
        Acc(op.getA().getType().getElementType()),
        Lanes(vectorBits / Acc.getIntOrFloatBitWidth()), M(op.getM()),
        N(op.getN()), Vectors((N + Lanes - 1) / Lanes),
        AccVector(VectorType::get({Lanes}, Acc)) {}

  void run() {
    Value zero = arith::ConstantOp::create(Builder, Loc, AccVector,
                                           Builder.getZeroAttr(AccVector));
    SmallVector<Value> sums(size_t(M * Vectors), zero);
    storeTile(batchLoop(0, Op.getAOffset(), Op.getBOffset(), sums));
    Op.erase();
  }

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(Builder, Loc, value);
  }

  /// `base + scale * i`, without the terms that are nothing.
  Value offset(Value base, Value i, int64_t scale) {
    if (scale == 0)
      return base;
    Value step = scale == 1
                     ? i
                     : arith::MulIOp::create(Builder, Loc, i, index(scale),
                                             arith::IntegerOverflowFlags::nsw);
    return arith::AddIOp::create(Builder, Loc, base, step,
                                 arith::IntegerOverflowFlags::nsw);
  }
  Value offset(Value base, int64_t distance) {
    if (distance == 0)
      return base;
    return arith::AddIOp::create(Builder, Loc, base, index(distance),
                                 arith::IntegerOverflowFlags::nsw);
  }

  /// Loops over batch dimension `level` and those inside of it.
  SmallVector<Value> batchLoop(size_t level, Value a, Value b,
                               ArrayRef<Value> sums) {
    if (level == Op.getBatchCounts().size())
      return kLoop(a, b, sums);
    auto loop = scf::ForOp::create(Builder, Loc, index(0),
                                   Op.getBatchCounts()[level], index(1), sums);
    OpBuilder::InsertionGuard guard(Builder);
    Builder.setInsertionPointToStart(loop.getBody());
    Value i = loop.getInductionVar();
    SmallVector<Value> inner(loop.getRegionIterArgs());
    inner = batchLoop(level + 1, offset(a, i, Op.getAStrides()[3 + level]),
                      offset(b, i, Op.getBStrides()[2 + level]), inner);
    scf::YieldOp::create(Builder, Loc, inner);
    return SmallVector<Value>(loop.getResults());
  }

  SmallVector<Value> kLoop(Value a, Value b, ArrayRef<Value> sums) {
    int64_t k = Op.getK(), unroll = std::min<int64_t>(Op.getKUnroll(), k);
    int64_t rounds = k / unroll;
    SmallVector<Value> inner(sums);
    if (rounds == 1) {
      for (int64_t i = 0; i != unroll; ++i)
        step(offset(a, i * Op.getAStrides()[2]),
             offset(b, i * Op.getBStrides()[1]), inner);
    } else {
      auto loop = scf::ForOp::create(Builder, Loc, index(0), index(rounds),
                                     index(1), inner);
      OpBuilder::InsertionGuard guard(Builder);
      Builder.setInsertionPointToStart(loop.getBody());
      Value i = loop.getInductionVar();
      inner.assign(loop.getRegionIterArgs().begin(),
                   loop.getRegionIterArgs().end());
      Value aRound = offset(a, i, unroll * Op.getAStrides()[2]);
      Value bRound = offset(b, i, unroll * Op.getBStrides()[1]);
      for (int64_t j = 0; j != unroll; ++j)
        step(offset(aRound, j * Op.getAStrides()[2]),
             offset(bRound, j * Op.getBStrides()[1]), inner);
      scf::YieldOp::create(Builder, Loc, inner);
      inner.assign(loop.getResults().begin(), loop.getResults().end());
    }
    for (int64_t i = rounds * unroll; i != k; ++i)
      step(offset(a, i * Op.getAStrides()[2]),
           offset(b, i * Op.getBStrides()[1]), inner);
    return inner;
  }

  /// One k: sums[m][v] += A[m] * B[v].
  void step(Value a, Value b, SmallVectorImpl<Value> &sums) {
    SmallVector<Value> row;
    for (int64_t v = 0; v != Vectors; ++v)
      row.push_back(vector::LoadOp::create(Builder, Loc, AccVector, Op.getB(),
                                           offset(b, v * Lanes)));
    if (int64_t distance = Op.getPrefetch())
      for (int64_t v = 0; v != Vectors; ++v)
        memref::PrefetchOp::create(
            Builder, Loc, Op.getB(),
            offset(b, distance * Op.getBStrides()[1] + v * Lanes),
            /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
    bool depthwise = Op.getAStrides()[1] == 1;
    for (int64_t m = 0; m != M; ++m) {
      Value at = offset(a, m * Op.getAStrides()[0]);
      Value element;
      if (!depthwise) {
        element = memref::LoadOp::create(Builder, Loc, Op.getA(), at);
        element = vector::BroadcastOp::create(Builder, Loc, AccVector, element);
      }
      for (int64_t v = 0; v != Vectors; ++v) {
        if (depthwise)
          element = loadLanes(Op.getA(), offset(at, v * Lanes), lanesOf(v));
        Value &sum = sums[size_t(m * Vectors + v)];
        sum = multiplyAdd(element, row[size_t(v)], sum);
      }
    }
  }

  Value multiplyAdd(Value a, Value b, Value c) {
    if (Fma)
      return vector::FMAOp::create(Builder, Loc, a, b, c);
    Value product = arith::MulFOp::create(Builder, Loc, a, b);
    return arith::AddFOp::create(Builder, Loc, product, c);
  }

  /// Number of lanes of vector `v` that are inside of n.
  int64_t lanesOf(int64_t v) { return std::min(Lanes, N - v * Lanes); }

  Value mask(int64_t count) {
    SmallVector<bool> mask(size_t(Lanes), false);
    std::fill_n(mask.begin(), count, true);
    auto type = VectorType::get({Lanes}, Builder.getI1Type());
    return arith::ConstantOp::create(
        Builder, Loc, type, DenseElementsAttr::get(type, ArrayRef(mask)));
  }

  /// `count` contiguous elements, zeros in the lanes after them.
  Value loadLanes(Value buffer, Value at, int64_t count) {
    auto type = VectorType::get(
        {Lanes}, cast<MemRefType>(buffer.getType()).getElementType());
    if (count == Lanes)
      return vector::LoadOp::create(Builder, Loc, type, buffer, at);
    Value zero = arith::ConstantOp::create(Builder, Loc, type,
                                           Builder.getZeroAttr(type));
    return vector::MaskedLoadOp::create(Builder, Loc, type, buffer, at,
                                        mask(count), zero);
  }

  /// Elements of a tail operand that meet vector `v` of the rows [m, m + rows).
  SmallVector<Value> loadTail(size_t operand, int64_t m, int64_t rows,
                              int64_t v) {
    Value buffer = Op.getTail()[operand];
    ArrayRef<int64_t> strides = Op.getTailStrides().slice(2 * operand, 2);
    Value at = offset(Op.getTailOffsets()[operand],
                      m * strides[0] + v * Lanes * strides[1]);
    auto type = VectorType::get(
        {Lanes}, cast<MemRefType>(buffer.getType()).getElementType());
    if (strides[1] > 1 && strides[0] == 1)
      return loadColumns(buffer, at, strides[1], rows, v);
    SmallVector<Value> result;
    for (int64_t i = 0; i != rows; ++i) {
      Value row = offset(at, i * strides[0]);
      if (strides[0] == 0 && i != 0)
        result.push_back(result.front());
      else if (strides[1] == 1)
        result.push_back(loadLanes(buffer, row, lanesOf(v)));
      else if (strides[1] == 0)
        result.push_back(vector::BroadcastOp::create(
            Builder, Loc, type,
            memref::LoadOp::create(Builder, Loc, buffer, row)));
      else
        result.push_back(gather(buffer, row, strides[1], v));
    }
    return result;
  }

  Value gather(Value buffer, Value at, int64_t stride, int64_t v) {
    auto type = VectorType::get(
        {Lanes}, cast<MemRefType>(buffer.getType()).getElementType());
    Value lanes = arith::ConstantOp::create(Builder, Loc, type,
                                            Builder.getZeroAttr(type));
    for (int64_t lane = 0; lane != lanesOf(v); ++lane) {
      Value element = memref::LoadOp::create(Builder, Loc, buffer,
                                             offset(at, lane * stride));
      lanes = vector::InsertOp::create(Builder, Loc, element, lanes, lane);
    }
    return lanes;
  }

  /// Rows that lie along the lanes' stride in memory: load the columns.
  SmallVector<Value> loadColumns(Value buffer, Value at, int64_t stride,
                                 int64_t rows, int64_t v) {
    SmallVector<Value> columns;
    for (int64_t lane = 0; lane != Lanes; ++lane)
      columns.push_back(lane < lanesOf(v)
                            ? loadLanes(buffer, offset(at, lane * stride), rows)
                            : columns.front());
    return transposeSquare(Builder, Loc, columns);
  }

  /// Stores in blocks of as many rows as a vector has lanes, so that a block
  /// can be transposed when memory runs along the rows.
  void storeTile(ArrayRef<Value> sums) {
    for (int64_t v = 0; v != Vectors; ++v)
      for (int64_t m = 0; m < M; m += Lanes)
        storeBlock(sums, m, std::min(Lanes, M - m), v);
  }

  void storeBlock(ArrayRef<Value> sums, int64_t m, int64_t rows, int64_t v) {
    Block &body = Op.getBody().front();
    SmallVector<SmallVector<Value>> tails;
    for (size_t i = 0; i != Op.getTail().size(); ++i)
      tails.push_back(loadTail(i, m, rows, v));
    SmallVector<Value> results;
    for (int64_t row = 0; row != rows; ++row) {
      IRMapping map;
      map.map(body.getArgument(0), sums[size_t((m + row) * Vectors + v)]);
      for (size_t i = 0; i != tails.size(); ++i)
        map.map(body.getArgument(unsigned(1 + i)), tails[i][size_t(row)]);
      for (Operation &op : body.without_terminator())
        cloneAsVector(Builder, Loc, op, Lanes, map);
      results.push_back(
          map.lookup(cast<YieldOp>(body.getTerminator()).getValue()));
    }
    ArrayRef<int64_t> strides = Op.getCStrides();
    Value at = offset(Op.getCOffset(), m * strides[0] + v * Lanes * strides[1]);
    if (strides[1] == 1 || N == 1) {
      for (int64_t row = 0; row != rows; ++row)
        storeLanes(results[size_t(row)], offset(at, row * strides[0]),
                   lanesOf(v));
    } else if (strides[0] == 1) {
      results.resize(size_t(Lanes), results.front());
      SmallVector<Value> columns = transposeSquare(Builder, Loc, results);
      for (int64_t lane = 0; lane != lanesOf(v); ++lane)
        storeLanes(columns[size_t(lane)], offset(at, lane * strides[1]), rows);
    } else {
      for (int64_t row = 0; row != rows; ++row)
        for (int64_t lane = 0; lane != lanesOf(v); ++lane)
          memref::StoreOp::create(
              Builder, Loc,
              vector::ExtractOp::create(Builder, Loc, results[size_t(row)],
                                        lane),
              Op.getC(), offset(at, row * strides[0] + lane * strides[1]));
    }
  }

  void storeLanes(Value lanes, Value at, int64_t count) {
    if (count == Lanes)
      vector::StoreOp::create(Builder, Loc, lanes, Op.getC(), at);
    else
      vector::MaskedStoreOp::create(Builder, Loc, Op.getC(), at, mask(count),
                                    lanes);
  }

  BrgemmOp Op;
  OpBuilder Builder;
  Location Loc;
  bool Fma;
  Type Acc;
  int64_t Lanes, M, N, Vectors;
  VectorType AccVector;
};

struct LowerBrgemm : impl::LowerBrgemmBase<LowerBrgemm> {
  using LowerBrgemmBase::LowerBrgemmBase;

  void runOnOperation() override {
    SmallVector<BrgemmOp> tiles;
    getOperation().walk([&](BrgemmOp op) { tiles.push_back(op); });
    for (BrgemmOp op : tiles) {
      unsigned bits = op.getA().getType().getElementTypeBitWidth();
      if (vectorBits < bits || vectorBits % bits != 0) {
        op.emitError("boo-lower-brgemm: vectors of ")
            << int64_t(vectorBits) << " bits hold no whole number of " << bits
            << "-bit elements";
        return signalPassFailure();
      }
      TileLowering(op, vectorBits, fma).run();
    }
  }
};

} // namespace
} // namespace boo::compiler
