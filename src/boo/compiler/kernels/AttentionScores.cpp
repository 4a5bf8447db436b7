//===- AttentionScores.cpp - From a block's scores to weights -------------===//
//
// The greatest score of a row may ignore NaNs: they come back in the sum. It
// starts as the lowest finite number, so that what is infinitely small never
// meets itself in a difference.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/kernels/AttentionEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace boo::compiler {

//===----------------------------------------------------------------------===//
// Lanes over queries
//===----------------------------------------------------------------------===//

void AttentionEmitter::addMask(const Tile &at, const Block &block) {
  if (S.dot)
    return addMaskAlongKeys(at, block);
  Value source = K.add(base(Nest.mask, at.outer),
                       K.add(K.mul(at.first, Nest.mask.row),
                             K.mul(block.first, Nest.mask.column)));
  addMaskTo(at, block, ScoresAt, source, Nest.mask.column, Nest.mask.row);
}

void AttentionEmitter::hideFuture(const Tile &at, const Block &block) {
  if (S.dot)
    return hideFutureAlongKeys(at, block);
  hideUnseen(at, block, ScoresAt, /*linesAreKeys=*/true);
}

void AttentionEmitter::weigh(const Tile &at, const Block &block) {
  if (S.dot)
    return weighAlongKeys(at, block);
  Value scores = scratch(ScoresAt), statistics = scratch(StatisticsAt);
  auto width = size_t(S.nVectors);
  // Rounds of as many keys as hide the latency of a comparison.
  constexpr int64_t round = 4;
  Value whole = K.mul(K.builder().createOrFold<arith::DivUIOp>(
                          K.loc(), block.count, K.index(round)),
                      round);
  K.loop(K.index(0), stripes(at), 1, [&](Value stripe) {
    Value row = K.mul(stripe, S.nVectors * Lanes);
    auto place = [&](Value key, size_t v) {
      return K.add(K.mul(key, Rows), K.add(row, int64_t(v) * Lanes));
    };
    auto greatestOf = [&](int64_t keys) {
      return [&, keys](Value key, ValueRange carried) {
        Values next(carried);
        for (int64_t i = 0; i != keys; ++i)
          for (size_t v = 0; v != width; ++v) {
            Value &most = next[size_t(i) * width + v];
            most = fold(Fold::Greatest, most,
                        loadVector(scores, place(K.add(key, i), v)));
          }
        return next;
      };
    };
    Values before;
    for (size_t v = 0; v != width; ++v)
      before.push_back(loadVector(
          statistics, statistic(Greatest, K.add(row, int64_t(v) * Lanes))));
    Values most;
    for (int64_t i = 0; i != round; ++i)
      most.append(before);
    most = carry(K.index(0), whole, round, most, greatestOf(round));
    Values greatest;
    for (size_t v = 0; v != width; ++v) {
      Values all;
      for (size_t i = 0; i != size_t(round); ++i)
        all.push_back(most[i * width + v]);
      greatest.push_back(foldAll(Fold::Greatest, all));
    }
    greatest = carry(whole, block.count, 1, greatest, greatestOf(1));
    Values sums(width, splat(0));
    sums = carry(K.index(0), block.count, 1, sums,
                 [&](Value key, ValueRange carried) {
                   Values next(carried);
                   for (size_t v = 0; v != width; ++v) {
                     Value weight = expOfNonPositive(
                         subF(loadVector(scores, place(key, v)), greatest[v]));
                     storeVector(weight, scores, place(key, v));
                     next[v] = addF(next[v], weight);
                   }
                   return next;
                 });
    for (size_t v = 0; v != width; ++v) {
      Value first = K.add(row, int64_t(v) * Lanes);
      Value factor = expOfNonPositive(subF(before[v], greatest[v]));
      Value sum = loadVector(statistics, statistic(Sum, first));
      storeVector(fmaF(sum, factor, sums[v]), statistics,
                  statistic(Sum, first));
      storeVector(greatest[v], statistics, statistic(Greatest, first));
      storeVector(factor, statistics, statistic(Factor, first));
    }
  });
}

//===----------------------------------------------------------------------===//
// Lanes along keys
//===----------------------------------------------------------------------===//

void AttentionEmitter::addMaskAlongKeys(const Tile &at, const Block &block) {
  Value scores = scratch(ScoresAt);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    Value from = K.add(base(Nest.mask, at.outer),
                       K.mul(K.add(at.first, row), Nest.mask.row));
    K.loop(K.index(0), block.count, Lanes, [&](Value key) {
      Value number = K.add(block.first, key);
      Value place = K.add(K.mul(row, S.kChunk), key);
      withLines(number, Nest.keys(), Lanes, [&](int64_t lanes) {
        Value mask = loadBlock(K.builder(), K.loc(), in(Nest.mask),
                               K.add(from, K.mul(number, Nest.mask.column)),
                               {1, Lanes, lanes, 0, Nest.mask.column})[0];
        Value sum = addF(loadVector(scores, place), K.convert(mask, Element));
        // Lanes past the last key stay as they are.
        storeVector(lanes == Lanes ? sum
                                   : keepLanes(sum, arith::CmpIPredicate::slt,
                                               K.index(lanes)),
                    scores, place);
      });
    });
  });
}

void AttentionEmitter::hideFutureAlongKeys(const Tile &at, const Block &block) {
  Value scores = scratch(ScoresAt);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    Value seen = K.add(K.add(at.first, row), 1);
    K.loop(K.index(0), block.count, Lanes, [&](Value key) {
      Value place = K.add(K.mul(row, S.kChunk), key);
      Value count = K.sub(seen, K.add(block.first, key));
      storeVector(keepLanes(loadVector(scores, place),
                            arith::CmpIPredicate::slt, count),
                  scores, place);
    });
  });
}

void AttentionEmitter::weighAlongKeys(const Tile &at, const Block &block) {
  Value scores = scratch(ScoresAt), statistics = scratch(StatisticsAt);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    auto statisticOf = [&](int64_t which) {
      return broadcast(K.load(statistics, statistic(which, row)));
    };
    auto set = [&](int64_t which, Value value) {
      K.store(vector::ExtractOp::create(K.builder(), K.loc(), value, 0),
              statistics, statistic(which, row));
    };
    auto place = [&](Value key) { return K.add(K.mul(row, S.kChunk), key); };
    Value before = statisticOf(Greatest);
    Value greatest = carry(K.index(0), block.count, Lanes, {before},
                           [&](Value key, ValueRange carried) -> Values {
                             return {fold(Fold::Greatest, carried[0],
                                          loadVector(scores, place(key)))};
                           })[0];
    greatest = foldLanes(Fold::Greatest, greatest);
    Value sum = carry(K.index(0), block.count, Lanes, {splat(0)},
                      [&](Value key, ValueRange carried) -> Values {
                        Value weight = expOfNonPositive(
                            subF(loadVector(scores, place(key)), greatest));
                        storeVector(weight, scores, place(key));
                        return {addF(carried[0], weight)};
                      })[0];
    Value factor = expOfNonPositive(subF(before, greatest));
    set(Sum, fmaF(statisticOf(Sum), factor, foldLanes(Fold::Add, sum)));
    set(Greatest, greatest);
    set(Factor, factor);
  });
}

} // namespace boo::compiler
