//===- LowerBrgemm.cpp - Turn register tiles into vector code -------------===//
//
// One lowering for every vector length: the Schedule has chosen m and n so that
// the accumulators fit the registers of the ISA.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/passes/Passes.h"
#include "boo/compiler/passes/TileCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <map>

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_LOWERBRGEMM
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Expands one tile in place of the op.
class TileLowering : TileCode {
public:
  TileLowering(BrgemmOp op, int64_t vectorBits, bool fma)
      : TileCode(op, vectorBits, op.getBody().front().getArgument(0).getType()),
        Fma(fma), Pair(op.inPairs() ? 2 : 1) {}

  void run() {
    Value zero = arith::ConstantOp::create(Builder, Loc, AccVector,
                                           Builder.getZeroAttr(AccVector));
    Sums sums(size_t(M * (Op.getDot() ? N : Vectors)), zero);
    if (Op.getInit())
      for (int64_t m = 0; m != M; ++m)
        for (int64_t v = 0; v != Vectors; ++v)
          sums[size_t(m * Vectors + v)] =
              loadLanes(Op.getInit(),
                        offset(Op.getInitOffset(),
                               m * int64_t(Op.getInitStride()) + v * Lanes),
                        Lanes);
    sums = batchLoop(0, Op.getAOffset(), Op.getBOffset(), sums);
    if (Op.getDot())
      sums = addLanes(sums);
    storeTile(
        [&](int64_t m, int64_t v) { return sums[size_t(m * Vectors + v)]; });
    Op.erase();
  }

private:
  using Sums = SmallVector<Value>;

  /// Loops over batch dimension `level` and those inside of it.
  Sums batchLoop(size_t level, Value a, Value b, const Sums &sums) {
    if (level == Op.getBatchCounts().size())
      return kLoop(a, b, sums);
    return loop(Op.getBatchCounts()[level], 1, sums, [&](Value i, Sums &inner) {
      inner = batchLoop(level + 1, offset(a, i, Op.getAStrides()[3 + level]),
                        offset(b, i, Op.getBStrides()[2 + level]), inner);
    });
  }

  Sums kLoop(Value a, Value b, const Sums &sums) {
    if (Op.getDot())
      return dotLoop(a, b, sums);
    int64_t k = Op.getK() / Pair, done = 0;
    Sums inner = sums;
    if (Op.getNext()) {
      int64_t segment = lineElements() / Pair;
      done = k / segment * segment;
      repeat(done, segment, inner, [&](Value i, Sums &carried) {
        prefetchNext(i);
        rounds(offset(a, i, Pair), offset(b, i, Op.getBStrides()[1]), segment,
               carried);
      });
      if (done != k)
        prefetchNext(index(done));
    }
    rounds(offset(a, done * Pair * Op.getAStrides()[2]),
           offset(b, done * Op.getBStrides()[1]), k - done, inner);
    if (Op.getK() % Pair != 0)
      step(offset(a, k * Pair), offset(b, k * Op.getBStrides()[1]), inner,
           /*half=*/true);
    return inner;
  }

  int64_t lineElements() {
    return 512 / Op.getA().getType().getElementTypeBitWidth();
  }

  /// The line of the next tile's rows that holds step `k`.
  void prefetchNext(Value k) {
    for (int64_t m = 0; m != int64_t(Op.getNextRows()); ++m)
      // Into the L2 cache: this tile's rows and B are in the L1 cache.
      memref::PrefetchOp::create(
          Builder, Loc, Op.getA(),
          offset(offset(Op.getNext(), k, Pair), m * Op.getAStrides()[0]),
          /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
  }

  /// A loop of rounds of `step` up to `end` that carries the sums.
  Sums loop(Value end, int64_t step, Sums sums,
            llvm::function_ref<void(Value, Sums &)> body) {
    auto loop =
        scf::ForOp::create(Builder, Loc, index(0), end, index(step), sums);
    OpBuilder::InsertionGuard guard(Builder);
    Builder.setInsertionPointToStart(loop.getBody());
    sums.assign(loop.getRegionIterArgs().begin(),
                loop.getRegionIterArgs().end());
    body(loop.getInductionVar(), sums);
    scf::YieldOp::create(Builder, Loc, sums);
    return Sums(loop.getResults());
  }
  /// The same; of a single round, its body alone.
  void repeat(int64_t end, int64_t step, Sums &sums,
              llvm::function_ref<void(Value, Sums &)> body) {
    if (end > step)
      sums = loop(index(end), step, sums, body);
    else if (end > 0)
      body(index(0), sums);
  }

  /// `count` k, or pairs of k, as many at a time as the Schedule says.
  void rounds(Value a, Value b, int64_t count, Sums &sums) {
    if (count == 0)
      return;
    int64_t unroll = std::min<int64_t>(Op.getKUnroll(), count);
    int64_t done = count / unroll * unroll;
    int64_t aStep = Pair * Op.getAStrides()[2], bStep = Op.getBStrides()[1];
    repeat(done, unroll, sums, [&](Value i, Sums &carried) {
      steps(offset(a, i, aStep), offset(b, i, bStep), unroll, carried);
    });
    steps(offset(a, done * aStep), offset(b, done * bStep), count - done, sums);
  }

  /// `count` k, or pairs of k.
  void steps(Value a, Value b, int64_t count, Sums &sums) {
    if (isDepthwise() && count > 1)
      return columnSteps(a, b, count, sums);
    for (int64_t i = 0; i != count; ++i)
      step(offset(a, i * Pair * Op.getAStrides()[2]),
           offset(b, i * Op.getBStrides()[1]), sums);
  }

  /// One k, or pair of k, or the first half of one: sums[m][v] += A[m] * B[v].
  void step(Value a, Value b, Sums &sums, bool half = false) {
    SmallVector<Value> row;
    for (int64_t v = 0; v != Vectors; ++v)
      row.push_back(Pair == 2 ? loadPairs(offset(b, v * Pair * Lanes))
                              : loadB(offset(b, v * Lanes),
                                      Op.getExactB() ? lanesOf(v) : Lanes));
    if (int64_t distance = Op.getPrefetch())
      for (int64_t v = 0; v != Vectors; ++v)
        memref::PrefetchOp::create(
            Builder, Loc, Op.getB(),
            offset(b, distance * Op.getBStrides()[1] + v * Pair * Lanes),
            /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
    for (int64_t m = 0; m != M; ++m) {
      Value at = offset(a, m * Op.getAStrides()[0]);
      Value element;
      if (!isDepthwise())
        element = Pair == 1 ? broadcast(at) : broadcastPair(at, half);
      for (int64_t v = 0; v != Vectors; ++v) {
        if (isDepthwise())
          element = loadColumn(at, v);
        Value &sum = sums[size_t(m * Vectors + v)];
        sum = multiplyAdd(element, row[size_t(v)], sum);
      }
    }
  }

  /// `k` steps of a depthwise tile. Windows of neighbours share columns of A:
  /// each is loaded once, for every m and k that meet in it.
  void columnSteps(Value a, Value b, int64_t k, Sums &sums) {
    std::map<int64_t, SmallVector<std::pair<int64_t, int64_t>>> columns;
    for (int64_t i = 0; i != k; ++i)
      for (int64_t m = 0; m != M; ++m)
        columns[m * Op.getAStrides()[0] + i * Op.getAStrides()[2]].push_back(
            {m, i});
    SmallVector<Value> filter;
    for (int64_t i = 0; i != k; ++i)
      for (int64_t v = 0; v != Vectors; ++v)
        filter.push_back(loadB(offset(b, i * Op.getBStrides()[1] + v * Lanes),
                               Op.getExactB() ? lanesOf(v) : Lanes));
    for (const auto &[distance, meetings] : columns)
      for (int64_t v = 0; v != Vectors; ++v) {
        Value column = loadColumn(offset(a, distance), v);
        for (auto [m, i] : meetings) {
          Value &sum = sums[size_t(m * Vectors + v)];
          sum = multiplyAdd(column, filter[size_t(i * Vectors + v)], sum);
        }
      }
  }

  bool isDepthwise() { return Op.getAStrides()[1] == 1; }

  /// Vector `v` of a pixel of A.
  Value loadColumn(Value at, int64_t v) {
    return widen(loadLanes(Op.getA(), offset(at, v * Lanes), lanesOf(v)));
  }

  Value widen(Value lanes) {
    if (lanes.getType() == AccVector)
      return lanes;
    return arith::ExtFOp::create(Builder, Loc, AccVector, lanes);
  }

  Value broadcast(Value at) {
    Value element = memref::LoadOp::create(Builder, Loc, Op.getA(), at);
    return vector::BroadcastOp::create(Builder, Loc, AccVector, element);
  }

  /// Two elements of A, or one and a zero, repeated for every lane.
  Value broadcastPair(Value at, bool half) {
    Type element = Op.getA().getType().getElementType();
    Type word = Builder.getI32Type();
    Value pair;
    if (half) {
      pair = memref::LoadOp::create(Builder, Loc, Op.getA(), at);
      pair = arith::BitcastOp::create(Builder, Loc, Builder.getI16Type(), pair);
      pair = arith::ExtUIOp::create(Builder, Loc, word, pair);
    } else {
      pair = vector::LoadOp::create(Builder, Loc, VectorType::get({2}, element),
                                    Op.getA(), at);
      pair = vector::BitCastOp::create(Builder, Loc, VectorType::get({1}, word),
                                       pair);
      pair = vector::ExtractOp::create(Builder, Loc, pair, 0);
    }
    pair = vector::BroadcastOp::create(Builder, Loc,
                                       VectorType::get({Lanes}, word), pair);
    return vector::BitCastOp::create(
        Builder, Loc, VectorType::get({2 * Lanes}, element), pair);
  }

  /// A pair of B for every lane.
  Value loadPairs(Value at) {
    auto type =
        VectorType::get({2 * Lanes}, Op.getB().getType().getElementType());
    return vector::LoadOp::create(Builder, Loc, type, Op.getB(), at);
  }

  /// `count` elements of B, of the type that is accumulated.
  Value loadB(Value at, int64_t count) {
    return widen(loadLanes(Op.getB(), at, count));
  }

  /// Lanes over k: sums[m][n] += A[m] * B[n], for as many k at once.
  Sums dotLoop(Value a, Value b, const Sums &sums) {
    int64_t k = Op.getK(), whole = k / Lanes * Lanes;
    Sums inner = sums;
    repeat(whole, Lanes, inner, [&](Value i, Sums &carried) {
      dotStep(offset(a, i, 1), offset(b, i, 1), Lanes, carried);
    });
    if (whole != k)
      dotStep(offset(a, whole), offset(b, whole), k - whole, inner);
    return inner;
  }

  void dotStep(Value a, Value b, int64_t count, Sums &sums) {
    SmallVector<Value> rows;
    for (int64_t m = 0; m != M; ++m)
      rows.push_back(
          loadLanes(Op.getA(), offset(a, m * Op.getAStrides()[0]), count));
    for (int64_t n = 0; n != N; ++n) {
      Value column = loadB(offset(b, n * Op.getBStrides()[0]), count);
      for (int64_t m = 0; m != M; ++m) {
        Value &sum = sums[size_t(m * N + n)];
        sum = multiplyAdd(rows[size_t(m)], column, sum);
      }
    }
  }

  /// The sums of the lanes, side by side: sums[m][v] as storeTile wants them.
  Sums addLanes(const Sums &sums) {
    Sums result;
    for (int64_t m = 0; m != M; ++m)
      for (int64_t v = 0; v != Vectors; ++v) {
        Value lanes = arith::ConstantOp::create(Builder, Loc, AccVector,
                                                Builder.getZeroAttr(AccVector));
        for (int64_t lane = 0; lane != lanesOf(v); ++lane) {
          // As a tree, whose shape is always the same.
          Value sum = vector::ReductionOp::create(
              Builder, Loc, vector::CombiningKind::ADD,
              sums[size_t(m * N + v * Lanes + lane)],
              arith::FastMathFlags::reassoc);
          lanes = vector::InsertOp::create(Builder, Loc, sum, lanes, lane);
        }
        result.push_back(lanes);
      }
    return result;
  }

  Value multiplyAdd(Value a, Value b, Value c) {
    if (Pair == 2) {
      // Two products a lane, each added with one rounding.
      std::string name =
          "llvm.x86.avx512bf16.dpbf16ps." + std::to_string(32 * Lanes);
      return LLVM::CallIntrinsicOp::create(Builder, Loc, AccVector,
                                           Builder.getStringAttr(name),
                                           ValueRange{c, b, a})
          .getResult(0);
    }
    if (Fma)
      return vector::FMAOp::create(Builder, Loc, a, b, c);
    Value product = arith::MulFOp::create(Builder, Loc, a, b);
    return arith::AddFOp::create(Builder, Loc, product, c);
  }

  bool Fma;
  int64_t Pair; ///< elements of k in a step
};

struct LowerBrgemm : impl::LowerBrgemmBase<LowerBrgemm> {
  using LowerBrgemmBase::LowerBrgemmBase;

  void runOnOperation() override {
    SmallVector<BrgemmOp> tiles;
    getOperation().walk([&](BrgemmOp op) { tiles.push_back(op); });
    for (BrgemmOp op : tiles) {
      unsigned bits =
          op.getBody().front().getArgument(0).getType().getIntOrFloatBitWidth();
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
