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
        Grid(makeElementGrid(group, tileElements)),
        Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module) {}

  KernelModule emit() {
    K.dispatch(0, [&](Value tile) { emitTile(tile); });
    int64_t tiles = 1;
    for (int64_t size : Grid.gridSizes())
      tiles *= size;
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

  const TensorType &output() const {
    return Group.value(Group.outputs().front().value).type;
  }

  void emitTile(Value tile) {
    std::vector<Value> at = K.delinearize(tile, Grid.gridSizes());
    int64_t size = Grid.axes[Grid.split].size;
    at.back() = K.mul(at.back(), Grid.piece);
    OpFoldResult piece = K.builder().getIndexAttr(Grid.piece);
    if (size % Grid.piece != 0)
      piece = K.min(K.index(Grid.piece), K.sub(K.index(size), at.back()));

    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (size_t i = 0; i != Group.arguments().size(); ++i) {
      const TensorType &type = Group.value(Group.arguments()[i]).type;
      View v = view(ArgField::In, int64_t(i), type.dtype, at, piece,
                    [i](const ElementAxis &axis) { return axis.in[i]; });
      inputs.push_back(v.memref);
      maps.push_back(v.map);
    }
    View out = view(ArgField::Out, 0, output().dtype, at, piece,
                    [](const ElementAxis &axis) { return axis.out; });
    maps.push_back(out.map);
    SmallVector<utils::IteratorType> loops(Grid.axes.size() - Grid.split,
                                           utils::IteratorType::parallel);
    linalg::GenericOp::create(
        K.builder(), K.loc(), inputs, ValueRange(out.memref), maps, loops,
        [&](OpBuilder &builder, Location loc, ValueRange elements) {
          OpBuilder::InsertionGuard guard(K.builder());
          K.builder().restoreInsertionPoint(builder.saveInsertionPoint());
          std::map<ValueId, Value> values;
          for (size_t i = 0; i != Group.arguments().size(); ++i)
            values[Group.arguments()[i]] = elements[i];
          Value result = buildTail(K, Group, 0, Compute, values);
          linalg::YieldOp::create(K.builder(), loc, result);
        });
  }

  View view(ArgField field, int64_t slot, DType dtype,
            const std::vector<Value> &at, OpFoldResult piece,
            const std::function<int64_t(const ElementAxis &)> &strideOf) {
    OpBuilder &builder = K.builder();
    Value offset = K.index(0);
    SmallVector<OpFoldResult> sizes, strides;
    SmallVector<int64_t> staticSizes, staticStrides;
    SmallVector<AffineExpr> loops;
    for (size_t i = 0; i != Grid.axes.size(); ++i) {
      int64_t stride = strideOf(Grid.axes[i]);
      if (stride == 0)
        continue;
      if (i <= Grid.split)
        offset = K.add(offset, K.mul(at[i], stride));
      if (i < Grid.split)
        continue;
      sizes.push_back(
          i == Grid.split ? piece : builder.getIndexAttr(Grid.axes[i].size));
      strides.push_back(builder.getIndexAttr(stride));
      staticSizes.push_back(
          getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
      staticStrides.push_back(stride);
      loops.push_back(builder.getAffineDimExpr(unsigned(i - Grid.split)));
    }
    Type element = K.type(dtype);
    auto type = MemRefType::get(staticSizes, element,
                                StridedLayoutAttr::get(builder.getContext(),
                                                       ShapedType::kDynamic,
                                                       staticStrides));
    Value memref = memref::ReinterpretCastOp::create(
        builder, K.loc(), type, K.buffer(field, slot, element),
        OpFoldResult(offset), sizes, strides);
    return {memref, AffineMap::get(unsigned(Grid.axes.size() - Grid.split), 0,
                                   loops, builder.getContext())};
  }

  const Graph &Group;
  DType Compute;
  ElementGrid Grid;
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
