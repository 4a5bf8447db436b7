//===- Compiler.cpp - One group from Graph text to artifact ---------------===//

#include "boo/compiler/Compiler.h"
#include "boo/abi/KernelAbi.h"
#include "boo/compiler/emit/Emit.h"
#include "boo/compiler/import/TransformLibrary.h"
#include "boo/compiler/pipelines/Dump.h"
#include "boo/compiler/pipelines/Pipelines.h"
#include "boo/compiler/strategy/Neighbours.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace mlir;

namespace boo::compiler {

static StatusOr<KernelModule> emit(MLIRContext &context, const Graph &group,
                                   const Schedule &schedule,
                                   const EmitOptions &options) {
  if (!group.nodes().empty()) {
    Op anchor = group.nodes().front().op;
    if (anchor == Op::ConvGradInput && !isWinograd(schedule.algorithm))
      return emitGradInput(context, group, schedule, options);
    if (anchor == Op::ConvGradWeight)
      return emitWeightGrad(context, group, schedule);
    if (anchor == Op::AttentionGrad)
      return emitAttentionGrad(context, group, schedule);
  }
  switch (schedule.algorithm) {
  case Algorithm::Direct:
  case Algorithm::Depthwise:
    return emitConv(context, group, schedule, options);
  case Algorithm::Separable:
    return emitSeparable(context, group, schedule, options);
  case Algorithm::Winograd4x4:
  case Algorithm::Winograd2x2:
    return emitWinograd(context, group, schedule, options);
  case Algorithm::Pointwise:
    return emitPointwise(context, group, schedule);
  case Algorithm::Rows:
    return emitRows(context, group, schedule);
  case Algorithm::Attention:
    return emitAttention(context, group, schedule);
  case Algorithm::Pool:
    return emitPool(context, group, schedule);
  case Algorithm::Pad:
    return emitPad(context, group, schedule);
  case Algorithm::Module:
    return emitModule(context, group, options);
  }
  return internalError("a Schedule without an algorithm");
}

/// Runs the library on a module as the emitter wrote it.
static Status transformKernel(KernelModule &kernel, std::string_view library) {
  BOO_RETURN_IF_ERROR(runTransforms(*kernel.module, library));
  for (const auto *plan : {&kernel.prepare, &kernel.run})
    for (const Dispatch &dispatch : *plan)
      if (!kernel.module->lookupSymbol<func::FuncOp>(dispatch.symbol))
        return Status(StatusCode::CompileError,
                      "transform library: it leaves no function @" +
                          dispatch.symbol);
  return Status::ok();
}

StatusOr<KernelModule> emitKernel(MLIRContext &context, const Graph &group,
                                  const Schedule &schedule,
                                  const EmitOptions &options) {
  BOO_ASSIGN_OR_RETURN(KernelModule kernel,
                       emit(context, group, schedule, options));
  // An mlir node's module has been through it before its import.
  if (!options.transforms.empty() && schedule.algorithm != Algorithm::Module)
    BOO_RETURN_IF_ERROR(transformKernel(kernel, options.transforms));
  return kernel;
}

static std::string printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

/// Whether the emitter of this algorithm writes linalg ops.
static bool usesLinalg(const Schedule &schedule) {
  return schedule.algorithm == Algorithm::Pointwise ||
         schedule.algorithm == Algorithm::Pad ||
         schedule.algorithm == Algorithm::Module;
}

/// The target's text and what the pipeline makes of it.
static LoweringOptions loweringOptions(const Target &target,
                                       const Schedule &schedule,
                                       bool transformed) {
  LoweringOptions options;
  options.vectorBits = schedule.vectorBits;
  options.fma = schedule.fma;
  options.stream = schedule.stream;
  // A transform library may write what only other modules hold.
  options.linalg = transformed || usesLinalg(schedule);
  options.imported = transformed || schedule.algorithm == Algorithm::Module;
  options.hardwareF16 = target.isa != Isa::Generic;
  // Dot products of pairs have taken subnormals as zeros already.
  options.flushingBf16 = schedule.pairs;
  return options;
}

/// Runs the passes; on failure the Status holds the diagnostics and the pass.
static Status lower(ModuleOp module, const LoweringOptions &options,
                    const Dump &dump) {
  std::string messages;
  ScopedDiagnosticHandler handler(module.getContext(),
                                  [&](Diagnostic &diagnostic) {
                                    if (!messages.empty())
                                      messages += "; ";
                                    messages += diagnostic.str();
                                    return success();
                                  });
  PassManager passes(module.getContext());
  passes.enableVerifier(dump.enabled());
  buildLoweringPipeline(passes, options);
  auto failedPass = std::make_shared<std::string>();
  passes.addInstrumentation(dump.instrumentation(failedPass));
  if (succeeded(passes.run(module)))
    return Status::ok();
  return Status(StatusCode::CompileError,
                (failedPass->empty() ? "the verifier" : *failedPass) + ": " +
                    (messages.empty() ? "failed without a message" : messages));
}

Status compileGroup(const boo_compile_request &request) {
  BOO_ASSIGN_OR_RETURN(Graph group, parseGraph(request.graph_text));
  BOO_ASSIGN_OR_RETURN(Target target, parseTarget(request.target_text));
  BOO_ASSIGN_OR_RETURN(Decision decision,
                       decide(group, target,
                              {request.math, request.constants_packed != 0},
                              request.tuning_entry));
  Dump dump(request.dump_dir, request.name);
  dump.text("graph.txt", request.graph_text);

  DialectRegistry registry;
  registerDialects(registry);
  bool transformed = request.transforms[0] != 0;
  if (transformed)
    registerTransformDialect(registry);
  if (transformed || usesLinalg(decision.schedule))
    registerTensorDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  EmitOptions options;
  options.constantsPacked = request.constants_packed != 0;
  options.transforms = request.transforms;
  BOO_ASSIGN_OR_RETURN(KernelModule kernel,
                       emitKernel(context, group, decision.schedule, options));
  if (transformed)
    decision.why.push_back("transforms: BOO_TUNING_SPEC_PATH's library ran on "
                           "the module");
  if (dump.enabled() || request.mlir_path[0]) {
    std::string text = printModule(*kernel.module);
    dump.text("emitted.mlir", text);
    if (request.mlir_path[0])
      BOO_RETURN_IF_ERROR(writeText(request.mlir_path, text));
  }
  if (!request.output_path[0])
    return Status::ok();
  BOO_RETURN_IF_ERROR(
      lower(*kernel.module,
            loweringOptions(target, decision.schedule, transformed), dump));

  Manifest manifest;
  manifest.kernelAbi = BOO_KERNEL_ABI_VERSION;
  manifest.key = request.key;
  manifest.name = request.name;
  manifest.target = request.target_text;
  manifest.math = request.math;
  manifest.graph = request.graph_text;
  manifest.builds = request.builds;
  manifest.algorithm = algorithmName(decision.schedule.algorithm);
  manifest.schedule = printSchedule(decision.schedule);
  manifest.why = decision.why;
  manifest.instruction = decision.schedule.fma ? "fma-" : "mul-add-";
  const TensorType &result =
      group.value(group.nodes().front().results.front()).type;
  manifest.instruction += result.dtype == DType::F64 ? "f64" : "f32";
  if (decision.schedule.pairs)
    manifest.instruction = "dot-bf16";
  if (decision.schedule.amx)
    manifest.instruction = "amx-bf16";
  manifest.workspaceBytes = kernel.workspaceBytes;
  manifest.scratchBytes = kernel.scratchBytes;
  manifest.constantsBytes = kernel.constantsBytes;
  manifest.prepare = kernel.prepare;
  manifest.run = kernel.run;
  BOO_ASSIGN_OR_RETURN(
      std::string object,
      emitObject(*kernel.module, manifest, target, dump.stageDump()));
  Status linked = linkShared(object, request.output_path);
  if (!linked.isOk())
    unlink(request.output_path);
  return linked;
}

StatusOr<std::string> neighboursOfGroup(const boo_compile_request &request) {
  BOO_ASSIGN_OR_RETURN(Graph group, parseGraph(request.graph_text));
  BOO_ASSIGN_OR_RETURN(Target target, parseTarget(request.target_text));
  BOO_ASSIGN_OR_RETURN(
      Neighbours neighbours,
      neighboursOf(group, target, {request.math, request.constants_packed != 0},
                   request.tuning_entry));
  return printNeighbours(neighbours);
}

} // namespace boo::compiler
