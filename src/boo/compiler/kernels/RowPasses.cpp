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
#include "boo/ops/norm/NormOperands.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

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
  case Fold::Greatest:
    return greatestF(a, b);
  case Fold::Maximum:
    return arith::MaximumFOp::create(builder, K.loc(), a, b);
  case Fold::Minimum:
    return arith::MinimumFOp::create(builder, K.loc(), a, b);
  }
  llvm_unreachable("all folds are listed");
}

Value RowEmitter::foldLanes(Fold how, ArrayRef<Value> values) {
  auto join = [&](Value a, Value b) { return fold(how, a, b); };
  Value value = foldVectors(Values(values), join);
  return S.dot ? foldAcross(value, join) : value;
}

/// Whether the first pass leaves the row's elements in scratch.
static bool firstPassStores(const Node &anchor, const Schedule &schedule,
                            const RowNest &nest) {
  if (!schedule.scratchInput || !restsInScratch(anchor.op))
    return false;
  const RowAxis &along = schedule.dot ? nest.inner.back() : nest.rows.back();
  bool exponentials =
      anchor.op == Op::Softmax && !attribute<bool>(anchor, "log");
  return !exponentials || along.strides[nest.input] != 1;
}

RowEmitter::Values RowEmitter::again(const Unit &unit, const Piece &piece) {
  if (firstPassStores(Anchor, S, Nest))
    return loadScratch(unit, piece);
  return load(unit, piece, Nest.input);
}

void RowEmitter::prefetchRow(const Unit &unit, const Piece &piece) {
  constexpr int64_t lineBytes = 64;
  if (S.prefetch == 0 || !S.dot || Nest.rows.empty())
    return;
  DType dtype = Nest.operands[Nest.input].dtype;
  Value buffer = K.buffer(ArgField::In, int64_t(Nest.input), K.type(dtype));
  int64_t ahead = S.prefetch * int64_t(unit.base.size()) *
                  Nest.rows.back().strides[Nest.input];
  for (size_t row = 0; row != unit.base.size(); ++row) {
    Value at = K.add(place(unit, row, piece, Nest.input).first, ahead);
    for (int64_t i = 0; i < piece.vectors * Lanes;
         i += lineBytes / dtypeBytes(dtype))
      K.prefetch(buffer, K.add(at, i), /*level=*/1);
  }
}

RowEmitter::Values
RowEmitter::foldPieces(const Range &range, Fold how, size_t count,
                       const std::function<Values(const Piece &)> &terms) {
  int64_t step = S.dot ? Lanes : 1;
  int64_t last = Nest.inner.size() == 1 ? range.length : Nest.inner.back().size;
  auto sums = size_t(std::min(S.kUnroll, (last + step - 1) / step));
  Values init(count * sums, splat(neutral(how)));
  Values results = walk(
      range, init, [&](const Piece &piece, MutableArrayRef<Value> carried) {
        Values values = terms(piece);
        auto vectors = size_t(piece.vectors);
        for (size_t i = 0; i != values.size(); ++i) {
          if (S.dot && piece.count < Lanes)
            values[i] = keepFirst(values[i], piece.count, splat(neutral(how)));
          Value &sum = carried[i / vectors * sums + i % vectors];
          sum = fold(how, sum, values[i]);
        }
      });
  Values folded;
  for (size_t i = 0; i != count; ++i)
    folded.push_back(foldLanes(how, ArrayRef(results).slice(i * sums, sums)));
  return folded;
}

RowEmitter::Statistics
RowEmitter::foldRow(const Unit &unit, const Range &range, Fold how, bool first,
                    const std::function<Value(size_t, Value)> &element,
                    bool keepElement) {
  auto terms = [&](const Piece &piece) {
    if (!first)
      prefetchRow(unit, piece);
    Values values = first ? load(unit, piece, Nest.input) : again(unit, piece);
    if (first && firstPassStores(Anchor, S, Nest))
      storeScratch(unit, piece, values);
    for (size_t i = 0; i != values.size(); ++i)
      values[i] = element(piece.rowOf(i), values[i]);
    if (keepElement)
      storeScratch(unit, piece, values);
    return values;
  };
  return foldPieces(range, how, unit.base.size(), terms);
}

RowEmitter::StatisticsPair RowEmitter::overChunks(
    const std::function<StatisticsPair(const Range &)> &statistics,
    const std::function<Pair(Pair, Value, Pair, int64_t)> &join) {
  int64_t length = Nest.inner.back().size, chunk = S.kChunk;
  if (chunk == 0 || chunk >= length)
    return statistics(whole());
  int64_t full = length / chunk, rest = length % chunk;
  StatisticsPair first = statistics({K.index(0), chunk});
  size_t rows = first.first.size();
  // Carried are all first ones, all second ones, and the count.
  auto joined = [&](ArrayRef<Value> so, const StatisticsPair &next,
                    int64_t more) {
    Values result(so);
    for (size_t row = 0; row != rows; ++row)
      std::tie(result[row], result[rows + row]) =
          join({so[row], so[rows + row]}, so.back(),
               {next.first[row], next.second[row]}, more);
    result.back() = addF(so.back(), splat(double(more)));
    return result;
  };
  Values init = first.first;
  llvm::append_range(init, first.second);
  init.push_back(splat(double(chunk)));
  Values so =
      carry(K.index(chunk), full - 1, chunk, init,
            [&](Value begin, ValueRange carried) {
              return joined(Values(carried), statistics({begin, chunk}), chunk);
            });
  if (rest != 0)
    so = joined(so, statistics({K.index(full * chunk), rest}), rest);
  auto all = ArrayRef(so);
  return {Values(all.take_front(rows)), Values(all.slice(rows, rows))};
}

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

/// The sum of the elements, and that of the squares of their distances from
/// their mean.
RowEmitter::StatisticsPair RowEmitter::normStatistics(const Unit &unit,
                                                      const Range &range) {
  int64_t count = Nest.length() / Nest.inner.front().size * range.length;
  if (isRmsNorm(Anchor)) {
    auto square = [&](size_t, Value value) { return mulF(value, value); };
    return {Statistics(unit.base.size(), splat(0)),
            foldRow(unit, range, Fold::Add, true, square)};
  }
  Statistics sum = foldRow(unit, range, Fold::Add, true,
                           [](size_t, Value value) { return value; });
  Statistics mean = forRows(
      unit, [&](size_t row) { return divF(sum[row], splat(double(count))); });
  Statistics squares =
      foldRow(unit, range, Fold::Add, false, [&](size_t row, Value value) {
        Value distance = subF(value, mean[row]);
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
  StatisticsPair sums = overChunks(statistics, join);
  Value length = splat(double(Nest.length()));
  Value eps = splat(attribute<double>(Anchor, "eps"));
  Statistics mean =
      forRows(unit, [&](size_t row) { return divF(sums.first[row], length); });
  Statistics variance =
      forRows(unit, [&](size_t row) { return divF(sums.second[row], length); });
  Statistics scale = forRows(
      unit, [&](size_t row) { return rsqrtF(addF(variance[row], eps)); });
  storeNormStatistics(unit, mean, variance, scale);
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    Values values = again(unit, piece), weights, biases;
    if (Anchor.operands.size() > 1)
      weights = load(unit, piece, operand(1));
    if (Anchor.operands.size() > 2)
      biases = load(unit, piece, operand(2));
    for (size_t i = 0; i != values.size(); ++i) {
      size_t row = piece.rowOf(i);
      values[i] = mulF(subF(values[i], mean[row]), scale[row]);
      if (!biases.empty())
        values[i] = fmaF(values[i], weights[i], biases[i]);
      else if (!weights.empty())
        values[i] = mulF(values[i], weights[i]);
    }
    finish(unit, piece, values);
  });
}

void RowEmitter::storeNormStatistics(const Unit &unit, const Statistics &mean,
                                     const Statistics &variance,
                                     const Statistics &scale) {
  Piece one = statisticPiece(unit);
  size_t next = Group.arguments().size() + 1;
  if (attribute<bool>(Anchor, "stats")) {
    if (!isRmsNorm(Anchor))
      store(unit, one, next++, mean);
    store(unit, one, next++, scale);
  }
  if (Anchor.op != Op::BatchNorm || Anchor.operands.size() == 3)
    return;
  RunningFactors factors = runningFactors(Anchor, Nest.length());
  auto move = [&](size_t number, const Statistics &batch, double factor) {
    Statistics old = loadStatistic(unit, operand(number));
    store(unit, one, next++, forRows(unit, [&](size_t row) {
            Value stays = mulF(old[row], splat(factors.stays));
            return addF(stays, mulF(batch[row], splat(factor)));
          }));
  };
  move(3, mean, factors.mean);
  move(4, variance, factors.variance);
}

/// rstd * (g - mean(g) - n * mean(g * n)), where g = dy * weight and
/// n = (x - mean) * rstd. A batch norm's scale is the row's: the sums are those
/// of dy, which are the gradients of bias and scale, and it comes last.
void RowEmitter::emitNormGrad(const Unit &unit) {
  bool batch = Anchor.op == Op::BatchNormGrad;
  NormGradOperands places(Anchor);
  size_t rows = unit.base.size();
  Statistics mean = places.centred ? loadStatistic(unit, operand(places.mean))
                                   : Statistics(rows, splat(0));
  Statistics scale = loadStatistic(unit, operand(places.rstd));
  // Gradients of the normalised elements, then these.
  auto read = [&](const Piece &piece) {
    Values both = load(unit, piece, operand(0));
    if (!batch && places.hasWeight(Anchor)) {
      Values weights = load(unit, piece, operand(places.weight));
      for (auto [value, weight] : llvm::zip_equal(both, weights))
        value = mulF(value, weight);
    }
    Values inputs = load(unit, piece, operand(1));
    for (size_t i = 0; i != inputs.size(); ++i) {
      size_t row = piece.rowOf(i);
      both.push_back(mulF(subF(inputs[i], mean[row]), scale[row]));
    }
    return both;
  };
  Values sums =
      foldPieces(whole(), Fold::Add, 2 * rows, [&](const Piece &piece) {
        Values both = read(piece);
        size_t half = both.size() / 2;
        for (size_t i = 0; i != half; ++i)
          both[half + i] = mulF(both[i], both[half + i]);
        return both;
      });
  size_t outputs = Group.arguments().size();
  Statistics factor = scale;
  if (batch) {
    auto all = ArrayRef(sums);
    store(unit, statisticPiece(unit), outputs + 1, all.drop_front(rows));
    store(unit, statisticPiece(unit), outputs + 2, all.take_front(rows));
    Statistics weight = loadStatistic(unit, operand(4));
    for (size_t row = 0; row != rows; ++row)
      factor[row] = mulF(scale[row], weight[row]);
  }
  Value length = splat(double(Nest.length()));
  Statistics level = forRows(unit, [&](size_t row) {
    return places.centred ? divF(sums[row], length) : splat(0);
  });
  Statistics slope =
      forRows(unit, [&](size_t row) { return divF(sums[rows + row], length); });
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    Values both = read(piece), results;
    size_t half = both.size() / 2;
    for (size_t i = 0; i != half; ++i) {
      size_t row = piece.rowOf(i);
      Value along = mulF(both[half + i], slope[row]);
      results.push_back(
          mulF(subF(subF(both[i], level[row]), along), factor[row]));
    }
    store(unit, piece, outputs, results);
  });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// The greatest element, finite at least, and the sum of exponentials of
/// distances from it.
RowEmitter::StatisticsPair RowEmitter::softmaxStatistics(const Unit &unit,
                                                         const Range &range) {
  Statistics greatest = foldRow(unit, range, Fold::Greatest, true,
                                [](size_t, Value value) { return value; });
  double lowest = Nest.compute == DType::F64
                      ? std::numeric_limits<double>::lowest()
                      : std::numeric_limits<float>::lowest();
  for (Value &value : greatest)
    value = fold(Fold::Greatest, splat(lowest), value);
  bool keep = S.scratchInput && !attribute<bool>(Anchor, "log");
  Statistics sum = foldRow(
      unit, range, Fold::Add, false,
      [&](size_t row, Value value) {
        return expOfNonPositive(subF(value, greatest[row]));
      },
      keep);
  return {greatest, sum};
}

void RowEmitter::emitSoftmax(const Unit &unit) {
  auto statistics = [&](const Range &range) {
    return softmaxStatistics(unit, range);
  };
  auto join = [&](Pair a, Value, Pair b, int64_t) -> Pair {
    Value greatest = fold(Fold::Greatest, a.first, b.first);
    Value sum = addF(mulF(a.second, expOfNonPositive(subF(a.first, greatest))),
                     mulF(b.second, expOfNonPositive(subF(b.first, greatest))));
    return {greatest, sum};
  };
  auto [greatest, sum] = overChunks(statistics, join);
  bool log = attribute<bool>(Anchor, "log");
  Statistics factor;
  for (Value value : sum)
    factor.push_back(log ? math::LogOp::create(K.builder(), K.loc(), value)
                         : divF(splat(1), value));
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    bool kept = S.scratchInput && !log;
    Values values = kept ? loadScratch(unit, piece) : again(unit, piece);
    for (size_t i = 0; i != values.size(); ++i) {
      Value &value = values[i];
      size_t row = piece.rowOf(i);
      if (!kept)
        value = subF(value, greatest[row]);
      if (log)
        value = subF(value, factor[row]);
      else
        value = mulF(kept ? value : expOfNonPositive(value), factor[row]);
    }
    finish(unit, piece, values);
  });
}

/// y * (dy - sum of dy * y); of the logarithm dy - exp(y) * sum of dy.
void RowEmitter::emitSoftmaxGrad(const Unit &unit) {
  bool log = attribute<bool>(Anchor, "log");
  auto terms = [&](const Piece &piece) {
    Values values = load(unit, piece, operand(0));
    if (log)
      return values;
    Values outputs = load(unit, piece, operand(1));
    for (auto [value, output] : llvm::zip_equal(values, outputs))
      value = mulF(value, output);
    return values;
  };
  Statistics sum = foldPieces(whole(), Fold::Add, unit.base.size(), terms);
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    Values values = load(unit, piece, operand(0));
    Values outputs = load(unit, piece, operand(1));
    for (size_t i = 0; i != values.size(); ++i) {
      Value &value = values[i], own = sum[piece.rowOf(i)];
      value = log ? subF(value, mulF(expF(outputs[i]), own))
                  : mulF(outputs[i], subF(value, own));
    }
    finish(unit, piece, values);
  });
}

} // namespace boo::compiler
