//===- ElementView.h - Views of operands for linalg.generic -----*- C++ -*-===//
#pragma once

#include "boo/compiler/kernels/KernelBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace boo::compiler {

/// A part of an operand, and the loops that its dimensions are.
struct ElementView {
  mlir::Value memref;
  mlir::AffineMap map;
};

struct ViewDim {
  int64_t stride;
  mlir::OpFoldResult size;
  unsigned loop;
};

/// From element `offset` of `buffer` on. Dimensions of stride 0 are left out of
/// the view: the map, from `loops` loops, says so instead.
ElementView makeElementView(KernelBuilder &builder, mlir::Value buffer,
                            mlir::Value offset, llvm::ArrayRef<ViewDim> dims,
                            size_t loops);

/// Writes to each element of `out` what `element` makes of those of `inputs`,
/// which it is called with inside of the op, `out`'s own behind them.
void emitGeneric(KernelBuilder &builder, llvm::ArrayRef<ElementView> inputs,
                 const ElementView &out,
                 llvm::function_ref<mlir::Value(mlir::ValueRange)> element);

} // namespace boo::compiler
