//===- TileTail.h - The tail over all vectors of a tile ---------*- C++ -*-===//
#pragma once

#include "mlir/IR/Builders.h"

namespace boo::compiler {

/// For each argument of a tail's body the vectors that it takes, one a result.
using TailArguments = llvm::SmallVector<llvm::SmallVector<mlir::Value>>;

/// True for a body too long to be copied for every vector of a tile: it would
/// be most of the code and of the time to compile it.
bool isLongTail(mlir::Block &body);

/// At least `size` elements on the stack: the buffer of that number and type
/// which an earlier tile of the function made, or a new one. Only one tile is
/// at work at a time.
mlir::Value stackBuffer(mlir::OpBuilder &builder, mlir::Location loc,
                        int64_t number, mlir::Type element, int64_t size);

/// The results of the scalar `body` of a boo.brgemm on vectors of `lanes`, as a
/// copy of the body for each of them.
llvm::SmallVector<mlir::Value> unrollTail(mlir::OpBuilder &builder,
                                          mlir::Location loc, mlir::Block &body,
                                          int64_t lanes,
                                          const TailArguments &arguments);

/// The same as a loop, through buffers on the stack that all tiles of the
/// function share.
llvm::SmallVector<mlir::Value> loopTail(mlir::OpBuilder &builder,
                                        mlir::Location loc, mlir::Block &body,
                                        int64_t lanes,
                                        const TailArguments &arguments);

} // namespace boo::compiler
