//===- ModuleText.h - Modules that people wrote -----------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <string_view>

namespace boo::compiler {

/// While it lives, collects what goes wrong in a context, with the place in the
/// text that was parsed.
class Messages {
public:
  explicit Messages(mlir::MLIRContext &context);
  std::string text() const;

private:
  std::string Text;
  mlir::ScopedDiagnosticHandler Handler;
};

/// The verified module of a text. An error says where in it.
StatusOr<mlir::OwningOpRef<mlir::ModuleOp>>
parseModuleText(mlir::MLIRContext &context, std::string_view text);

} // namespace boo::compiler
