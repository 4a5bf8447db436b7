//===- KernelModule.h - What an emitter hands on ----------------*- C++ -*-===//
#pragma once

#include "boo/abi/Manifest.h"
#include "boo/compiler/strategy/Schedule.h"
#include "boo/graph/Graph.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <functional>
#include <string_view>

namespace boo::compiler {

/// A module with one function a dispatch, and the manifest's part about it.
struct KernelModule {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<Dispatch> prepare, run;
  int64_t workspaceBytes = 0, scratchBytes = 0, constantsBytes = 0;
};

class KernelBuilder;

/// Reserves `bytes` of the workspace; returns their place in it.
int64_t addWorkspace(KernelModule &kernel, int64_t bytes);

/// Adds a dispatch with a tile for each place of `grid`; a serial one has a
/// single tile that works through all of them.
void addDispatch(
    KernelBuilder &builder, KernelModule &kernel, const char *name,
    const std::vector<int64_t> &grid, bool serial,
    const std::function<void(const std::vector<mlir::Value> &)> &body);

/// Options of emission beyond the Schedule.
struct EmitOptions {
  /// Packed constants come from the prepare plan, not from every launch.
  bool constantsPacked = false;
  /// Text of a transform library that runs on the module, or "".
  std::string_view transforms;
};

/// Writes the module of a group whose anchor is a convolution, by a Schedule
/// that fitConvSchedule has seen.
StatusOr<KernelModule> emitConv(mlir::MLIRContext &context, const Graph &group,
                                const Schedule &schedule,
                                const EmitOptions &options);

/// Writes the module of a depthwise convolution and a 1x1 one behind it, by a
/// Schedule that fitSeparableSchedule has seen.
StatusOr<KernelModule> emitSeparable(mlir::MLIRContext &context,
                                     const Graph &group,
                                     const Schedule &schedule,
                                     const EmitOptions &options);

/// The same of a convolution or a gradient of its input by an algorithm
/// winograd-*, which serves what refusesWinograd() has nothing against.
StatusOr<KernelModule> emitWinograd(mlir::MLIRContext &context,
                                    const Graph &group,
                                    const Schedule &schedule,
                                    const EmitOptions &options);

/// Writes the module of a group that is the gradient of a convolution's input.
StatusOr<KernelModule> emitGradInput(mlir::MLIRContext &context,
                                     const Graph &group,
                                     const Schedule &schedule,
                                     const EmitOptions &options);

/// Writes the module of a group that is the gradient of a convolution's filter.
StatusOr<KernelModule> emitWeightGrad(mlir::MLIRContext &context,
                                      const Graph &group,
                                      const Schedule &schedule);

/// Writes the module of a group whose anchor is a norm, a softmax, the gradient
/// of one, or a reduction, by a Schedule that checkRowSchedule has seen.
StatusOr<KernelModule> emitRows(mlir::MLIRContext &context, const Graph &group,
                                const Schedule &schedule);

/// Writes the module of a group that is an attention, by a Schedule that
/// fitAttentionSchedule has seen.
StatusOr<KernelModule> emitAttention(mlir::MLIRContext &context,
                                     const Graph &group,
                                     const Schedule &schedule);

/// Writes the module of a group that is the gradient of an attention.
StatusOr<KernelModule> emitAttentionGrad(mlir::MLIRContext &context,
                                         const Graph &group,
                                         const Schedule &schedule);

/// Writes the module of a pooling or of its gradient, by a Schedule that
/// checkPoolSchedule has seen.
StatusOr<KernelModule> emitPool(mlir::MLIRContext &context, const Graph &group,
                                const Schedule &schedule);

/// Writes the module of a tensor with a border.
StatusOr<KernelModule> emitPad(mlir::MLIRContext &context, const Graph &group,
                               const Schedule &schedule);

/// Writes the module of a group of pointwise and cast nodes. Refuses several
/// outputs and symbolic sizes.
StatusOr<KernelModule> emitPointwise(mlir::MLIRContext &context,
                                     const Graph &group,
                                     const Schedule &schedule);

/// Writes the module of an mlir node as one dispatch of one tile. Refuses a
/// module whose public function is not of the Graph's types, and what the
/// import pipeline cannot lower; the error says where.
StatusOr<KernelModule> emitModule(mlir::MLIRContext &context,
                                  const Graph &group,
                                  const EmitOptions &options);

} // namespace boo::compiler
