//===- ColumnPasses.cpp - What is computed for each column ----------------===//
//
// A batch norm's variance is summed from elements centred by their part's mean,
// and the parts' statistics are joined: nowhere are large sums subtracted.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/ColumnEmitter.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/norm/NormOperands.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

//===----------------------------------------------------------------------===//
// Gradients of weight and bias
//===----------------------------------------------------------------------===//

/// What a row adds to the sums: dy * (x - mean) * rstd, dy.
ColumnEmitter::Values ColumnEmitter::gradientTerms(const Block &block,
                                                   Value row) {
  Values bias = load(block, row, 0), terms;
  if (SumsWeight) {
    terms = load(block, row, 1);
    NormGradOperands places(Anchor);
    Values scales = load(block, row, places.rstd);
    if (places.centred)
      for (auto [term, mean] :
           llvm::zip_equal(terms, load(block, row, places.mean)))
        term = subF(term, mean);
    for (size_t i = 0; i != terms.size(); ++i)
      terms[i] = mulF(bias[i], mulF(terms[i], scales[i]));
  }
  if (SumsBias)
    terms.append(bias);
  return terms;
}

ColumnEmitter::Values ColumnEmitter::partSums(const Block &block, Value low,
                                              Value high) {
  Values zeros(Quantities * vectors(block), splat(0));
  return carry(low, high, zeros, [&](Value row, ValueRange sums) {
    Values next = gradientTerms(block, row);
    for (auto [sum, term] : llvm::zip_equal(sums, next))
      term = addF(sum, term);
    return next;
  });
}

ColumnEmitter::Values ColumnEmitter::joinGradients(const Block &block) {
  return carry(K.index(1), K.index(Parts), loadSums(block, K.index(0)),
               [&](Value part, ValueRange sums) {
                 Values next = loadSums(block, part);
                 for (auto [sum, more] : llvm::zip_equal(sums, next))
                   more = addF(sum, more);
                 return next;
               });
}

/// Returns the means of dy * n and of dy, for a batch norm.
ColumnEmitter::Values ColumnEmitter::finishGradients(const Block &block,
                                                     ArrayRef<Value> sums) {
  size_t each = vectors(block), first = Anchor.results.size() - Quantities;
  for (size_t quantity = 0; quantity != Quantities; ++quantity)
    store(block, K.index(0), first + quantity,
          sums.slice(quantity * each, each));
  Values means;
  if (WholeNorm)
    for (Value sum : sums)
      means.push_back(divF(sum, splat(double(Nest.rowCount()))));
  return means;
}

/// rstd * scale * (dy - mean(dy) - n * mean(dy * n)), n = (x - mean) * rstd.
void ColumnEmitter::applyGradient(const Block &block, Value low, Value high) {
  Values known = loadSums(block, Value());
  Values means = loadParameter(block, 2), scales = loadParameter(block, 3);
  Values weights = loadParameter(block, 4), factors;
  size_t each = vectors(block);
  for (size_t i = 0; i != each; ++i)
    factors.push_back(mulF(scales[i], weights[i]));
  K.loop(low, high, 1, [&](Value row) {
    Values values = load(block, row, 0), inputs = load(block, row, 1);
    for (size_t i = 0; i != each; ++i) {
      Value along = mulF(mulF(subF(inputs[i], means[i]), scales[i]), known[i]);
      values[i] =
          mulF(subF(subF(values[i], known[each + i]), along), factors[i]);
    }
    store(block, row, 0, values);
  });
}

//===----------------------------------------------------------------------===//
// Batch norm
//===----------------------------------------------------------------------===//

/// The mean of the rows from `low` on, below `high`, and the sum of the squares
/// of their distances from it.
ColumnEmitter::Values ColumnEmitter::statistics(const Block &block, Value low,
                                                Value high) {
  OpBuilder &b = K.builder();
  size_t each = vectors(block);
  Values zeros(each, splat(0));
  Values means = carry(low, high, zeros, [&](Value row, ValueRange sums) {
    Values next = load(block, row, 0);
    for (auto [sum, value] : llvm::zip_equal(sums, next))
      value = addF(sum, value);
    return next;
  });
  Value count =
      arith::IndexCastOp::create(b, K.loc(), b.getI64Type(), K.sub(high, low));
  count = arith::SIToFPOp::create(b, K.loc(), Element, count);
  count = vector::BroadcastOp::create(b, K.loc(), Vector, count);
  for (Value &mean : means)
    mean = divF(mean, count);
  Values squares = carry(low, high, zeros, [&](Value row, ValueRange sums) {
    Values next = load(block, row, 0);
    for (size_t i = 0; i != each; ++i) {
      Value distance = subF(next[i], means[i]);
      next[i] = fmaF(distance, distance, sums[i]);
    }
    return next;
  });
  means.append(squares);
  return means;
}

/// Chan, Golub, LeVeque: Updating formulae for computing sample variances.
ColumnEmitter::Values ColumnEmitter::joinStatistics(const Block &block) {
  size_t each = vectors(block);
  auto join = [&](ValueRange so, Value count, Value part, int64_t rows) {
    Values next = loadSums(block, part);
    Value more = splat(double(rows)), all = addF(count, more);
    Value share = divF(more, all);
    for (size_t i = 0; i != each; ++i) {
      Value apart = subF(next[i], so[i]);
      Value squares = addF(so[each + i], next[each + i]);
      next[each + i] =
          addF(squares, mulF(mulF(apart, apart), mulF(count, share)));
      next[i] = fmaF(apart, share, so[i]);
    }
    next.push_back(all);
    return next;
  };
  int64_t rest = Nest.rowCount() - (Parts - 1) * PartRows;
  Values so = loadSums(block, K.index(0));
  if (Parts == 1)
    return so;
  so.push_back(splat(double(PartRows)));
  so = carry(K.index(1), K.index(Parts - 1), so,
             [&](Value part, ValueRange carried) {
               return join(carried, carried.back(), part, PartRows);
             });
  so = join(so, so.back(), K.index(Parts - 1), rest);
  so.pop_back();
  return so;
}

/// Returns mean and 1 / sqrt(variance + eps).
ColumnEmitter::Values ColumnEmitter::finishStatistics(const Block &block,
                                                      ArrayRef<Value> sums) {
  size_t each = vectors(block), next = 1;
  int64_t length = Nest.rowCount();
  Values means(sums.take_front(each)), variances, scales;
  for (Value squares : sums.drop_front(each)) {
    Value variance = divF(squares, splat(double(length)));
    variances.push_back(variance);
    scales.push_back(
        rsqrtF(addF(variance, splat(attribute<double>(Anchor, "eps")))));
  }
  if (attribute<bool>(Anchor, "stats")) {
    store(block, K.index(0), next++, means);
    store(block, K.index(0), next++, scales);
  }
  if (Anchor.operands.size() > 3) {
    RunningFactors factors = runningFactors(Anchor, length);
    auto move = [&](size_t number, ArrayRef<Value> batch, double factor) {
      Values running = loadParameter(block, number);
      for (auto [value, now] : llvm::zip_equal(running, batch))
        value =
            addF(mulF(value, splat(factors.stays)), mulF(now, splat(factor)));
      store(block, K.index(0), next++, running);
    };
    move(3, means, factors.mean);
    move(4, variances, factors.variance);
  }
  means.append(scales);
  return means;
}

void ColumnEmitter::applyNorm(const Block &block, Value low, Value high) {
  Values known = loadSums(block, Value());
  Values weights = loadParameter(block, 1), biases = loadParameter(block, 2);
  size_t each = vectors(block);
  K.loop(low, high, 1, [&](Value row) {
    Values values = load(block, row, 0);
    for (size_t i = 0; i != each; ++i) {
      Value normalised = mulF(subF(values[i], known[i]), known[each + i]);
      values[i] = fmaF(normalised, weights[i], biases[i]);
    }
    store(block, row, 0, values);
  });
}

} // namespace boo::compiler
