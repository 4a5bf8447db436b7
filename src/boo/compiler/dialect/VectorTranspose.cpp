//===- VectorTranspose.cpp - Square transposes in registers ---------------===//
//
// Element (i, x) goes to (x, i) bit by bit: round d swaps bit d of the row with
// bit d of the lane, between the rows i and i | d.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/VectorTranspose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

SmallVector<Value> boo::compiler::transposeSquare(OpBuilder &builder,
                                                  Location loc,
                                                  ArrayRef<Value> rows) {
  int64_t size = int64_t(rows.size());
  int64_t lanes = cast<VectorType>(rows.front().getType()).getNumElements();
  SmallVector<Value> now(rows);
  for (int64_t d = 1; d < size; d *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t x = 0; x != lanes; ++x) {
      low.push_back(x & d ? lanes + (x & ~d) : x);
      high.push_back(x & d ? lanes + x : x | d);
    }
    for (int64_t i = 0; i != size; ++i) {
      if (i & d)
        continue;
      Value a = now[size_t(i)], b = now[size_t(i | d)];
      now[size_t(i)] = vector::ShuffleOp::create(builder, loc, a, b, low);
      now[size_t(i | d)] = vector::ShuffleOp::create(builder, loc, a, b, high);
    }
  }
  return now;
}
