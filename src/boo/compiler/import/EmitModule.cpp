//===- EmitModule.cpp - Kernels of mlir nodes -----------------------------===//
//
// The function's body moves into a dispatch of one tile, its arguments become
// views of the launch's buffers, and what it allocates lies in the workspace.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/import/ImportModule.h"
#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

namespace {

class ModuleEmitter {
public:
  ModuleEmitter(const Graph &group, ImportedModule imported)
      : Group(group), Node(group.nodes().front()),
        Imported(std::move(imported)), K(*Imported.module) {}

  void emitDispatch() {
    Imported.entry.setPrivate();
    K.dispatch(0, [&](Value) { moveBody(); });
    Imported.entry.erase();
  }

  OwningOpRef<ModuleOp> takeModule() { return std::move(Imported.module); }

private:
  Value view(ArgField field, int64_t slot, MemRefType type) {
    Value flat = K.buffer(field, slot, type.getElementType());
    auto [strides, offset] = type.getStridesAndOffset();
    return memref::ReinterpretCastOp::create(K.builder(), K.loc(), type, flat,
                                             /*offset=*/0, type.getShape(),
                                             strides);
  }

  void moveBody() {
    Block &body = Imported.entry.getBody().front();
    const std::vector<ValueId> &arguments = Group.arguments();
    for (BlockArgument argument : body.getArguments()) {
      ValueId id = Node.operands[argument.getArgNumber()];
      int64_t slot =
          std::find(arguments.begin(), arguments.end(), id) - arguments.begin();
      argument.replaceAllUsesWith(
          view(ArgField::In, slot, cast<MemRefType>(argument.getType())));
    }
    auto results = cast<func::ReturnOp>(body.getTerminator());
    SmallVector<Value> values(results.getOperands());
    results.erase();
    Block *target = K.builder().getInsertionBlock();
    target->getOperations().splice(K.builder().getInsertionPoint(),
                                   body.getOperations());
    store(values);
  }

  /// Puts the results where the launch wants them.
  void store(SmallVector<Value> &values) {
    bool overwrites = false;
    for (const Output &output : Group.outputs())
      overwrites |= output.into != kNoValue;
    // Where an output is an argument's memory, everything is computed before
    // anything is stored; an argument that is returned as it is moves first.
    if (overwrites)
      for (Value &value : values)
        if (!value.getDefiningOp<memref::AllocOp>())
          value = copyOf(value);
    for (size_t slot = 0; slot != Group.outputs().size(); ++slot) {
      ValueId id = Group.outputs()[slot].value;
      size_t result =
          size_t(std::find(Node.results.begin(), Node.results.end(), id) -
                 Node.results.begin());
      Value value = values[result];
      auto type = cast<MemRefType>(value.getType());
      auto alloc = value.getDefiningOp<memref::AllocOp>();
      if (!overwrites && alloc && alloc->getBlock() == here()) {
        // Computed in place.
        OpBuilder::InsertionGuard guard(K.builder());
        K.builder().setInsertionPoint(alloc);
        Value out = view(ArgField::Out, int64_t(slot), type);
        alloc.replaceAllUsesWith(out);
        alloc.erase();
        std::replace(values.begin(), values.end(), value, out);
      } else {
        memref::CopyOp::create(K.builder(), K.loc(), value,
                               view(ArgField::Out, int64_t(slot), type));
      }
    }
  }

  Block *here() { return K.builder().getInsertionBlock(); }

  Value copyOf(Value value) {
    Value copy = memref::AllocOp::create(K.builder(), K.loc(),
                                         cast<MemRefType>(value.getType()));
    memref::CopyOp::create(K.builder(), K.loc(), value, copy);
    return copy;
  }

  const Graph &Group;
  const boo::Node &Node;
  ImportedModule Imported;
  KernelBuilder K;
};

} // namespace

StatusOr<KernelModule> emitModule(MLIRContext &context, const Graph &group,
                                  const EmitOptions &options) {
  if (group.nodes().size() != 1)
    return unsupported("an mlir node in a group with other nodes");
  BOO_ASSIGN_OR_RETURN(
      ImportedModule imported,
      importModule(context, group, group.nodes().front(), options.transforms));
  ModuleEmitter emitter(group, std::move(imported));
  emitter.emitDispatch();
  KernelModule kernel;
  kernel.module = emitter.takeModule();

  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    message += (message.empty() ? "" : "; ") + diagnostic.str();
    return success();
  });
  PassManager passes(&context);
  passes.addNestedPass<func::FuncOp>(createPlaceAllocations());
  if (failed(passes.run(*kernel.module)))
    return Status(StatusCode::CompileError, "mlir node: " + message);
  auto dispatch = kernel.module->lookupSymbol<func::FuncOp>("boo_dispatch_0");
  kernel.workspaceBytes =
      dispatch->getAttrOfType<IntegerAttr>(workspaceBytesAttribute).getInt();
  kernel.run.push_back({"boo_dispatch_0", "module", 1});
  return kernel;
}

} // namespace boo::compiler
