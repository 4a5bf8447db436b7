//===- CloneAsVector.h - Scalar bodies on vectors ---------------*- C++ -*-===//
#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace boo::compiler {

/// True for an op that cloneAsVector can copy: elementwise, or a constant.
bool isCloneableAsVector(mlir::Operation &op);

/// Copies a scalar op so that it works on `lanes` elements at once. Operands
/// that `map` does not know come from outside of the body and are broadcast;
/// the results are added to `map`.
void cloneAsVector(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Operation &op, int64_t lanes, mlir::IRMapping &map);

} // namespace boo::compiler
