//===- BlockAccess.cpp - Rows of lanes in memory --------------------------===//

#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

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
  Value zeros() {
    return arith::ConstantOp::create(Builder, Loc, Type,
                                     Builder.getZeroAttr(Type));
  }

  Value gather(int64_t row) {
    Value lanes = zeros();
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
    wide.resize(size_t(Segment));
    for (int64_t lane = 0; lane != B.count; ++lane) {
      Value segment = loadPrefix(Builder, Loc, Buffer,
                                 offset(lane * B.laneStride), Segment, B.rows);
      Value &vector = wide[size_t(lane % Segment)];
      if (Segment == B.lanes)
        vector = segment;
      else
        vector = vector::InsertStridedSliceOp::create(
            Builder, Loc, segment, vector ? vector : zeros(),
            lane / Segment * Segment, 1);
    }
    for (Value &vector : wide)
      if (!vector)
        vector = zeros();
    SmallVector<Value> rows = transposeSquare(Builder, Loc, wide);
    rows.resize(size_t(B.rows));
    return rows;
  }

  void storeColumns(ArrayRef<Value> given) {
    SmallVector<Value> rows(given);
    rows.resize(size_t(Segment), given.front());
    SmallVector<Value> wide = transposeSquare(Builder, Loc, rows);
    for (int64_t lane = 0; lane != B.count; ++lane) {
      Value segment = wide[size_t(lane % Segment)];
      if (Segment != B.lanes)
        segment = vector::ExtractStridedSliceOp::create(
            Builder, Loc, segment, lane / Segment * Segment, Segment, 1);
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
