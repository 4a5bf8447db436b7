//===- BooDialect.h - Ops between kernel emitters and LLVM ------*- C++ -*-===//
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "boo/compiler/dialect/BooDialect.h.inc"
#include "boo/compiler/dialect/BooEnums.h.inc"

#define GET_OP_CLASSES
#include "boo/compiler/dialect/BooOps.h.inc"

namespace boo::compiler {

/// On a math.exp: the operand is not above 0, or a NaN.
inline constexpr llvm::StringLiteral nonPositiveAttribute = "boo.non_positive";

/// Lets `convert-to-llvm` lower boo.arg and boo.tile_range.
void registerConvertBooToLLVMInterface(mlir::DialectRegistry &registry);

} // namespace boo::compiler
