//===- PrefixAccess.h - The first lanes of a vector in memory ---*- C++ -*-===//
#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace boo::compiler {

/// `count` contiguous elements of a flat memref, zeros in the lanes after them.
/// Reads no other memory.
mlir::Value loadPrefix(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value buffer, mlir::Value at, int64_t lanes,
                       int64_t count);

/// Stores the first `count` lanes of `vector` and writes no other memory.
void storePrefix(mlir::OpBuilder &builder, mlir::Location loc,
                 mlir::Value vector, mlir::Value buffer, mlir::Value at,
                 int64_t count);

} // namespace boo::compiler
