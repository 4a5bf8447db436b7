//===- VectorTranspose.cpp - Transposes in registers ----------------------===//
//
// A round pairs neighbouring rows, 2i and 2i + 1, and gives their even units to
// row i and their odd ones to row i + n/2. This rotates the bits of row and
// lane by one, so that after log2(n) rounds they have changed places. Units
// are elements first, within 128 bits, and 128 bits then: on x86 both are
// shuffles without index registers.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/VectorTranspose.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace {

class Transposer {
public:
  Transposer(OpBuilder &builder, Location loc, ArrayRef<Value> rows)
      : Builder(builder), Loc(loc), Rows(rows),
        Type(cast<VectorType>(rows.front().getType())) {}

  SmallVector<Value> run() {
    int64_t size = int64_t(Rows.size());
    int64_t inRegisterLane =
        std::min<int64_t>(size, 128 / Type.getElementTypeBitWidth());
    exchange(/*unit=*/1, /*span=*/inRegisterLane, /*step=*/1);
    if (size == inRegisterLane)
      return Rows;
    fence();
    exchange(/*unit=*/inRegisterLane, /*span=*/size, /*step=*/inRegisterLane);
    return Rows;
  }

private:
  /// Rows that lie `step` apart exchange their number with that of the units of
  /// a span.
  void exchange(int64_t unit, int64_t span, int64_t step) {
    int64_t count = span / unit;
    if (count == 1)
      return;
    SmallVector<int64_t> even = everySecond(unit, span, 0);
    SmallVector<int64_t> odd = everySecond(unit, span, 1);
    for (int64_t round = 1; round < count; round *= 2) {
      SmallVector<Value> old = Rows;
      for (size_t first = 0; first != old.size(); ++first) {
        if (int64_t(first) / step % count != 0)
          continue;
        auto at = [&](int64_t i) { return first + size_t(i * step); };
        for (int64_t i = 0; i != count / 2; ++i) {
          Value a = old[at(2 * i)], b = old[at(2 * i + 1)];
          Rows[at(i)] = vector::ShuffleOp::create(Builder, Loc, a, b, even);
          Rows[at(i + count / 2)] =
              vector::ShuffleOp::create(Builder, Loc, a, b, odd);
        }
      }
    }
  }

  /// The even units of a span of two vectors, or the odd ones.
  SmallVector<int64_t> everySecond(int64_t unit, int64_t span, int64_t odd) {
    SmallVector<int64_t> indices;
    int64_t lanes = Type.getNumElements(), half = span / unit / 2;
    for (int64_t x = 0; x != lanes; ++x) {
      int64_t place = x % span / unit;
      indices.push_back((place < half ? 0 : lanes) + x / span * span +
                        (place % half * 2 + odd) * unit + x % unit);
    }
    return indices;
  }

  /// Each shuffle that LLVM selects it compares with all the shuffles that it
  /// could be one with, which takes milliseconds for four rounds in a row. The
  /// fence is no instruction; it keeps such searches to one half of the rounds.
  void fence() {
    if (!Type.getElementType().isF32() && !Type.getElementType().isF64())
      return;
    for (Value &row : Rows)
      row = LLVM::CallIntrinsicOp::create(
                Builder, Loc, Type,
                Builder.getStringAttr("llvm.arithmetic.fence"), ValueRange{row})
                .getResult(0);
  }

  OpBuilder &Builder;
  Location Loc;
  SmallVector<Value> Rows;
  VectorType Type;
};

} // namespace

SmallVector<Value> boo::compiler::transposeSquare(OpBuilder &builder,
                                                  Location loc,
                                                  ArrayRef<Value> rows) {
  return Transposer(builder, loc, rows).run();
}

Value boo::compiler::interleave(OpBuilder &builder, Location loc, Value a,
                                Value b) {
  SmallVector<int64_t> lanes;
  int64_t count = cast<VectorType>(a.getType()).getNumElements();
  for (int64_t lane = 0; lane != count; ++lane)
    lanes.append({lane, count + lane});
  return vector::ShuffleOp::create(builder, loc, a, b, lanes);
}
