//===- VectorTranspose.h - Transposes in registers --------------*- C++ -*-===//
#pragma once

#include "mlir/IR/Builders.h"

namespace boo::compiler {

/// The transpose of `rows`, a power of two of them with as many lanes each.
/// Rows may have more lanes, a multiple of their number: each square of as many
/// lanes as there are rows is transposed where it stands. Takes log2(rows)
/// rounds of two-source shuffles, `rows` of them each.
llvm::SmallVector<mlir::Value>
transposeSquare(mlir::OpBuilder &builder, mlir::Location loc,
                llvm::ArrayRef<mlir::Value> rows);

/// The lanes of two vectors by turns: a0 b0 a1 b1 …
mlir::Value interleave(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value a, mlir::Value b);

} // namespace boo::compiler
