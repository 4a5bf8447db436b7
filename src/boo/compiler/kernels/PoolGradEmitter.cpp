//===- PoolGradEmitter.cpp - Gradients of poolings ------------------------===//
//
// Gathers: an element of the input's gradient is the sum over the outputs whose
// windows hold it, in their order. In the scratch row an output's gradient lies
// at its window's first tap, zeros in between, so that an element meets its
// outputs at fixed distances, whatever the stride. An average's rows are added
// up first; of a maximum each row counts where its indices say so.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/PoolEmitter.h"

using namespace mlir;

namespace boo::compiler {

PoolBuilder::Range PoolGradEmitter::outputs(size_t dim, Value i) {
  Value last = K.add(i, P.padLo[dim]);
  Value first = K.max(K.sub(last, K.index(P.extent(dim) - 1)), K.index(0));
  Value begin = K.ceilDiv(first, P.stride[dim]);
  // One more than the last quotient, rounded down.
  Value end = K.ceilDiv(K.add(last, 1), P.stride[dim]);
  end = K.min(end, K.index(P.out[dim]));
  return {begin, K.max(begin, end)};
}

Value PoolGradEmitter::hasTap(size_t dim, Value i, Value o) {
  OpBuilder &b = K.builder();
  Value distance = K.sub(K.add(i, P.padLo[dim]), K.mul(o, P.stride[dim]));
  return K.equal(b.createOrFold<arith::RemUIOp>(K.loc(), distance,
                                                K.index(P.dilation[dim])),
                 0);
}

void PoolGradEmitter::stuff(ArrayRef<Value> elements, Value buffer,
                            const Piece &piece, Value filler) {
  Values stored(elements);
  if (S.dot)
    stored.back() = inUse(piece, stored.back(), filler);
  storeScratch(stored, buffer, piece, K.index(firstPosition()), P.stride[2]);
}

void PoolGradEmitter::beginTile() {
  fillScratch(values(), zeros(), 0, Nest.positions());
  if (Nest.hasIndices)
    fillScratch(numbers(), splatInt(-1), 0, Nest.positions());
}

void PoolGradEmitter::emitRow(const Unit &unit) {
  if (Nest.hasIndices)
    return emitMaximum(unit);
  emitAverage(unit);
}

void PoolGradEmitter::emitAverage(const Unit &unit) {
  OpBuilder &b = K.builder();
  Value buffer = K.buffer(ArgField::In, 0, Stored);
  Range depths = outputs(0, unit.depth), heights = outputs(1, unit.height);
  bool rowsDiffer = divisorVaries(0) || divisorVaries(1);
  auto divided = [&](Value value, Value divisor) {
    return Value(arith::DivFOp::create(b, K.loc(), value, divisor));
  };
  auto addRow = [&](const Piece &piece, Value depth, Value height, Values so) {
    Values row = loadRow(buffer, rowOffset(unit, Nest.out, depth, height),
                         Nest.out, piece);
    Value met = b.createOrFold<arith::AndIOp>(
        K.loc(), hasTap(0, unit.depth, depth), hasTap(1, unit.height, height));
    Value divisor = rowsDiffer ? rowDivisor(depth, height) : Value();
    for (size_t u = 0; u != row.size(); ++u) {
      Value term = K.convert(row[u], Element);
      if (divisor)
        term = divided(term, divisor);
      if (P.dilation[0] != 1 || P.dilation[1] != 1)
        term = arith::SelectOp::create(b, K.loc(), met, term, zeros());
      so[u] = arith::AddFOp::create(b, K.loc(), so[u], term);
    }
    return so;
  };
  overRow(unit, P.out[2], [&](const Piece &piece) {
    Values sums = loop(
        depths, Values(size_t(piece.vectors), zeros()),
        [&](Value depth, Values outer) {
          return loop(heights, std::move(outer), [&](Value height, Values so) {
            return addRow(piece, depth, height, std::move(so));
          });
        });
    for (size_t u = 0; u != sums.size(); ++u) {
      Value divisor = columnDivisor(piece, int64_t(u));
      if (!rowsDiffer)
        divisor = arith::MulFOp::create(
            b, K.loc(), divisor, splat(double(P.window[0] * P.window[1])));
      sums[u] = divided(sums[u], divisor);
    }
    stuff(sums, values(), piece, zeros());
  });
  overRow(unit, P.in[2], [&](const Piece &piece) {
    Values sums =
        loop({K.index(0), K.index(P.window[2])},
             Values(size_t(piece.vectors), zeros()), [&](Value tap, Values so) {
               Values read =
                   loadScratch(values(), piece, K.mul(tap, P.dilation[2]), 1);
               for (size_t u = 0; u != so.size(); ++u)
                 so[u] = arith::AddFOp::create(b, K.loc(), so[u], read[u]);
               return so;
             });
    for (Value &value : sums)
      value = K.convert(value, Stored);
    storeRow(sums, K.buffer(ArgField::Out, 0, Stored),
             rowOffset(unit, Nest.in, unit.depth, unit.height), Nest.in, piece);
  });
}

void PoolGradEmitter::emitMaximum(const Unit &unit) {
  OpBuilder &b = K.builder();
  Type wide = b.getI64Type();
  Value gradient = K.buffer(ArgField::In, 0, Stored);
  Value indices = K.buffer(ArgField::In, 1, wide);
  /// An index as i32; -1 for what is none.
  auto narrow = [&](Value index) -> Value {
    auto type = cast<VectorType>(index.getType());
    Value plane = arith::ConstantOp::create(
        b, K.loc(), type,
        DenseElementsAttr::get(type, b.getI64IntegerAttr(P.plane())));
    Value is = arith::CmpIOp::create(b, K.loc(), arith::CmpIPredicate::ult,
                                     index, plane);
    return arith::SelectOp::create(
        b, K.loc(), is, arith::TruncIOp::create(b, K.loc(), Ints, index),
        splatInt(-1));
  };
  auto stuffRow = [&](Value depth, Value height) {
    overRow(unit, P.out[2], [&](const Piece &piece) {
      Values row = loadRow(gradient, rowOffset(unit, Nest.out, depth, height),
                           Nest.out, piece);
      Values from =
          loadRow(indices, rowOffset(unit, Nest.indices, depth, height),
                  Nest.indices, piece);
      for (Value &value : row)
        value = K.convert(value, Element);
      for (Value &index : from)
        index = narrow(index);
      stuff(row, values(), piece, zeros());
      stuff(from, numbers(), piece, splatInt(-1));
    });
  };
  Value row = K.mul(K.add(K.mul(unit.depth, P.in[1]), unit.height), P.in[2]);
  auto addRow = [&] {
    overRow(unit, P.in[2], [&](const Piece &piece) {
      Values own;
      for (int64_t u = 0; u != piece.vectors; ++u)
        own.push_back(arith::AddIOp::create(b, K.loc(), broadcastInt(row),
                                            positionsOf(piece, u)));
      Values so = loadScratch(sums(), piece, K.index(0), 1);
      so = loop(
          {K.index(0), K.index(P.window[2])}, so, [&](Value tap, Values so) {
            Value shift = K.mul(tap, P.dilation[2]);
            Values terms = loadScratch(values(), piece, shift, 1);
            Values from = loadScratch(numbers(), piece, shift, 1);
            for (size_t u = 0; u != so.size(); ++u) {
              Value is = arith::CmpIOp::create(
                  b, K.loc(), arith::CmpIPredicate::eq, from[u], own[u]);
              Value term =
                  arith::SelectOp::create(b, K.loc(), is, terms[u], zeros());
              so[u] = arith::AddFOp::create(b, K.loc(), so[u], term);
            }
            return so;
          });
      storeScratch(so, sums(), piece, K.index(0), 1);
    });
  };
  fillScratch(sums(), zeros(), 0, P.in[2]);
  Range depths = outputs(0, unit.depth), heights = outputs(1, unit.height);
  K.loop(depths.begin, depths.end, 1, [&](Value depth) {
    K.loop(heights.begin, heights.end, 1, [&](Value height) {
      Value met =
          b.createOrFold<arith::AndIOp>(K.loc(), hasTap(0, unit.depth, depth),
                                        hasTap(1, unit.height, height));
      K.ifThen(met, [&] {
        stuffRow(depth, height);
        addRow();
      });
    });
  });
  overRow(unit, P.in[2], [&](const Piece &piece) {
    Values result = loadScratch(sums(), piece, K.index(0), 1);
    for (Value &value : result)
      value = K.convert(value, Stored);
    storeRow(result, K.buffer(ArgField::Out, 0, Stored),
             rowOffset(unit, Nest.in, unit.depth, unit.height), Nest.in, piece);
  });
}

} // namespace boo::compiler
