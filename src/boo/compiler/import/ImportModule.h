//===- ImportModule.h - An mlir node's module, on buffers -------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace boo::compiler {

/// A parsed and bufferized module and its one public function, which takes and
/// returns memrefs of static shape with the identity layout, and whose body is
/// one block. It does not write to its arguments.
struct ImportedModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp entry;
};

/// The element type that stands for `dtype` in an mlir node: i1 is i1.
mlir::Type importedType(mlir::MLIRContext &context, DType dtype);

/// Reads the module of `node`, an mlir node of the verified `graph`, checks its
/// function against the node's operands and results, runs `transforms`, the
/// text of a transform library or "", on it, and bufferizes it.
StatusOr<ImportedModule> importModule(mlir::MLIRContext &context,
                                      const Graph &graph, const Node &node,
                                      std::string_view transforms);

} // namespace boo::compiler
