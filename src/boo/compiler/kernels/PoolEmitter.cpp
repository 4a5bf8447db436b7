//===- PoolEmitter.cpp - Poolings -----------------------------------------===//
//
// As torch has it, a NaN is greater than all else, the first of equal elements
// is meant and the last of several NaNs. Columns are folded before windows, so
// elements meet in another order: with indices they are compared by those too.
// Padding is -inf with an index that is less than no other.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/PoolEmitter.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

static constexpr int64_t noIndex = std::numeric_limits<int32_t>::max();

PoolEmitter::Values PoolEmitter::neutral(int64_t vectors) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  Values folded(size_t(vectors), splat(P.fn == PoolFn::Max ? -inf : 0));
  if (Nest.hasIndices)
    folded.append(size_t(vectors), splatInt(noIndex));
  return folded;
}

Value PoolEmitter::beats(Value b, Value bIndex, Value a, Value aIndex) {
  OpBuilder &builder = K.builder();
  auto compare = [&](arith::CmpFPredicate how, Value left, Value right) {
    return Value(arith::CmpFOp::create(builder, K.loc(), how, left, right));
  };
  auto both = [&](Value left, Value right) {
    return Value(arith::AndIOp::create(builder, K.loc(), left, right));
  };
  auto either = [&](Value left, Value right) {
    return Value(arith::OrIOp::create(builder, K.loc(), left, right));
  };
  using enum arith::CmpFPredicate;
  Value less = arith::CmpIOp::create(builder, K.loc(),
                                     arith::CmpIPredicate::slt, bIndex, aIndex);
  Value more = arith::CmpIOp::create(builder, K.loc(),
                                     arith::CmpIPredicate::sgt, bIndex, aIndex);
  Value number = compare(ORD, a, a), isNan = compare(UNO, b, b);
  Value nan = both(isNan, either(number, more));
  Value greater = either(compare(OGT, b, a), both(compare(OEQ, b, a), less));
  return either(nan, greater);
}

PoolEmitter::Values PoolEmitter::fold(const Values &a, const Values &b) {
  OpBuilder &builder = K.builder();
  Values folded(a.size());
  size_t vectors = Nest.hasIndices ? a.size() / 2 : a.size();
  for (size_t u = 0; u != vectors; ++u) {
    if (P.fn != PoolFn::Max) {
      folded[u] = arith::AddFOp::create(builder, K.loc(), a[u], b[u]);
    } else if (!Nest.hasIndices) {
      folded[u] = arith::MaximumFOp::create(builder, K.loc(), a[u], b[u]);
    } else {
      Value is = beats(b[u], b[vectors + u], a[u], a[vectors + u]);
      for (size_t i : {u, vectors + u})
        folded[i] = arith::SelectOp::create(builder, K.loc(), is, b[i], a[i]);
    }
  }
  return folded;
}

void PoolEmitter::beginTile() {
  Values padding = neutral(1);
  auto fill = [&](int64_t begin, int64_t end) {
    if (begin >= end)
      return;
    fillScratch(values(), padding[0], begin, end);
    if (Nest.hasIndices)
      fillScratch(numbers(), padding[1], begin, end);
  };
  fill(0, P.padLo[2]);
  fill(P.padLo[2] + Nest.columns(), Nest.positions());
}

void PoolEmitter::emitRow(const Unit &unit) {
  foldColumns(unit);
  foldWindows(unit);
}

void PoolEmitter::foldColumns(const Unit &unit) {
  Range depths = tapsInside(0, unit.depth),
        heights = tapsInside(1, unit.height);
  auto position = [&](size_t dim, Value o, Value tap) {
    Value first = K.sub(K.mul(o, P.stride[dim]), K.index(P.padLo[dim]));
    return K.add(first, K.mul(tap, P.dilation[dim]));
  };
  Value buffer = K.buffer(ArgField::In, 0, Stored);
  overRow(unit, Nest.columns(), [&](const Piece &piece) {
    auto elements = [&](Value depth, Value height) {
      Values read = loadRow(buffer, rowOffset(unit, Nest.in, depth, height),
                            Nest.in, piece);
      for (Value &value : read)
        value = K.convert(value, Element);
      if (!Nest.hasIndices)
        return read;
      Value row = K.mul(K.add(K.mul(depth, P.in[1]), height), P.in[2]);
      for (int64_t u = 0; u != piece.vectors; ++u)
        read.push_back(arith::AddIOp::create(
            K.builder(), K.loc(), broadcastInt(row), positionsOf(piece, u)));
      return read;
    };
    Values padding = neutral(piece.vectors);
    Values folded = loop(depths, padding, [&](Value d, Values outer) {
      return loop(heights, std::move(outer), [&](Value h, Values so) {
        return fold(so, elements(position(0, unit.depth, d),
                                 position(1, unit.height, h)));
      });
    });
    auto vectors = size_t(piece.vectors);
    // What stands beyond the row is padding.
    for (size_t i = vectors - 1; S.dot && i < folded.size(); i += vectors)
      folded[i] = inUse(piece, folded[i], padding[i]);
    Value shift = K.index(P.padLo[2]);
    storeScratch(ArrayRef(folded).take_front(vectors), values(), piece, shift,
                 1);
    if (Nest.hasIndices)
      storeScratch(ArrayRef(folded).drop_front(vectors), numbers(), piece,
                   shift, 1);
  });
}

void PoolEmitter::foldWindows(const Unit &unit) {
  Value divisor =
      P.fn == PoolFn::Max ? Value() : rowDivisor(unit.depth, unit.height);
  overRow(unit, P.out[2], [&](const Piece &piece) {
    Values folded =
        loop({K.index(0), K.index(P.window[2])}, neutral(piece.vectors),
             [&](Value tap, Values so) {
               Value shift = K.mul(tap, P.dilation[2]);
               Values read = loadScratch(values(), piece, shift, P.stride[2]);
               if (Nest.hasIndices)
                 read.append(loadScratch(numbers(), piece, shift, P.stride[2]));
               return fold(so, read);
             });
    finish(unit, piece, divisor, std::move(folded));
  });
}

void PoolEmitter::finish(const Unit &unit, const Piece &piece, Value divisor,
                         Values folded) {
  OpBuilder &b = K.builder();
  auto vectors = size_t(piece.vectors);
  Values results(ArrayRef(folded).take_front(vectors));
  for (size_t u = 0; u != vectors; ++u) {
    if (divisor) {
      Value count = arith::MulFOp::create(b, K.loc(), divisor,
                                          columnDivisor(piece, int64_t(u)));
      results[u] = arith::DivFOp::create(b, K.loc(), results[u], count);
    }
    results[u] = K.convert(results[u], Stored);
  }
  storeRow(results, K.buffer(ArgField::Out, 0, Stored),
           rowOffset(unit, Nest.out, unit.depth, unit.height), Nest.out, piece);
  if (!Nest.hasIndices)
    return;
  Type wide = b.getI64Type();
  Values indices;
  for (size_t u = 0; u != vectors; ++u) {
    Value index = folded[vectors + u];
    Value none = arith::CmpIOp::create(b, K.loc(), arith::CmpIPredicate::eq,
                                       index, splatInt(noIndex));
    index = arith::SelectOp::create(b, K.loc(), none, splatInt(-1), index);
    indices.push_back(
        arith::ExtSIOp::create(b, K.loc(), Ints.clone(wide), index));
  }
  storeRow(indices, K.buffer(ArgField::Out, 1, wide),
           rowOffset(unit, Nest.indices, unit.depth, unit.height), Nest.indices,
           piece);
}

StatusOr<KernelModule> emitPool(MLIRContext &context, const Graph &group,
                                const Schedule &schedule) {
  if (group.nodes().front().op == Op::PoolGrad)
    return PoolGradEmitter(context, group, schedule).emit();
  return PoolEmitter(context, group, schedule).emit();
}

} // namespace boo::compiler
