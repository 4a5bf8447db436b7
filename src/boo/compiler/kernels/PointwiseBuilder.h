//===- PointwiseBuilder.h - Functions as arith and math -*- C++ -*-===//
#pragma once

#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/graph/Graph.h"

#include <map>

namespace boo::compiler {

/// Ops that compute `fn` of `operands` (all of one float type, or vectors of
/// it) at the
/// builder's insertion point. NaN goes through every function.
mlir::Value buildPointwise(KernelBuilder &kernel, PointwiseFn fn,
                           const std::vector<mlir::Value> &operands,
                           const std::vector<double> &parameters);

/// Evaluates the pointwise and cast nodes of `group` from `firstNode` to the
/// one that makes `result`, in `compute` (f32 or f64; f64 where a node's result
/// is), given the values of their operands in any float type. Returns `result`
/// in its type.
mlir::Value buildTail(KernelBuilder &kernel, const Graph &group,
                      size_t firstNode, ValueId result, DType compute,
                      std::map<ValueId, mlir::Value> values);

} // namespace boo::compiler
