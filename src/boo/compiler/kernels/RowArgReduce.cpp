//===- RowArgReduce.cpp - Where the greatest element stands ---------------===//
//
// Each lane keeps the best element so far and its number. Lanes are compared at
// the end, by number where elements are equal: the first one is meant, and a
// NaN before all else. Before the first element a lane holds an infinity that
// nothing loses to, with the number 0: where that is left, all are such.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/RowEmitter.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

VectorType RowEmitter::indexVector() {
  bool narrow = Nest.length() <= std::numeric_limits<int32_t>::max();
  return VectorType::get({Lanes}, narrow ? K.builder().getI32Type()
                                         : K.builder().getI64Type());
}

Value RowEmitter::indicesOf(const Piece &piece, int64_t u) {
  OpBuilder &b = K.builder();
  VectorType type = indexVector();
  Value first = K.index(0);
  for (size_t axis = 0; axis != Nest.inner.size(); ++axis)
    first = K.add(K.mul(first, Nest.inner[axis].size), piece.at[axis]);
  first = K.add(first, u * (S.dot ? Lanes : 1));
  Value number =
      arith::IndexCastOp::create(b, K.loc(), type.getElementType(), first);
  Value all = vector::BroadcastOp::create(b, K.loc(), type, number);
  if (!S.dot)
    return all;
  SmallVector<mlir::Attribute> steps;
  for (int64_t lane = 0; lane != Lanes; ++lane)
    steps.push_back(b.getIntegerAttr(type.getElementType(), lane));
  Value lanes = arith::ConstantOp::create(b, K.loc(), type,
                                          DenseElementsAttr::get(type, steps));
  return arith::AddIOp::create(b, K.loc(), all, lanes);
}

Value RowEmitter::beats(Pair b, Pair a, bool ordered) {
  OpBuilder &builder = K.builder();
  bool greatest = attribute<std::string>(Anchor, "fn") == "max";
  auto compare = [&](arith::CmpFPredicate how, Value left, Value right) {
    return Value(arith::CmpFOp::create(builder, K.loc(), how, left, right));
  };
  auto both = [&](Value left, Value right) {
    return Value(arith::AndIOp::create(builder, K.loc(), left, right));
  };
  using enum arith::CmpFPredicate;
  Value is = both(compare(greatest ? UGT : ULT, b.first, a.first),
                  compare(ORD, a.first, a.first));
  if (ordered)
    return is;
  Value nans =
      both(compare(UNO, a.first, a.first), compare(UNO, b.first, b.first));
  Value equal = arith::OrIOp::create(builder, K.loc(), nans,
                                     compare(OEQ, a.first, b.first));
  Value before = arith::CmpIOp::create(
      builder, K.loc(), arith::CmpIPredicate::ult, b.second, a.second);
  return arith::OrIOp::create(builder, K.loc(), is, both(equal, before));
}

RowEmitter::Pair RowEmitter::better(Pair a, Pair b, bool ordered) {
  Value is = beats(b, a, ordered);
  auto choose = [&](Value left, Value right) {
    return Value(
        arith::SelectOp::create(K.builder(), K.loc(), is, left, right));
  };
  return {choose(b.first, a.first), choose(b.second, a.second)};
}

void RowEmitter::emitArgReduce(const Unit &unit) {
  OpBuilder &b = K.builder();
  Fold how = attribute<std::string>(Anchor, "fn") == "max" ? Fold::Maximum
                                                           : Fold::Minimum;
  int64_t step = S.dot ? Lanes : 1;
  int64_t last = Nest.inner.back().size;
  auto count = size_t(std::min(S.kUnroll, (last + step - 1) / step));
  Value zero = arith::ConstantOp::create(b, K.loc(), indexVector(),
                                         b.getZeroAttr(indexVector()));
  Values init(count, splat(neutral(how)));
  init.append(count, zero);
  Values best =
      walk(whole(), init, [&](const Piece &piece, MutableArrayRef<Value> so) {
        Values values = load(unit, piece, Nest.input);
        for (size_t i = 0; i != values.size(); ++i) {
          if (S.dot && piece.count < Lanes)
            values[i] = keepFirst(values[i], piece.count, splat(neutral(how)));
          std::tie(so[i], so[count + i]) =
              better({so[i], so[count + i]},
                     {values[i], indicesOf(piece, int64_t(i))}, true);
        }
      });
  Pair result{best[0], best[count]};
  for (size_t i = 1; i != count; ++i)
    result = better(result, {best[i], best[count + i]}, false);
  for (int64_t distance = S.dot ? Lanes / 2 : 0; distance != 0; distance /= 2) {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane != Lanes; ++lane)
      places.push_back(lane ^ distance);
    auto moved = [&](Value value) {
      return Value(vector::ShuffleOp::create(b, K.loc(), value, value, places));
    };
    result = better(result, {moved(result.first), moved(result.second)}, false);
  }
  auto wide = VectorType::get({Lanes}, b.getI64Type());
  Value index = result.second;
  if (index.getType() != wide)
    index = arith::ExtSIOp::create(b, K.loc(), wide, index);
  Piece one = statisticPiece(unit);
  size_t outputs = Group.arguments().size();
  store(unit, one, outputs, {index});
  if (Anchor.results.size() == 2)
    store(unit, one, outputs + 1, {result.first});
}

} // namespace boo::compiler
