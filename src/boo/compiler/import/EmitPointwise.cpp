//===- EmitPointwise.cpp - Kernels of lone pointwise groups ---------------===//
//
// A grid tile is one linalg.generic on views of the operands, whose dimensions
// are the axes of import/ElementGrid.h. A view leaves out the axes along which
// its operand repeats: the indexing map says so instead of a stride of 0.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/import/ElementGrid.h"
#include "boo/compiler/import/ElementView.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"

using namespace mlir;

namespace boo::compiler {

namespace {

class PointwiseEmitter {
public:
  PointwiseEmitter(MLIRContext &context, const Graph &group, DType compute,
                   int64_t tileElements)
      : Group(group), Compute(compute),
        Axes(makeElementGrid(group, tileElements)),
        Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module) {
    for (size_t i = 0; i != Axes.size(); ++i)
      if (Axes[i].piece > 1)
        Loops.push_back(i);
  }

  KernelModule emit() {
    K.dispatch(0, [&](Value tile) { emitTile(tile); });
    int64_t tiles = 1;
    for (const ElementAxis &axis : Axes)
      tiles *= axis.pieces();
    KernelModule kernel;
    kernel.run.push_back({"boo_dispatch_0", "pointwise", tiles});
    kernel.module = std::move(Module);
    return kernel;
  }

private:
  /// A grid tile: along each axis, where it begins and how long it is.
  struct Tile {
    std::vector<Value> begin;
    std::vector<OpFoldResult> size;
  };

  const TensorType &output() const {
    return Group.value(Group.outputs().front().value).type;
  }

  Tile locate(Value tile) {
    std::vector<int64_t> pieces;
    for (const ElementAxis &axis : Axes)
      pieces.push_back(axis.pieces());
    Tile at;
    at.begin = K.delinearize(tile, pieces);
    for (size_t i = 0; i != Axes.size(); ++i) {
      const ElementAxis &axis = Axes[i];
      at.begin[i] = K.mul(at.begin[i], axis.piece);
      at.size.push_back(K.builder().getIndexAttr(axis.piece));
      if (axis.size % axis.piece != 0)
        at.size[i] =
            K.min(K.index(axis.piece), K.sub(K.index(axis.size), at.begin[i]));
    }
    return at;
  }

  void emitTile(Value tile) {
    Tile at = locate(tile);
    SmallVector<ElementView> inputs;
    for (size_t i = 0; i != Group.arguments().size(); ++i) {
      const TensorType &type = Group.value(Group.arguments()[i]).type;
      inputs.push_back(
          view(ArgField::In, int64_t(i), type.dtype, at,
               [i](const ElementAxis &axis) { return axis.in[i]; }));
    }
    ElementView out = view(ArgField::Out, 0, output().dtype, at,
                           [](const ElementAxis &axis) { return axis.out; });
    emitGeneric(K, inputs, out, [&](ValueRange elements) {
      std::map<ValueId, Value> values;
      for (size_t i = 0; i != Group.arguments().size(); ++i)
        values[Group.arguments()[i]] = elements[i];
      return buildTail(K, Group, 0, Group.outputs().front().value, Compute,
                       values);
    });
  }

  ElementView
  view(ArgField field, int64_t slot, DType dtype, const Tile &at,
       const std::function<int64_t(const ElementAxis &)> &strideOf) {
    Value offset = K.index(0);
    for (size_t i = 0; i != Axes.size(); ++i)
      offset = K.add(offset, K.mul(at.begin[i], strideOf(Axes[i])));
    SmallVector<ViewDim> dims;
    for (auto [loop, axis] : llvm::enumerate(Loops))
      dims.push_back({strideOf(Axes[axis]), at.size[axis], unsigned(loop)});
    return makeElementView(K, K.buffer(field, slot, K.type(dtype)), offset,
                           dims, Loops.size());
  }

  const Graph &Group;
  DType Compute;
  std::vector<ElementAxis> Axes;
  std::vector<size_t> Loops; ///< axes of which a tile has more than one step
  OwningOpRef<ModuleOp> Module;
  KernelBuilder K;
};

/// An artifact for no elements: nothing calls its dispatch.
KernelModule emitNothing(MLIRContext &context) {
  KernelModule kernel;
  kernel.module = ModuleOp::create(UnknownLoc::get(&context));
  KernelBuilder(*kernel.module).dispatch(0, [](Value) {});
  kernel.run.push_back({"boo_dispatch_0", "pointwise", 0});
  return kernel;
}

} // namespace

StatusOr<KernelModule> emitPointwise(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule) {
  if (group.outputs().size() != 1)
    return unsupported("a pointwise group of " +
                       std::to_string(group.outputs().size()) +
                       " outputs: partition makes one group for each");
  DType compute = DType::F32;
  for (const boo::Value &value : group.values()) {
    if (!value.type.isStatic())
      return unsupported("a pointwise group with symbolic sizes");
    if (value.type.dtype == DType::F64)
      compute = DType::F64;
  }
  for (const Node &node : group.nodes())
    if (node.op != Op::Pointwise && node.op != Op::Cast)
      return unsupported("a pointwise group with a node '" +
                         std::string(opName(node.op)) + "'");
  if (group.value(group.outputs().front().value).type.numElements() == 0)
    return emitNothing(context);
  int64_t tileElements =
      schedule.wChunk * schedule.vectorBits / (8 * dtypeBytes(compute));
  return PointwiseEmitter(context, group, compute, tileElements).emit();
}

} // namespace boo::compiler
