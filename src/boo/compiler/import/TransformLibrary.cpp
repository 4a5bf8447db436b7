//===- TransformLibrary.cpp - Transforms that people wrote ----------------===//

#include "boo/compiler/import/TransformLibrary.h"
#include "boo/compiler/import/ModuleText.h"

#include "mlir/Dialect/Func/TransformOps/FuncTransformOps.h"
#include "mlir/Dialect/Linalg/TransformOps/DialectExtension.h"
#include "mlir/Dialect/Linalg/Transforms/TilingInterfaceImpl.h"
#include "mlir/Dialect/MemRef/TransformOps/MemRefTransformOps.h"
#include "mlir/Dialect/SCF/TransformOps/SCFTransformOps.h"
#include "mlir/Dialect/Tensor/IR/TensorTilingInterfaceImpl.h"
#include "mlir/Dialect/Tensor/TransformOps/TensorTransformOps.h"
#include "mlir/Dialect/Transform/IR/TransformDialect.h"
#include "mlir/Dialect/Transform/IR/TransformOps.h"
#include "mlir/Dialect/Transform/LoopExtension/LoopExtension.h"
#include "mlir/Dialect/Transform/Transforms/TransformInterpreterUtils.h"
#include "mlir/Dialect/Vector/TransformOps/VectorTransformOps.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace boo::compiler {

void registerTransformDialect(DialectRegistry &registry) {
  registry.insert<transform::TransformDialect>();
  func::registerTransformDialectExtension(registry);
  linalg::registerTransformDialectExtension(registry);
  memref::registerTransformDialectExtension(registry);
  scf::registerTransformDialectExtension(registry);
  tensor::registerTransformDialectExtension(registry);
  tensor::registerTilingInterfaceExternalModels(registry);
  linalg::registerTilingInterfaceExternalModels(registry);
  transform::registerLoopExtension(registry);
  vector::registerTransformDialectExtension(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);
}

Status runTransforms(ModuleOp module, std::string_view library) {
  MLIRContext &context = *module.getContext();
  auto failure = [](const std::string &what) {
    return Status(StatusCode::CompileError, "transform library: " + what);
  };
  auto transforms = parseModuleText(context, library);
  if (!transforms.isOk())
    return failure(transforms.status().message());
  Messages messages(context);
  transform::TransformOpInterface main =
      transform::detail::findTransformEntryPoint(transforms->get(), ModuleOp());
  if (!main)
    return failure(messages.text());
  if (failed(transform::applyTransformNamedSequence(
          module, main, ModuleOp(), transform::TransformOptions())) ||
      failed(verify(module)))
    return failure(messages.text());
  return Status::ok();
}

} // namespace boo::compiler
