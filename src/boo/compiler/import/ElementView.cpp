//===- ElementView.cpp - Views of operands for linalg.generic -------------===//

#include "boo/compiler/import/ElementView.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace boo::compiler {

ElementView makeElementView(KernelBuilder &k, Value buffer, Value offset,
                            ArrayRef<ViewDim> dims, size_t loops) {
  OpBuilder &builder = k.builder();
  SmallVector<OpFoldResult> sizes, strides;
  SmallVector<int64_t> staticSizes, staticStrides;
  SmallVector<AffineExpr> used;
  for (const ViewDim &dim : dims) {
    if (dim.stride == 0)
      continue;
    sizes.push_back(dim.size);
    strides.push_back(builder.getIndexAttr(dim.stride));
    staticSizes.push_back(
        getConstantIntValue(dim.size).value_or(ShapedType::kDynamic));
    staticStrides.push_back(dim.stride);
    used.push_back(builder.getAffineDimExpr(dim.loop));
  }
  auto type = MemRefType::get(
      staticSizes, cast<MemRefType>(buffer.getType()).getElementType(),
      StridedLayoutAttr::get(builder.getContext(), ShapedType::kDynamic,
                             staticStrides));
  Value memref = memref::ReinterpretCastOp::create(
      builder, k.loc(), type, buffer, OpFoldResult(offset), sizes, strides);
  return {memref,
          AffineMap::get(unsigned(loops), 0, used, builder.getContext())};
}

void emitGeneric(KernelBuilder &k, ArrayRef<ElementView> inputs,
                 const ElementView &out,
                 function_ref<Value(ValueRange)> element) {
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (const ElementView &input : inputs) {
    operands.push_back(input.memref);
    maps.push_back(input.map);
  }
  maps.push_back(out.map);
  SmallVector<utils::IteratorType> loops(out.map.getNumDims(),
                                         utils::IteratorType::parallel);
  linalg::GenericOp::create(
      k.builder(), k.loc(), operands, ValueRange(out.memref), maps, loops,
      [&](OpBuilder &builder, Location loc, ValueRange elements) {
        OpBuilder::InsertionGuard guard(k.builder());
        k.builder().restoreInsertionPoint(builder.saveInsertionPoint());
        linalg::YieldOp::create(k.builder(), loc, element(elements));
      });
}

} // namespace boo::compiler
