//===- BlockAccess.cpp - Rows of lanes in memory --------------------------===//

#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/Sequence.h"

using namespace mlir;

namespace boo::compiler {

namespace {

class BlockCode {
public:
  BlockCode(OpBuilder &builder, Location loc, Value buffer, Value at,
            const VectorBlock &block)
      : Builder(builder), Loc(loc), Buffer(buffer), At(at), B(block),
        Element(cast<MemRefType>(buffer.getType()).getElementType()),
        Type(VectorType::get({block.lanes}, Element)) {
    while (Segment < B.rows)
      Segment *= 2;
  }

  SmallVector<Value> load() {
    SmallVector<Value> result;
    if (B.laneStride != 1 && B.laneStride != 0 && B.rowStride == 1)
      return loadColumns();
    for (int64_t row = 0; row != B.rows; ++row) {
      Value at = offset(row * B.rowStride);
      if (B.rowStride == 0 && row != 0)
        result.push_back(result.front());
      else if (B.laneStride == 1)
        result.push_back(
            loadPrefix(Builder, Loc, Buffer, at, B.lanes, B.count));
      else if (B.laneStride == 0)
        result.push_back(vector::BroadcastOp::create(
            Builder, Loc, Type,
            memref::LoadOp::create(Builder, Loc, Buffer, at)));
      else
        result.push_back(gather(row));
    }
    return result;
  }

  void store(ArrayRef<Value> rows) {
    if (B.laneStride == 1 || B.count == 1)
      for (int64_t row = 0; row != B.rows; ++row)
        storePrefix(Builder, Loc, rows[size_t(row)], Buffer,
                    offset(row * B.rowStride), B.count);
    else if (B.rowStride == 1)
      storeColumns(rows);
    else
      for (int64_t row = 0; row != B.rows; ++row)
        for (int64_t lane = 0; lane != B.count; ++lane)
          memref::StoreOp::create(
              Builder, Loc,
              vector::ExtractOp::create(Builder, Loc, rows[size_t(row)], lane),
              Buffer, offset(row * B.rowStride + lane * B.laneStride));
  }

private:
  Value offset(int64_t distance) {
    if (distance == 0)
      return At;
    return arith::AddIOp::create(
        Builder, Loc, At,
        arith::ConstantIndexOp::create(Builder, Loc, distance),
        arith::IntegerOverflowFlags::nsw);
  }
  Value zeros(int64_t lanes) {
    auto type = VectorType::get({lanes}, Element);
    return arith::ConstantOp::create(Builder, Loc, type,
                                     Builder.getZeroAttr(type));
  }

  Value gather(int64_t row) {
    Value lanes = zeros(B.lanes);
    for (int64_t lane = 0; lane != B.count; ++lane) {
      Value element = memref::LoadOp::create(
          Builder, Loc, Buffer,
          offset(row * B.rowStride + lane * B.laneStride));
      lanes = vector::InsertOp::create(Builder, Loc, element, lanes, lane);
    }
    return lanes;
  }

  // Memory runs along the rows: a lane's rows are one short vector, the
  // segment. Vector t holds the segments of the lanes t, Segment + t, …, side
  // by side; transposing its squares gives the rows.
  SmallVector<Value> loadColumns() {
    SmallVector<Value> wide;
    for (int64_t t = 0; t != Segment; ++t) {
      SmallVector<Value> segments;
      for (int64_t lane = t; lane < B.lanes; lane += Segment)
        segments.push_back(lane < B.count
                               ? loadPrefix(Builder, Loc, Buffer,
                                            offset(lane * B.laneStride),
                                            Segment, B.rows)
                               : zeros(Segment));
      wide.push_back(concatenate(segments));
    }
    SmallVector<Value> rows = transposeSquare(Builder, Loc, wide);
    rows.resize(size_t(B.rows));
    return rows;
  }

  /// A power of two of equal vectors, one behind the other.
  Value concatenate(SmallVector<Value> parts) {
    for (int64_t size = Segment; parts.size() > 1; size *= 2) {
      SmallVector<Value> pairs;
      for (size_t i = 0; i != parts.size(); i += 2)
        pairs.push_back(slice(parts[i], parts[i + 1], 0, 2 * size));
      parts = pairs;
    }
    return parts.front();
  }

  /// `size` elements from `first` on of `a` and `b` behind it.
  Value slice(Value a, Value b, int64_t first, int64_t size) {
    auto indices = llvm::to_vector(llvm::seq(first, first + size));
    return vector::ShuffleOp::create(Builder, Loc, a, b, indices);
  }

  void storeColumns(ArrayRef<Value> given) {
    SmallVector<Value> rows(given);
    rows.resize(size_t(Segment), given.front());
    SmallVector<Value> wide = transposeSquare(Builder, Loc, rows);
    for (int64_t lane = 0; lane != B.count; ++lane) {
      Value segment = wide[size_t(lane % Segment)];
      if (Segment != B.lanes)
        segment = slice(segment, segment, lane / Segment * Segment, Segment);
      storePrefix(Builder, Loc, segment, Buffer, offset(lane * B.laneStride),
                  B.rows);
    }
  }

  OpBuilder &Builder;
  Location Loc;
  Value Buffer, At;
  const VectorBlock &B;
  mlir::Type Element;
  VectorType Type;
  int64_t Segment = 1; ///< rows, rounded up to a power of two
};

} // namespace

SmallVector<Value> loadBlock(OpBuilder &builder, Location loc, Value buffer,
                             Value at, const VectorBlock &block) {
  return BlockCode(builder, loc, buffer, at, block).load();
}

void storeBlock(OpBuilder &builder, Location loc, ArrayRef<Value> rows,
                Value buffer, Value at, const VectorBlock &block) {
  BlockCode(builder, loc, buffer, at, block).store(rows);
}

} // namespace boo::compiler
