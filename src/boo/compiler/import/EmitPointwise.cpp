//===- EmitPointwise.cpp - Kernels of lone pointwise groups ---------------===//
//
// A grid tile is one linalg.generic on views of the operands, whose dimensions
// are the axes of import/ElementGrid.h. A view leaves out the axes along which
// its operand repeats: the indexing map says so instead of a stride of 0.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/import/ElementGrid.h"
#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

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
  /// A tile of an operand, and the loops that its dimensions are.
  struct View {
    Value memref;
    AffineMap map;
  };
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
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (size_t i = 0; i != Group.arguments().size(); ++i) {
      const TensorType &type = Group.value(Group.arguments()[i]).type;
      View v = view(ArgField::In, int64_t(i), type.dtype, at,
                    [i](const ElementAxis &axis) { return axis.in[i]; });
      inputs.push_back(v.memref);
      maps.push_back(v.map);
    }
    View out = view(ArgField::Out, 0, output().dtype, at,
                    [](const ElementAxis &axis) { return axis.out; });
    maps.push_back(out.map);
    SmallVector<utils::IteratorType> loops(Loops.size(),
                                           utils::IteratorType::parallel);
    linalg::GenericOp::create(
        K.builder(), K.loc(), inputs, ValueRange(out.memref), maps, loops,
        [&](OpBuilder &builder, Location loc, ValueRange elements) {
          OpBuilder::InsertionGuard guard(K.builder());
          K.builder().restoreInsertionPoint(builder.saveInsertionPoint());
          std::map<ValueId, Value> values;
          for (size_t i = 0; i != Group.arguments().size(); ++i)
            values[Group.arguments()[i]] = elements[i];
          Value result = buildTail(K, Group, 0, Group.outputs().front().value,
                                   Compute, values);
          linalg::YieldOp::create(K.builder(), loc, result);
        });
  }

  View view(ArgField field, int64_t slot, DType dtype, const Tile &at,
            const std::function<int64_t(const ElementAxis &)> &strideOf) {
    OpBuilder &builder = K.builder();
    Value offset = K.index(0);
    for (size_t i = 0; i != Axes.size(); ++i)
      offset = K.add(offset, K.mul(at.begin[i], strideOf(Axes[i])));
    SmallVector<OpFoldResult> sizes, strides;
    SmallVector<int64_t> staticSizes, staticStrides;
    SmallVector<AffineExpr> loops;
    for (auto [loop, axis] : llvm::enumerate(Loops)) {
      int64_t stride = strideOf(Axes[axis]);
      if (stride == 0)
        continue;
      sizes.push_back(at.size[axis]);
      strides.push_back(builder.getIndexAttr(stride));
      staticSizes.push_back(
          getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
      staticStrides.push_back(stride);
      loops.push_back(builder.getAffineDimExpr(unsigned(loop)));
    }
    Type element = K.type(dtype);
    auto type = MemRefType::get(staticSizes, element,
                                StridedLayoutAttr::get(builder.getContext(),
                                                       ShapedType::kDynamic,
                                                       staticStrides));
    Value memref = memref::ReinterpretCastOp::create(
        builder, K.loc(), type, K.buffer(field, slot, element),
        OpFoldResult(offset), sizes, strides);
    return {memref, AffineMap::get(unsigned(Loops.size()), 0, loops,
                                   builder.getContext())};
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
