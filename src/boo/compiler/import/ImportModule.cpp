//===- ImportModule.cpp - An mlir node's module, on buffers ---------------===//

#include "boo/compiler/import/ImportModule.h"
#include "boo/compiler/import/ModuleText.h"
#include "boo/compiler/import/TransformLibrary.h"
#include "boo/compiler/pipelines/Dump.h"
#include "boo/compiler/pipelines/Pipelines.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace boo;
using namespace boo::compiler;

static Status moduleError(const std::string &what) {
  return invalidArgument("mlir node: " + what);
}

static std::string typeText(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

Type boo::compiler::importedType(MLIRContext &context, DType dtype) {
  Builder builder(&context);
  switch (dtype) {
  case DType::F64:
    return builder.getF64Type();
  case DType::F32:
    return builder.getF32Type();
  case DType::F16:
    return builder.getF16Type();
  case DType::BF16:
    return builder.getBF16Type();
  case DType::I64:
    return builder.getI64Type();
  case DType::I32:
    return builder.getI32Type();
  case DType::I8:
    return builder.getI8Type();
  case DType::I1:
    return builder.getI1Type();
  }
  llvm_unreachable("all types are listed");
}

static StatusOr<func::FuncOp> findEntry(ModuleOp module) {
  func::FuncOp entry;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      return moduleError("function @" + function.getName().str() +
                         " has no body");
    if (!function.isPublic())
      continue;
    if (entry)
      return moduleError("two public functions, @" + entry.getName().str() +
                         " and @" + function.getName().str() +
                         ": one must be, and be it alone");
    entry = function;
  }
  if (!entry)
    return moduleError("the module has no public function");
  return entry;
}

/// Whether the function's `type` is the Graph's `expected`; `what` names it.
static Status checkType(Type type, const boo::TensorType &expected,
                        const std::string &what) {
  std::string differs = what + " is " + typeText(type) + " in the module and " +
                        printType(expected) + " in the Graph: ";
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() || tensor.getEncoding())
    return moduleError(differs + "only ranked tensors of static shape without "
                                 "an encoding can be passed");
  if (!expected.isStatic())
    return moduleError(differs + "symbolic sizes cannot be passed");
  if (tensor.getElementType() !=
      importedType(*type.getContext(), expected.dtype))
    return moduleError(differs + "the element types differ");
  if (size_t(tensor.getRank()) != expected.rank())
    return moduleError(differs + "the ranks differ");
  int64_t stride = 1;
  bool dense = true;
  for (size_t i = expected.rank(); i-- != 0;) {
    int64_t size = expected.sizes[i].size();
    if (tensor.getDimSize(unsigned(i)) != size)
      return moduleError(differs + "dimension " + std::to_string(i) +
                         " differs");
    dense &= size <= 1 || expected.strides[i] == stride;
    stride *= size;
  }
  if (!dense && stride != 0)
    return moduleError(differs + "the strides are not those of a contiguous "
                                 "row-major tensor");
  return Status::ok();
}

static Status checkSignature(func::FuncOp entry, const Graph &graph,
                             const Node &node) {
  auto count = [](size_t module, size_t graph, const char *what) {
    return moduleError("the function has " + std::to_string(module) + " " +
                       what + " and the node " + std::to_string(graph));
  };
  if (entry.getNumArguments() != node.operands.size())
    return count(entry.getNumArguments(), node.operands.size(), "arguments");
  if (entry.getNumResults() != node.results.size())
    return count(entry.getNumResults(), node.results.size(), "results");
  for (size_t i = 0; i != node.operands.size(); ++i)
    BOO_RETURN_IF_ERROR(checkType(entry.getArgumentTypes()[i],
                                  graph.value(node.operands[i]).type,
                                  "argument " + std::to_string(i)));
  for (size_t i = 0; i != node.results.size(); ++i)
    BOO_RETURN_IF_ERROR(checkType(entry.getResultTypes()[i],
                                  graph.value(node.results[i]).type,
                                  "result " + std::to_string(i)));
  return Status::ok();
}

/// The emulation of arithmetic on short floats lets a conversion and its
/// inverse cancel; here each op rounds, as it is written.
static void keepRoundings(ModuleOp module) {
  module.walk([](Operation *op) {
    if (auto extend = dyn_cast<arith::ExtFOp>(op))
      extend.setFastmathAttr(nullptr);
    else if (auto truncate = dyn_cast<arith::TruncFOp>(op))
      truncate.setFastmathAttr(nullptr);
  });
}

/// What bufferization promises and the emitter relies on.
static Status checkBufferized(ModuleOp module, func::FuncOp entry) {
  for (auto function : module.getOps<func::FuncOp>())
    if (function != entry)
      return moduleError("function @" + function.getName().str() +
                         " cannot be inlined: it calls itself");
  if (!entry.getBody().hasOneBlock())
    return moduleError("branches between blocks: the scf dialect's loops and "
                       "conditions are understood");
  return Status::ok();
}

StatusOr<ImportedModule>
boo::compiler::importModule(MLIRContext &context, const Graph &graph,
                            const Node &node, std::string_view transforms) {
  ImportedModule result;
  auto parsed =
      parseModuleText(context, attribute<std::string>(node, "module"));
  if (!parsed.isOk())
    return moduleError(parsed.status().message());
  result.module = std::move(*parsed);
  BOO_ASSIGN_OR_RETURN(result.entry, findEntry(*result.module));
  BOO_RETURN_IF_ERROR(checkSignature(result.entry, graph, node));
  if (!transforms.empty()) {
    BOO_RETURN_IF_ERROR(runTransforms(*result.module, transforms));
    BOO_ASSIGN_OR_RETURN(result.entry, findEntry(*result.module));
    BOO_RETURN_IF_ERROR(checkSignature(result.entry, graph, node));
  }
  // Operands are the caller's: a result is computed in place of none.
  for (unsigned i = 0; i != result.entry.getNumArguments(); ++i)
    result.entry.setArgAttr(
        i, bufferization::BufferizationDialect::kWritableAttrName,
        BoolAttr::get(&context, false));
  Messages messages(context);
  PassManager passes(&context);
  buildImportPipeline(passes);
  auto failedPass = std::make_shared<std::string>();
  passes.addInstrumentation(Dump("", "").instrumentation(failedPass));
  if (failed(passes.run(*result.module)))
    return Status(
        StatusCode::CompileError,
        "mlir node: " + (failedPass->empty() ? "the verifier" : *failedPass) +
            ": " + messages.text());
  BOO_RETURN_IF_ERROR(checkBufferized(*result.module, result.entry));
  keepRoundings(*result.module);
  return result;
}
