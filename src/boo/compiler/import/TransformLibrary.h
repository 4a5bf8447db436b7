//===- TransformLibrary.h - Transforms that people wrote --------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <string_view>

namespace boo::compiler {

/// The transform dialect, and the ops of it that work on what modules here
/// consist of.
void registerTransformDialect(mlir::DialectRegistry &registry);

/// Runs the named sequence @__transform_main of `library`, the text of a
/// transform-dialect module, on `module`, which is sound afterwards or the
/// Status says what is not. A transform that fails is an error; one that was
/// given nothing to work on does not.
Status runTransforms(mlir::ModuleOp module, std::string_view library);

} // namespace boo::compiler
