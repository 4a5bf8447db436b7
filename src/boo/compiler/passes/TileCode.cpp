//===- TileCode.cpp - What lowerings of the register tile share -----------===//

#include "boo/compiler/passes/TileCode.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/passes/TileTail.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
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

/// Elements of a tail operand that meet vector `v` of the rows [m, m + rows).
SmallVector<Value> TileCode::loadTail(size_t operand, int64_t m, int64_t rows,
                                      int64_t v) {
  ArrayRef<int64_t> strides = Op.getTailStrides().slice(2 * operand, 2);
  Value at = offset(Op.getTailOffsets()[operand],
                    m * strides[0] + v * Lanes * strides[1]);
  return loadBlock(Builder, Loc, Op.getTail()[operand], at,
                   {rows, Lanes, lanesOf(v), strides[0], strides[1]});
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
