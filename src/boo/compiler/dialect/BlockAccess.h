//===- BlockAccess.h - Rows of lanes in memory ------------------*- C++ -*-===//
#pragma once

#include "mlir/IR/Builders.h"

namespace boo::compiler {

/// `rows` vectors of `lanes` elements, of which `count` are in memory: element
/// (row, lane) at row * rowStride + lane * laneStride. No other memory is read
/// or written. At most `lanes` rows; `lanes` is a power of two.
struct VectorBlock {
  int64_t rows, lanes, count;
  int64_t rowStride, laneStride;
};

/// Whatever way is short: vectors along the lanes; along the rows, transposed
/// in registers; a broadcast; or element by element. What stands in the lanes
/// from `count` on is not defined.
llvm::SmallVector<mlir::Value> loadBlock(mlir::OpBuilder &builder,
                                         mlir::Location loc, mlir::Value buffer,
                                         mlir::Value at,
                                         const VectorBlock &block);

void storeBlock(mlir::OpBuilder &builder, mlir::Location loc,
                llvm::ArrayRef<mlir::Value> rows, mlir::Value buffer,
                mlir::Value at, const VectorBlock &block);

} // namespace boo::compiler
