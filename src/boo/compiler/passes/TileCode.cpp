//===- TileCode.cpp - What lowerings of the register tile share -----------===//

#include "boo/compiler/passes/TileCode.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/passes/TileTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

TileCode::TileCode(BrgemmOp op, int64_t vectorBits, Type acc)
    : Op(op), Builder(op), Loc(op.getLoc()),
      Lanes(vectorBits / acc.getIntOrFloatBitWidth()), M(op.getM()),
      N(op.getN()), Vectors((N + Lanes - 1) / Lanes),
      AccVector(VectorType::get({Lanes}, acc)) {}

Value TileCode::index(int64_t value) {
  return arith::ConstantIndexOp::create(Builder, Loc, value);
}

Value TileCode::offset(Value base, Value i, int64_t scale) {
  if (scale == 0)
    return base;
  Value step = scale == 1
                   ? i
                   : arith::MulIOp::create(Builder, Loc, i, index(scale),
                                           arith::IntegerOverflowFlags::nsw);
  return arith::AddIOp::create(Builder, Loc, base, step,
                               arith::IntegerOverflowFlags::nsw);
}
Value TileCode::offset(Value base, int64_t distance) {
  if (distance == 0)
    return base;
  return arith::AddIOp::create(Builder, Loc, base, index(distance),
                               arith::IntegerOverflowFlags::nsw);
}

Value TileCode::loadLanes(Value buffer, Value at, int64_t count) {
  return loadPrefix(Builder, Loc, buffer, at, Lanes, count);
}

/// Whether the elements that the tail takes one by one, or in transposed
/// squares, would be most of the code and of the time to compile it.
bool TileCode::gathersMuch() {
  // A residual of f32 for a 14x32 tile, element by element. In halves an
  // element takes twice as many ops, in squares a quarter.
  const int64_t limit = 512;
  int64_t cost = 0;
  for (size_t i = 0; i != Op.getTail().size(); ++i) {
    ArrayRef<int64_t> strides = Op.getTailStrides().slice(2 * i, 2);
    auto type = cast<MemRefType>(Op.getTail()[i].getType());
    if (strides[1] > 1)
      cost += M * N * (type.getElementTypeBitWidth() < 32 ? 2 : 1) /
              (strides[0] == 1 ? 4 : 1);
  }
  return cost > limit;
}

/// Elements of a tail operand that meet vector `v` of the rows [m, m + rows).
SmallVector<Value> TileCode::loadTail(size_t operand, int64_t m, int64_t rows,
                                      int64_t v) {
  ArrayRef<int64_t> strides = Op.getTailStrides().slice(2 * operand, 2);
  Value at = offset(Op.getTailOffsets()[operand],
                    m * strides[0] + v * Lanes * strides[1]);
  if (strides[1] > 1 && gathersMuch())
    return gatherInLoop(Op.getTail()[operand], at, strides, rows, v);
  return loadBlock(Builder, Loc, Op.getTail()[operand], at,
                   {rows, Lanes, lanesOf(v), strides[0], strides[1]});
}

/// The rows of a block by way of a buffer on the stack, which the next block
/// fills anew.
SmallVector<Value> TileCode::gatherInLoop(Value buffer, Value at,
                                          ArrayRef<int64_t> strides,
                                          int64_t rows, int64_t v) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  Value block = stackBuffer(Builder, Loc, /*number=*/-1, element, rows * Lanes);
  {
    OpBuilder::InsertionGuard guard(Builder);
    Value zero = index(0), one = index(1);
    auto loop = [&](int64_t count) {
      auto made = scf::ForOp::create(Builder, Loc, zero, index(count), one);
      Builder.setInsertionPointToStart(made.getBody());
      return made.getInductionVar();
    };
    Value row = loop(rows);
    Value from = offset(at, row, strides[0]);
    Value to = offset(zero, row, Lanes);
    Value lane = loop(lanesOf(v));
    Value value = memref::LoadOp::create(Builder, Loc, buffer,
                                         offset(from, lane, strides[1]));
    memref::StoreOp::create(Builder, Loc, value, block, offset(to, lane, 1));
  }
  SmallVector<Value> result;
  for (int64_t i = 0; i != rows; ++i)
    result.push_back(loadLanes(block, index(i * Lanes), lanesOf(v)));
  return result;
}

void TileCode::forEachBlock(
    llvm::function_ref<void(int64_t, int64_t, int64_t)> block) {
  for (int64_t v = 0; v != Vectors; ++v)
    for (int64_t m = 0; m < M; m += Lanes)
      block(m, std::min(Lanes, M - m), v);
}

void TileCode::storeTile(llvm::function_ref<Value(int64_t, int64_t)> sum) {
  Block &body = Op.getBody().front();
  auto addArguments = [&](int64_t m, int64_t rows, int64_t v,
                          TailArguments &arguments) {
    for (int64_t row = m; row != m + rows; ++row)
      arguments[0].push_back(sum(row, v));
    for (size_t i = 0; i != Op.getTail().size(); ++i)
      llvm::append_range(arguments[1 + i], loadTail(i, m, rows, v));
  };
  if (M * Vectors <= 2 || !isLongTail(body)) {
    forEachBlock([&](int64_t m, int64_t rows, int64_t v) {
      TailArguments arguments(body.getNumArguments());
      addArguments(m, rows, v, arguments);
      storeBlock(unrollTail(Builder, Loc, body, Lanes, arguments), m, v);
    });
    return;
  }
  // One loop for the whole tile, between the loads and the stores of all
  // blocks.
  TailArguments arguments(body.getNumArguments());
  forEachBlock([&](int64_t m, int64_t rows, int64_t v) {
    addArguments(m, rows, v, arguments);
  });
  SmallVector<Value> all = loopTail(Builder, Loc, body, Lanes, arguments);
  ArrayRef<Value> rest = all;
  forEachBlock([&](int64_t m, int64_t rows, int64_t v) {
    storeBlock(rest.take_front(size_t(rows)), m, v);
    rest = rest.drop_front(size_t(rows));
  });
}

void TileCode::storeBlock(ArrayRef<Value> results, int64_t m, int64_t v) {
  ArrayRef<int64_t> strides = Op.getCStrides();
  Value at = offset(Op.getCOffset(), m * strides[0] + v * Lanes * strides[1]);
  boo::compiler::storeBlock(
      Builder, Loc, results, Op.getC(), at,
      {int64_t(results.size()), Lanes, lanesOf(v), strides[0], strides[1]});
}

} // namespace boo::compiler
