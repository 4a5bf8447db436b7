//===- Emit.h - From the llvm dialect to an ELF file ------------*- C++ -*-===//
#pragma once

#include "boo/abi/Manifest.h"
#include "boo/base/Target.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>

namespace boo::compiler {

/// Takes a stage's name and its text ("optimized.ll", "kernel.s"), for dumps.
using StageDump = std::function<void(std::string_view, std::string_view)>;

/// Translates, optimises and assembles a module of the llvm dialect, and adds
/// the manifest in its section. Returns the bytes of a relocatable ELF object.
StatusOr<std::string> emitObject(mlir::ModuleOp module,
                                 const Manifest &manifest, const Target &target,
                                 const StageDump &dump);

/// Links one object into a shared object at `path` (created with mode 0600).
/// An undefined symbol is an error that names it. One link at a time: lld keeps
/// global state.
Status linkShared(std::string_view object, const std::string &path);

} // namespace boo::compiler
