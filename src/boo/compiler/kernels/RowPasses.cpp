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
    return loadScratch(piece);
  return load(unit, piece, Nest.input);
}

void RowEmitter::prefetchRow(const Unit &unit, const Piece &piece) {
  constexpr int64_t lineBytes = 64;
  if (S.prefetch == 0 || !S.dot || Nest.rows.empty())
    return;
  DType dtype = Nest.operands[Nest.input].dtype;
  Value at = K.add(place(unit, piece, Nest.input).first,
                   S.prefetch * Nest.rows.back().strides[Nest.input]);
  Value buffer = K.buffer(ArgField::In, int64_t(Nest.input), K.type(dtype));
  for (int64_t i = 0; i < piece.vectors * Lanes;
       i += lineBytes / dtypeBytes(dtype))
    K.prefetch(buffer, K.add(at, i), /*level=*/1);
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

Value RowEmitter::foldRow(const Unit &unit, const Range &range, Fold how,
                          bool first,
                          const std::function<Value(Value)> &element,
                          bool keepElement) {
  auto terms = [&](const Piece &piece) {
    if (!first)
      prefetchRow(unit, piece);
    Values values = first ? load(unit, piece, Nest.input) : again(unit, piece);
    if (first && firstPassStores(Anchor, S, Nest))
      storeScratch(piece, values);
    for (Value &value : values)
      value = element(value);
    if (keepElement)
      storeScratch(piece, values);
    return values;
  };
  return foldPieces(range, how, 1, terms).front();
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
  if (isRmsNorm(Anchor))
    return {splat(0), foldRow(unit, range, Fold::Add, true,
                              [&](Value value) { return mulF(value, value); })};
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
  Value mean = divF(sum, length), variance = divF(squares, length);
  Value scale = rsqrtF(addF(variance, splat(attribute<double>(Anchor, "eps"))));
  storeNormStatistics(unit, mean, variance, scale);
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

void RowEmitter::storeNormStatistics(const Unit &unit, Value mean,
                                     Value variance, Value scale) {
  Piece one = statisticPiece(unit);
  size_t next = Group.arguments().size() + 1;
  if (attribute<bool>(Anchor, "stats")) {
    if (!isRmsNorm(Anchor))
      store(unit, one, next++, {mean});
    store(unit, one, next++, {scale});
  }
  if (Anchor.op != Op::BatchNorm || Anchor.operands.size() == 3)
    return;
  RunningFactors factors = runningFactors(Anchor, Nest.length());
  auto move = [&](size_t number, Value batch, double factor) {
    Value stays =
        mulF(loadStatistic(unit, operand(number)), splat(factors.stays));
    store(unit, one, next++, {addF(stays, mulF(batch, splat(factor)))});
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
  Value mean =
      places.centred ? loadStatistic(unit, operand(places.mean)) : splat(0);
  Value scale = loadStatistic(unit, operand(places.rstd));
  // Gradients of the normalised elements, then these.
  auto read = [&](const Piece &piece) {
    Values both = load(unit, piece, operand(0));
    if (!batch && places.hasWeight(Anchor)) {
      Values weights = load(unit, piece, operand(places.weight));
      for (auto [value, weight] : llvm::zip_equal(both, weights))
        value = mulF(value, weight);
    }
    for (Value value : load(unit, piece, operand(1)))
      both.push_back(mulF(subF(value, mean), scale));
    return both;
  };
  Values sums = foldPieces(whole(), Fold::Add, 2, [&](const Piece &piece) {
    Values both = read(piece);
    auto vectors = size_t(piece.vectors);
    for (size_t i = 0; i != vectors; ++i)
      both[vectors + i] = mulF(both[i], both[vectors + i]);
    return both;
  });
  size_t outputs = Group.arguments().size();
  Value factor = scale;
  if (batch) {
    store(unit, statisticPiece(unit), outputs + 1, {sums[1]});
    store(unit, statisticPiece(unit), outputs + 2, {sums[0]});
    factor = mulF(scale, loadStatistic(unit, operand(4)));
  }
  Value length = splat(double(Nest.length()));
  Value level = places.centred ? divF(sums[0], length) : splat(0);
  Value slope = divF(sums[1], length);
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    Values both = read(piece), results;
    auto vectors = size_t(piece.vectors);
    for (size_t i = 0; i != vectors; ++i) {
      Value along = mulF(both[vectors + i], slope);
      results.push_back(mulF(subF(subF(both[i], level), along), factor));
    }
    store(unit, piece, outputs, results);
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
      [&](Value value) { return expOfNonPositive(subF(value, greatest)); },
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
        value = mulF(kept ? value : expOfNonPositive(value), factor);
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
  Value sum = foldPieces(whole(), Fold::Add, 1, terms).front();
  walk(whole(), {}, [&](const Piece &piece, MutableArrayRef<Value>) {
    Values values = load(unit, piece, operand(0));
    Values outputs = load(unit, piece, operand(1));
    for (auto [value, output] : llvm::zip_equal(values, outputs))
      value = log ? subF(value, mulF(expF(output), sum))
                  : mulF(output, subF(value, sum));
    finish(unit, piece, values);
  });
}

} // namespace boo::compiler
