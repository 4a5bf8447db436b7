//===- Passes.h - BOO's passes ----------------------------------*- C++ -*-===//
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace boo::compiler {

/// On a dispatch: how many bytes of workspace its allocations take.
inline constexpr llvm::StringLiteral workspaceBytesAttribute =
    "boo.workspace_bytes";

#define GEN_PASS_DECL
#include "boo/compiler/passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "boo/compiler/passes/Passes.h.inc"

} // namespace boo::compiler
