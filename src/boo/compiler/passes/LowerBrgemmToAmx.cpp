//===- LowerBrgemmToAmx.cpp - Turn bf16 register tiles into AMX code ------===//
//
// All tiles have 16 rows of 64 bytes, so one configuration serves a whole
// dispatch: LLVM sets it up once a function.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/passes/Passes.h"
#include "boo/compiler/passes/TileCode.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_LOWERBRGEMMTOAMX
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Rows of a tile, and f32 in a row; bf16 in a row is twice that.
constexpr int64_t tileSize = 16;

class AmxLowering : TileCode {
public:
  explicit AmxLowering(BrgemmOp op)
      : TileCode(op, 32 * tileSize, op.getStaging().getType().getElementType()),
        Rows((M + tileSize - 1) / tileSize),
        Columns((N + tileSize - 1) / tileSize),
        Sum(amx::TileType::get({tileSize, tileSize}, Builder.getF32Type())),
        Factor(amx::TileType::get({tileSize, 2 * tileSize},
                                  Builder.getBF16Type())) {}

  /// Tiles that are live at once.
  int64_t tiles() const { return Rows * Columns + Rows + Columns; }

  void run() {
    SmallVector<Value> sums;
    for (int64_t i = 0; i != Rows * Columns; ++i)
      sums.push_back(amx::TileZeroOp::create(Builder, Loc, Sum));
    sums = batchLoop(0, Op.getAOffset(), Op.getBOffset(), sums);
    Value pitch = index(Columns * tileSize);
    for (int64_t i = 0; i != Rows * Columns; ++i)
      amx::TileStoreOp::create(Builder, Loc, Op.getStaging(),
                               staged(i / Columns * tileSize, i % Columns),
                               sums[size_t(i)], pitch);
    storeTile([&](int64_t m, int64_t v) -> Value {
      return vector::LoadOp::create(Builder, Loc, AccVector, Op.getStaging(),
                                    staged(m, v));
    });
    Op.erase();
  }

private:
  /// Where vector `v` of row `m` stands in the staging memory.
  Value staged(int64_t m, int64_t v) {
    return index((m * Columns + v) * tileSize);
  }

  /// Loops over batch dimension `level` and those inside of it, then over k.
  SmallVector<Value> batchLoop(size_t level, Value a, Value b,
                               ArrayRef<Value> sums) {
    bool innermost = level == Op.getBatchCounts().size();
    Value count = innermost ? index(int64_t(Op.getK()) / (2 * tileSize))
                            : Op.getBatchCounts()[level];
    int64_t aStep = innermost ? 2 * tileSize : Op.getAStrides()[3 + level];
    int64_t bStep = innermost ? tileSize * Op.getBStrides()[1]
                              : Op.getBStrides()[2 + level];
    auto loop =
        scf::ForOp::create(Builder, Loc, index(0), count, index(1), sums);
    OpBuilder::InsertionGuard guard(Builder);
    Builder.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> inner(loop.getRegionIterArgs());
    Value nextA = offset(a, loop.getInductionVar(), aStep);
    Value nextB = offset(b, loop.getInductionVar(), bStep);
    if (innermost)
      step(nextA, nextB, inner);
    else
      inner = batchLoop(level + 1, nextA, nextB, inner);
    scf::YieldOp::create(Builder, Loc, inner);
    return SmallVector<Value>(loop.getResults());
  }

  /// 32 steps of k: sums[r][c] += A[r] * B[c].
  void step(Value a, Value b, SmallVectorImpl<Value> &sums) {
    SmallVector<Value> left, right;
    Value aPitch = index(Op.getAStrides()[0]);
    Value bPitch = index(Op.getBStrides()[1]);
    for (int64_t r = 0; r != Rows; ++r)
      left.push_back(amx::TileLoadOp::create(
          Builder, Loc, Factor, Op.getA(),
          offset(a, r * tileSize * Op.getAStrides()[0]), aPitch));
    for (int64_t c = 0; c != Columns; ++c)
      right.push_back(amx::TileLoadOp::create(Builder, Loc, Factor, Op.getB(),
                                              offset(b, c * 2 * tileSize),
                                              bPitch));
    for (int64_t i = 0; i != Rows * Columns; ++i)
      sums[size_t(i)] =
          amx::TileMulFOp::create(Builder, Loc, Sum, left[size_t(i / Columns)],
                                  right[size_t(i % Columns)], sums[size_t(i)]);
  }

  int64_t Rows, Columns;
  amx::TileType Sum, Factor;
};

struct LowerBrgemmToAmx : impl::LowerBrgemmToAmxBase<LowerBrgemmToAmx> {
  void runOnOperation() override {
    SmallVector<BrgemmOp> tiles;
    getOperation().walk([&](BrgemmOp op) {
      if (op.getStaging())
        tiles.push_back(op);
    });
    for (BrgemmOp op : tiles) {
      AmxLowering lowering(op);
      if (lowering.tiles() > 8) {
        op.emitError("boo-lower-brgemm-to-amx: this tile needs ")
            << lowering.tiles() << " tile registers, and there are 8";
        return signalPassFailure();
      }
      lowering.run();
    }
  }
};

} // namespace
} // namespace boo::compiler
