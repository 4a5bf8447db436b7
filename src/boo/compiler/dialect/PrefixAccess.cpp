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
#include "llvm/ADT/bit.h"

#include <algorithm>

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

/// Stores lanes [0, count) by vectors of powers of two, the largest first.
static void storePieces(OpBuilder &builder, Location loc, Value vector,
                        Value buffer, Value at, int64_t count) {
  for (int64_t first = 0; first != count;) {
    auto size = int64_t(llvm::bit_floor(uint64_t(count - first)));
    Value to = arith::AddIOp::create(
        builder, loc, at, arith::ConstantIndexOp::create(builder, loc, first));
    if (size == 1) {
      Value lane = vector::ExtractOp::create(builder, loc, vector, first);
      memref::StoreOp::create(builder, loc, lane, buffer, to);
    } else {
      SmallVector<int64_t> lanes;
      for (int64_t lane = first; lane != first + size; ++lane)
        lanes.push_back(lane);
      Value piece =
          vector::ShuffleOp::create(builder, loc, vector, vector, lanes);
      vector::StoreOp::create(builder, loc, piece, buffer, to);
    }
    first += size;
  }
}

void boo::compiler::storePrefix(OpBuilder &builder, Location loc, Value vector,
                                Value buffer, Value at, int64_t count) {
  auto type = cast<VectorType>(vector.getType());
  int64_t lanes = type.getNumElements();
  // Without AVX-512, whose vectors are longer than these, a masked store takes
  // some cores as long as a dozen others.
  constexpr int64_t avx2Bits = 256;
  int64_t bits = lanes * std::max(32u, type.getElementTypeBitWidth());
  if (count == lanes)
    vector::StoreOp::create(builder, loc, vector, buffer, at);
  else if (count == 1 || bits <= avx2Bits)
    storePieces(builder, loc, vector, buffer, at, count);
  else
    vector::MaskedStoreOp::create(builder, loc, buffer, at,
                                  prefixMask(builder, loc, lanes, count),
                                  vector);
}
