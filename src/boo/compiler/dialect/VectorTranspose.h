//===- VectorTranspose.h - Square transposes in registers -------*- C++ -*-===//
#pragma once

#include "mlir/IR/Builders.h"

namespace boo::compiler {

/// The transpose of `rows`: as many vectors as each has lanes, a power of two.
/// Takes log2(lanes) rounds of two-source shuffles, lanes of them each.
llvm::SmallVector<mlir::Value>
transposeSquare(mlir::OpBuilder &builder, mlir::Location loc,
                llvm::ArrayRef<mlir::Value> rows);

} // namespace boo::compiler
