//===- Compiler.h - One group from Graph text to artifact -------*- C++ -*-===//
#pragma once

#include "boo/abi/CompilerAbi.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/strategy/Strategy.h"

namespace boo::compiler {

/// Writes the module of a verified group by the emitter of its family.
StatusOr<KernelModule> emitKernel(mlir::MLIRContext &context,
                                  const Graph &group, const Schedule &schedule,
                                  const EmitOptions &options);

/// The whole way: parse, decide, emit, lower, generate, link. On failure
/// nothing is left at request.output_path.
Status compileGroup(const boo_compile_request &request);

/// What boo_compiler_neighbours() answers.
StatusOr<std::string> neighboursOfGroup(const boo_compile_request &request);

} // namespace boo::compiler
