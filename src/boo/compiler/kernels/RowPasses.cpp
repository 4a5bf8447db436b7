//===- RowPasses.cpp - What norms and softmaxes compute -------------------===//
//
// A norm's variance is summed from centred elements, in a pass of its own: the
// difference of two large sums would cancel. A softmax's greatest element may
// ignore NaNs: they come back in the sum. What is infinitely small must not be
// the greatest, or it would meet itself in a difference.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/RowEmitter.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

Value RowEmitter::splat(double value) {
  return arith::ConstantOp::create(
      K.builder(), K.loc(), Vector,
      DenseElementsAttr::get(Vector, K.builder().getFloatAttr(Element, value)));
}
Value RowEmitter::addF(Value a, Value b) {
  return arith::AddFOp::create(K.builder(), K.loc(), a, b);
}
Value RowEmitter::subF(Value a, Value b) {
  return arith::SubFOp::create(K.builder(), K.loc(), a, b);
}
Value RowEmitter::mulF(Value a, Value b) {
  return arith::MulFOp::create(K.builder(), K.loc(), a, b);
}
Value RowEmitter::divF(Value a, Value b) {
  return arith::DivFOp::create(K.builder(), K.loc(), a, b);
}
Value RowEmitter::fmaF(Value a, Value b, Value c) {
  if (!S.fma)
    return addF(mulF(a, b), c);
  return math::FmaOp::create(K.builder(), K.loc(), a, b, c);
}
Value RowEmitter::expF(Value a) {
  return math::ExpOp::create(K.builder(), K.loc(), a);
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

double RowEmitter::neutral(Fold fold) const {
  constexpr double inf = std::numeric_limits<double>::infinity();
  switch (fold) {
  case Fold::Add:
    return 0;
  case Fold::Multiply:
    return 1;
  case Fold::Greatest:
  case Fold::Maximum:
    return -inf;
  case Fold::Minimum:
    return inf;
  }
  llvm_unreachable("all folds are listed");
}

Value RowEmitter::fold(Fold fold, Value a, Value b) {
  OpBuilder &builder = K.builder();
  switch (fold) {
  case Fold::Add:
    return addF(a, b);
  case Fold::Multiply:
    return mulF(a, b);
  case Fold::Greatest: {
    // One instruction: a NaN in `b` leaves `a`.
    Value greater = arith::CmpFOp::create(builder, K.loc(),
                                          arith::CmpFPredicate::OGT, b, a);
    return arith::SelectOp::create(builder, K.loc(), greater, b, a);
  }
  case Fold::Maximum:
    return arith::MaximumFOp::create(builder, K.loc(), a, b);
  case Fold::Minimum:
    return arith::MinimumFOp::create(builder, K.loc(), a, b);
  }
  llvm_unreachable("all folds are listed");
}

Value RowEmitter::foldLanes(Fold how, ArrayRef<Value> values) {
  Values left(values);
  for (; left.size() > 1; left.resize((left.size() + 1) / 2))
    for (size_t i = 0, half = (left.size() + 1) / 2; i + half < left.size();
         ++i)
      left[i] = fold(how, left[i], left[i + half]);
  Value value = left.front();
  if (!S.dot)
    return value;
  // Lanes change places, so that all end with the same bits.
  for (int64_t distance = Lanes / 2; distance != 0; distance /= 2) {
    SmallVector<int64_t> places;
    for (int64_t lane = 0; lane != Lanes; ++lane)
      places.push_back(lane ^ distance);
    value = fold(
        how, value,
        vector::ShuffleOp::create(K.builder(), K.loc(), value, value, places));
  }
  return value;
}

Value RowEmitter::masked(Value value, int64_t count, Fold how) {
  SmallVector<bool> bits(size_t(Lanes), false);
  std::fill_n(bits.begin(), count, true);
  auto type = VectorType::get({Lanes}, K.builder().getI1Type());
  Value used = arith::ConstantOp::create(
      K.builder(), K.loc(), type, DenseElementsAttr::get(type, ArrayRef(bits)));
  return arith::SelectOp::create(K.builder(), K.loc(), used, value,
                                 splat(neutral(how)));
}

/// Whether the first pass leaves the row's elements in scratch.
static bool firstPassStores(const Node &anchor, const Schedule &schedule,
                            const RowNest &nest) {
  if (!schedule.scratchInput || isReduction(anchor.op))
    return false;
  const RowAxis &along = schedule.dot ? nest.inner.back() : nest.rows.back();
  bool exponentials =
      anchor.op == Op::Softmax && !attribute<bool>(anchor, "log");
  return !exponentials || along.strides[nest.input] != 1;
}

RowEmitter::Values RowEmitter::again(const Unit &unit, const Piece &piece) {
  if (firstPassStores(Anchor, S, Nest))
    return loadScratch(piece);
  return load(unit, piece, Nest.input);
}

Value RowEmitter::foldRow(const Unit &unit, const Range &range, Fold how,
                          bool first,
                          const std::function<Value(Value)> &element,
                          bool keepElement) {
  int64_t step = S.dot ? Lanes : 1;
  int64_t last = Nest.inner.size() == 1 ? range.length : Nest.inner.back().size;
  int64_t sums = std::min(S.kUnroll, (last + step - 1) / step);
  Values init(size_t(sums), splat(neutral(how)));
  Values results = walk(
      range, init, [&](const Piece &piece, MutableArrayRef<Value> carried) {
        Values values =
            first ? load(unit, piece, Nest.input) : again(unit, piece);
        if (first && firstPassStores(Anchor, S, Nest))
          storeScratch(piece, values);
        for (Value &value : values)
          value = element(value);
        if (keepElement)
          storeScratch(piece, values);
        for (size_t i = 0; i != values.size(); ++i) {
          if (S.dot && piece.count < Lanes)
            values[i] = masked(values[i], piece.count, how);
          carried[i] = fold(how, carried[i], values[i]);
        }
      });
  return foldLanes(how, results);
}

RowEmitter::Pair RowEmitter::overChunks(
    const std::function<Pair(const Range &)> &statistics,
    const std::function<Pair(Pair, Value, Pair, int64_t)> &join) {
  int64_t length = Nest.inner.back().size, chunk = S.kChunk;
  if (chunk == 0 || chunk >= length)
    return statistics(whole());
  int64_t full = length / chunk, rest = length % chunk;
  Pair first = statistics({K.index(0), chunk});
  Values so = carry(K.index(chunk), full - 1, chunk,
                    {first.first, first.second, splat(double(chunk))},
                    [&](Value begin, ValueRange carried) {
                      Pair next = join({carried[0], carried[1]}, carried[2],
                                       statistics({begin, chunk}), chunk);
                      return Values{next.first, next.second,
                                    addF(carried[2], splat(double(chunk)))};
                    });
  Pair result{so[0], so[1]};
  if (rest != 0)
    result =
        join(result, so[2], statistics({K.index(full * chunk), rest}), rest);
  return result;
}

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

/// The sum of the elements, and that of the squares of their distances from
/// their mean.
RowEmitter::Pair RowEmitter::normStatistics(const Unit &unit,
                                            const Range &range) {
  int64_t count = Nest.length() / Nest.inner.front().size * range.length;
  Value sum =
      foldRow(unit, range, Fold::Add, true, [](Value value) { return value; });
  Value mean = divF(sum, splat(double(count)));
  Value squares = foldRow(unit, range, Fold::Add, false, [&](Value value) {
    Value distance = subF(value, mean);
    return mulF(distance, distance);
  });
  return {sum, squares};
}

void RowEmitter::emitNorm(const Unit &unit) {
  auto statistics = [&](const Range &range) {
    return normStatistics(unit, range);
  };
  // Chan, Golub, LeVeque: Updating formulae for computing sample variances.
  auto join = [&](Pair a, Value count, Pair b, int64_t more) -> Pair {
    Value size = splat(double(more));
    Value apart = subF(divF(b.first, size), divF(a.first, count));
    Value weight = divF(mulF(count, size), addF(count, size));
    Value squares =
        addF(addF(a.second, b.second), mulF(mulF(apart, apart), weight));
    return {addF(a.first, b.first), squares};
  };
  auto [sum, squares] = overChunks(statistics, join);
  Value length = splat(double(Nest.length()));
  Value mean = divF(sum, length);
  Value variance =
      addF(divF(squares, length), splat(attribute<double>(Anchor, "eps")));
  Value scale =
      divF(splat(1), math::SqrtOp::create(K.builder(), K.loc(), variance));
  size_t outputs = Group.arguments().size();
  if (Anchor.results.size() == 3) {
    Piece one = statisticPiece(unit);
    store(unit, one, outputs + 1, {mean});
    store(unit, one, outputs + 2, {scale});
  }
  auto operand = [&](size_t number) {
    const std::vector<ValueId> &arguments = Group.arguments();
    return size_t(
        std::find(arguments.begin(), arguments.end(), Anchor.operands[number]) -
        arguments.begin());
  };
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    Values values = again(unit, piece), weights, biases;
    if (Anchor.operands.size() > 1)
      weights = load(unit, piece, operand(1));
    if (Anchor.operands.size() > 2)
      biases = load(unit, piece, operand(2));
    for (size_t i = 0; i != values.size(); ++i) {
      values[i] = mulF(subF(values[i], mean), scale);
      if (!biases.empty())
        values[i] = fmaF(values[i], weights[i], biases[i]);
      else if (!weights.empty())
        values[i] = mulF(values[i], weights[i]);
    }
    finish(unit, piece, values);
  });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// The greatest element, finite at least, and the sum of exponentials of
/// distances from it.
RowEmitter::Pair RowEmitter::softmaxStatistics(const Unit &unit,
                                               const Range &range) {
  Value greatest = foldRow(unit, range, Fold::Greatest, true,
                           [](Value value) { return value; });
  double lowest = Nest.compute == DType::F64
                      ? std::numeric_limits<double>::lowest()
                      : std::numeric_limits<float>::lowest();
  greatest = fold(Fold::Greatest, splat(lowest), greatest);
  bool keep = S.scratchInput && !attribute<bool>(Anchor, "log");
  Value sum = foldRow(
      unit, range, Fold::Add, false,
      [&](Value value) { return expF(subF(value, greatest)); }, keep);
  return {greatest, sum};
}

void RowEmitter::emitSoftmax(const Unit &unit) {
  auto statistics = [&](const Range &range) {
    return softmaxStatistics(unit, range);
  };
  auto join = [&](Pair a, Value, Pair b, int64_t) -> Pair {
    Value greatest = fold(Fold::Greatest, a.first, b.first);
    Value sum = addF(mulF(a.second, expF(subF(a.first, greatest))),
                     mulF(b.second, expF(subF(b.first, greatest))));
    return {greatest, sum};
  };
  Pair pair = overChunks(statistics, join);
  Value greatest = pair.first, sum = pair.second;
  bool log = attribute<bool>(Anchor, "log");
  Value factor = log ? math::LogOp::create(K.builder(), K.loc(), sum)
                     : divF(splat(1), sum);
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    bool kept = S.scratchInput && !log;
    Values values = kept ? loadScratch(piece) : again(unit, piece);
    for (Value &value : values) {
      if (!kept)
        value = subF(value, greatest);
      if (log)
        value = subF(value, factor);
      else
        value = mulF(kept ? value : expF(value), factor);
    }
    finish(unit, piece, values);
  });
}

} // namespace boo::compiler
