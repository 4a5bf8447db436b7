//===- AttentionEmitter.cpp - The walk over blocks of keys ----------------===//

#include "boo/compiler/kernels/AttentionEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

AttentionEmitter::AttentionEmitter(MLIRContext &context, const Graph &group,
                                   const Schedule &schedule)
    : AttentionCode(context, makeAttentionNest(group), schedule,
                    schedule.dot
                        ? makeAttentionNest(group).rows
                        : schedule.wChunk * makeAttentionNest(group).lanes(
                                                schedule.vectorBits)) {
  KeyPitch = pitch(P.depth);
  ValuePitch = pitch(P.valueDepth);
  QueriesAt = room(S.dot ? Rows * KeyPitch : P.depth * Rows);
  // Register tiles of rows may reach past the last one.
  ScoresAt = room(S.kChunk * Rows + (S.dot ? 0 : PaddedRows - Rows));
  SumsAt = room(PaddedRows * ValuePitch);
  StatisticsAt = room(3 * Rows);
  if (S.scratchInput)
    KeysAt = room(S.kChunk * KeyPitch);
  if (!S.filterInPlace)
    ValuesAt = room(S.kChunk * ValuePitch);
}

KernelModule AttentionEmitter::emit() {
  KernelModule kernel;
  addDispatch(K, kernel, "attention", gridOf(Nest.outer, Nest.rows), S.serial,
              [&](const std::vector<Value> &tile) {
                emitTile(place(tile, Nest.rows, Nest.isCausal()));
              });
  kernel.scratchBytes = ScratchBytes;
  kernel.module = std::move(Module);
  return kernel;
}

Value AttentionEmitter::statistic(int64_t which, Value row) {
  return K.add(row, which * Rows);
}

void AttentionEmitter::emitTile(const Tile &at) {
  if (S.dot)
    copyRows(Nest.q, K.add(base(Nest.q, at.outer), K.mul(at.first, Nest.q.row)),
             at.count, P.depth, KeyPitch, QueriesAt, P.scale);
  else
    packLanes(Nest.q, at, P.depth, P.scale, QueriesAt);
  clear();
  Value end = K.index(Nest.keys());
  if (Nest.isCausal())
    end = K.min(end, K.add(at.first, at.count));
  K.loop(K.index(0), end, S.kChunk, [&](Value first) {
    Block block = blockOf(first, end, Nest.keys(), S.dot ? Lanes : S.mTile);
    if (S.dot)
      emitDotScores(at, block);
    else
      multiplyLanes(at, block, Nest.keys(), keys(at, block), P.depth, QueriesAt,
                    ScoresAt);
    if (P.hasMask)
      addMask(at, block);
    if (Nest.isCausal())
      hideFuture(at, block);
    weigh(at, block);
    scaleSums(at);
    addLines(at, block, values(at, block), S.filterInPlace, P.valueDepth,
             ScoresAt, SumsAt, ValuePitch);
  });
  finish(at);
}

void AttentionEmitter::clear() {
  double lowest = P.accType == DType::F64
                      ? std::numeric_limits<double>::lowest()
                      : std::numeric_limits<float>::lowest();
  fill(SumsAt, PaddedRows * ValuePitch, 0);
  auto scalar = [&](double value) {
    return arith::ConstantOp::create(K.builder(), K.loc(),
                                     K.builder().getFloatAttr(Element, value));
  };
  Value low = scalar(lowest), none = scalar(0);
  K.loop(K.index(0), K.index(Rows), 1, [&](Value row) {
    K.store(low, scratch(StatisticsAt), statistic(Greatest, row));
    K.store(none, scratch(StatisticsAt), statistic(Sum, row));
  });
}

AttentionEmitter::View AttentionEmitter::keys(const Tile &at,
                                              const Block &block) {
  Value from = K.add(base(Nest.k, at.outer), K.mul(block.first, Nest.k.row));
  if (S.scratchInput)
    return copyRows(Nest.k, from, block.count, P.depth, KeyPitch, KeysAt);
  return {in(Nest.k), from, Nest.k.row, Nest.k.column};
}

AttentionEmitter::View AttentionEmitter::values(const Tile &at,
                                                const Block &block) {
  Value from = K.add(base(Nest.v, at.outer), K.mul(block.first, Nest.v.row));
  if (!S.filterInPlace)
    return copyRows(Nest.v, from, block.count, P.valueDepth, ValuePitch,
                    ValuesAt);
  return {in(Nest.v), from, Nest.v.row, 1};
}

void AttentionEmitter::emitDotScores(const Tile &at, const Block &block) {
  View k = keys(at, block);
  if (int64_t rest = Nest.keys() % Lanes) {
    // What fills up the last vector of keys is seen by no row.
    Value last = K.sub(K.index(Nest.keys() - rest), block.first);
    Value nothing = splat(-std::numeric_limits<double>::infinity());
    Value end = K.add(block.first, block.count);
    K.ifThen(K.equal(end, Nest.keys()), [&] {
      K.loop(K.index(0), at.count, 1, [&](Value row) {
        storeVector(nothing, scratch(ScoresAt),
                    K.add(K.mul(row, S.kChunk), last));
      });
    });
  }
  K.loop(K.index(0), block.count, S.nVectors, [&](Value key) {
    withLines(K.add(block.first, key), Nest.keys(), S.nVectors, [&](int64_t n) {
      Product product;
      product.a = scratch(QueriesAt);
      product.aAt = K.index(0);
      product.b = k.buffer;
      product.bAt = K.add(k.base, K.mul(key, k.row));
      product.c = scratch(ScoresAt);
      product.cAt = key;
      product.m = Rows;
      product.n = n;
      product.k = P.depth;
      product.aStrides = {KeyPitch, 0, 1};
      product.bStrides = {k.row, 1};
      product.cStrides = {S.kChunk, 1};
      product.exactB = product.dot = true;
      emitProduct(product);
    });
  });
}

/// What was summed under another greatest score.
void AttentionEmitter::scaleSums(const Tile &at) {
  Value sums = scratch(SumsAt);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    Value factor =
        broadcast(K.load(scratch(StatisticsAt), statistic(Factor, row)));
    Value from = K.mul(row, ValuePitch);
    forVectors(P.valueDepth, [&](Value column, int64_t) {
      Value place = K.add(from, column);
      storeVector(mulF(loadVector(sums, place), factor), sums, place);
    });
  });
}

/// Divides by the sums of exponentials; rows that see nothing are zeros.
void AttentionEmitter::finish(const Tile &at) {
  Type stored = K.type(P.dtype);
  Value to = K.add(base(Nest.out, at.outer), K.mul(at.first, Nest.out.row));
  Value zero = splat(0);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    auto read = [&](int64_t which) {
      return broadcast(K.load(scratch(StatisticsAt), statistic(which, row)));
    };
    Value sum = read(Sum);
    Value nothing = arith::CmpFOp::create(K.builder(), K.loc(),
                                          arith::CmpFPredicate::OEQ, sum, zero);
    Value target = K.add(to, K.mul(row, Nest.out.row));
    forVectors(P.valueDepth, [&](Value column, int64_t lanes) {
      Value value =
          loadVector(scratch(SumsAt), K.add(K.mul(row, ValuePitch), column));
      value = arith::SelectOp::create(K.builder(), K.loc(), nothing, zero,
                                      divF(value, sum));
      storeBlock(K.builder(), K.loc(), K.convert(value, stored),
                 K.buffer(ArgField::Out, Nest.out.slot, stored),
                 K.add(target, K.mul(column, Nest.out.column)),
                 {1, Lanes, lanes, 0, Nest.out.column});
    });
    if (P.logsumexp)
      storeBlock(K.builder(), K.loc(), addF(read(Greatest), logF(sum)),
                 K.buffer(ArgField::Out, Nest.lse.slot, Element),
                 K.add(base(Nest.lse, at.outer),
                       K.mul(K.add(at.first, row), Nest.lse.row)),
                 {1, Lanes, 1, 0, 1});
  });
}

StatusOr<KernelModule> emitAttention(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule) {
  return AttentionEmitter(context, group, schedule).emit();
}

} // namespace boo::compiler
