//===- AttentionEmitter.h - Kernels of attentions ---------------*- C++ -*-===//
//
// Writes one dispatch, whose grid tiles are `w_chunk` vectors of queries that
// share keys. A tile walks over blocks of `k_chunk` keys: their scores, by
// boo.brgemm, rest in worker scratch; each row's greatest score and sum of
// exponentials are brought up to date, what was summed before is scaled anew,
// and the exponentials times the values are added, by boo.brgemm. At the end
// rows are divided by their sums, rounded once and stored. So no matrix of all
// scores is ever in memory.
//
// Scores lie keys by queries, lanes over queries: the keys are read in place as
// the product's rows, the queries, scaled, are packed once a tile, and the
// statistics of a row stay in its lane. With `dot`, for few queries, scores lie
// queries by keys: a key is read along its elements.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/AttentionCode.h"
#include "boo/compiler/kernels/KernelModule.h"

namespace boo::compiler {

class AttentionEmitter : AttentionCode {
public:
  AttentionEmitter(mlir::MLIRContext &context, const Graph &group,
                   const Schedule &schedule);
  KernelModule emit();

private:
  // The walk (AttentionEmitter.cpp).
  void emitTile(const Tile &at);
  void clear();
  View keys(const Tile &at, const Block &block);
  View values(const Tile &at, const Block &block);
  void emitDotScores(const Tile &at, const Block &block);
  void scaleSums(const Tile &at);
  void finish(const Tile &at);

  // Between the products (AttentionScores.cpp).
  void addMask(const Tile &at, const Block &block);
  void hideFuture(const Tile &at, const Block &block);
  void weigh(const Tile &at, const Block &block);
  // The same with lanes along the keys.
  void addMaskAlongKeys(const Tile &at, const Block &block);
  void hideFutureAlongKeys(const Tile &at, const Block &block);
  void weighAlongKeys(const Tile &at, const Block &block);

  /// Numbers of statistic(): a row's greatest score, the sum of exponentials,
  /// and the factor of what was summed before the last block.
  enum { Greatest, Sum, Factor };
  Value statistic(int64_t which, Value row);

  int64_t KeyPitch, ValuePitch;
  // Byte offsets in scratch.
  int64_t QueriesAt, ScoresAt, SumsAt, StatisticsAt, KeysAt = 0, ValuesAt = 0;
};

} // namespace boo::compiler
