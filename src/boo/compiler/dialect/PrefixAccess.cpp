//===- PrefixAccess.cpp - The first lanes of a vector in memory -----------===//
//
// A single lane goes as a scalar: LLVM 22 turns a masked store of one i16 out
// of a short vector into a store of 32 bits (seen with x86-64-v4; `llc` shows
// `vmovss` for <4 x i16> with the mask 1000).
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/CloneAsVector.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

static Value prefixMask(OpBuilder &builder, Location loc, int64_t lanes,
                        int64_t count) {
  SmallVector<bool> bits(size_t(lanes), false);
  std::fill_n(bits.begin(), count, true);
  auto type = VectorType::get({lanes}, builder.getI1Type());
  return arith::ConstantOp::create(
      builder, loc, type, DenseElementsAttr::get(type, ArrayRef(bits)));
}

Value boo::compiler::loadPrefix(OpBuilder &builder, Location loc, Value buffer,
                                Value at, int64_t lanes, int64_t count) {
  Type element = cast<MemRefType>(buffer.getType()).getElementType();
  auto type = VectorType::get({lanes}, element);
  if (count == lanes)
    return vector::LoadOp::create(builder, loc, type, buffer, at);
  Value zeros =
      arith::ConstantOp::create(builder, loc, type, builder.getZeroAttr(type));
  if (count == 1)
    return vector::InsertOp::create(
        builder, loc, memref::LoadOp::create(builder, loc, buffer, at), zeros,
        0);
  return vector::MaskedLoadOp::create(builder, loc, type, buffer, at,
                                      prefixMask(builder, loc, lanes, count),
                                      zeros);
}

void boo::compiler::storePrefix(OpBuilder &builder, Location loc, Value vector,
                                Value buffer, Value at, int64_t count) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  if (count == lanes)
    vector::StoreOp::create(builder, loc, vector, buffer, at);
  else if (count == 1)
    memref::StoreOp::create(builder, loc,
                            vector::ExtractOp::create(builder, loc, vector, 0),
                            buffer, at);
  else
    vector::MaskedStoreOp::create(builder, loc, buffer, at,
                                  prefixMask(builder, loc, lanes, count),
                                  vector);
}
