//===- TileCode.h - What lowerings of the register tile share ---*- C++ -*-===//
#pragma once

#include "boo/compiler/dialect/BooDialect.h"

#include "mlir/IR/Builders.h"

namespace boo::compiler {

/// Writes the code of one boo.brgemm at the op's place: addresses, and the tail
/// with its loads and stores. How the sums come about is the lowering's own.
class TileCode {
protected:
  using Value = mlir::Value;

  /// `acc` is the type of the sums.
  TileCode(BrgemmOp op, int64_t vectorBits, mlir::Type acc);

  Value index(int64_t value);
  /// `base + scale * i`, without the terms that are nothing.
  Value offset(Value base, Value i, int64_t scale);
  Value offset(Value base, int64_t distance);

  /// Number of lanes of vector `v` that are inside of n.
  int64_t lanesOf(int64_t v) { return std::min(Lanes, N - v * Lanes); }
  /// `count` contiguous elements, zeros in the lanes after them.
  Value loadLanes(Value buffer, Value at, int64_t count);

  /// Runs the tail on every vector of sums (`sum(m, v)`) and stores it: copies
  /// of a short tail, a loop round a long one. Works in blocks of as many rows
  /// as a vector has lanes, so that a block can be transposed when memory runs
  /// along the rows.
  void storeTile(llvm::function_ref<Value(int64_t, int64_t)> sum);

  BrgemmOp Op;
  mlir::OpBuilder Builder;
  mlir::Location Loc;
  int64_t Lanes, M, N, Vectors;
  mlir::VectorType AccVector;

private:
  llvm::SmallVector<Value> loadTail(size_t operand, int64_t m, int64_t rows,
                                    int64_t v);
  llvm::SmallVector<Value> gatherInLoop(Value buffer, Value at,
                                        llvm::ArrayRef<int64_t> strides,
                                        int64_t rows, int64_t v);
  bool gathersMuch();
  /// Calls with the first row, the number of rows and the vector.
  void forEachBlock(llvm::function_ref<void(int64_t, int64_t, int64_t)> block);
  void storeBlock(llvm::ArrayRef<Value> results, int64_t m, int64_t v);
};

} // namespace boo::compiler
