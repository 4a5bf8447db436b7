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

#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/kernels/VectorCode.h"
#include "boo/compiler/strategy/AttentionNest.h"

namespace boo::compiler {

class AttentionEmitter : VectorCode {
public:
  AttentionEmitter(mlir::MLIRContext &context, const Graph &group,
                   const Schedule &schedule);
  KernelModule emit();

private:
  using Side = AttentionNest::Side;
  /// What a grid tile's code needs to know of its place.
  struct Place {
    std::array<Value, 3> outer;
    Value first, count; ///< rows
    Value keyEnd;       ///< keys behind it are seen by none of the rows
  };
  /// Keys [first, first + count), whole tiles of them unless they are the last.
  struct Block {
    Value first, count;
  };
  /// Where tiles read keys or values of a block: strides in elements.
  struct View {
    Value buffer, base;
    int64_t row, column;
  };
  /// One boo.brgemm, without tail, on which `c` has the computed type.
  struct Product {
    Value a, aAt, b, bAt, c, cAt;
    int64_t m, n, k;
    llvm::SmallVector<int64_t> aStrides, bStrides, cStrides;
    Value count; ///< of the batch loop, if there is one
    bool exactB = false, dot = false;
    int64_t accumulate = 0; ///< pitch of the sums in `c` that it goes on from
  };

  // The walk (AttentionEmitter.cpp).
  Place place(Value tile);
  void emitTile(const Place &at);
  Block block(const Place &at, Value first);
  Value base(const Side &side, const Place &at);
  Value in(const Side &side);
  Value vectors(const Place &at); ///< of rows
  Value stripes(const Place &at); ///< register tiles of rows, along the lanes
  void packQueries(const Place &at);
  void packRows(const Place &at);
  void clear();
  View copyRows(const Side &side, Value from, Value count, int64_t columns,
                int64_t pitch, int64_t scratch);
  View keys(const Place &at, const Block &block);
  View values(const Place &at, const Block &block);
  void emitScores(const Place &at, const Block &block);
  void emitDotScores(const Place &at, const Block &block);
  void scaleSums(const Place &at);
  void addValues(const Place &at, const Block &block);
  void finish(const Place &at);
  void emitProduct(const Product &product);
  /// Calls with the first of each vector of `columns` and its lanes in use.
  void forVectors(int64_t columns,
                  const std::function<void(Value, int64_t)> &body);
  /// Calls with the lanes of row vector `number` that are rows.
  void withLanes(const Place &at, Value number,
                 const std::function<void(int64_t)> &body);
  /// Calls with the keys of the tile at `key` of tiles of `step`.
  void withKeys(Value key, int64_t step,
                const std::function<void(int64_t)> &body);

  // Between the products (AttentionScores.cpp).
  void addMask(const Place &at, const Block &block);
  void addMaskAlongKeys(const Place &at, const Block &block);
  void hideFuture(const Place &at, const Block &block);
  void hideFutureAlongKeys(const Place &at, const Block &block);
  void weigh(const Place &at, const Block &block);
  void weighAlongKeys(const Place &at, const Block &block);
  /// `scores` where `number` (clamped) compares so with the lane's, else -inf.
  Value keepLanes(Value scores, mlir::arith::CmpIPredicate lane, Value number);
  /// Brings statistics at `row` up to date; `m` is the greatest score now.
  /// Returns the factor of what was summed before.
  Value rescaling(Value before, Value greatest);

  Value scratch(int64_t offset);
  Value statistic(int64_t which, Value row);
  int64_t scoreStride(bool alongKeys) const;
  int64_t keyStep() const; ///< keys of a register tile, or of a vector

  Schedule S;
  AttentionNest Nest;
  const AttentionProblem &P;
  int64_t Rows, PaddedRows; ///< of a grid tile; in whole register tiles
  int64_t KeyPitch, ValuePitch;
  // Byte offsets in scratch.
  int64_t QueriesAt = 0, ScoresAt = 0, SumsAt = 0, StatisticsAt = 0, KeysAt = 0,
          ValuesAt = 0, ScratchBytes = 0;
  /// Numbers of statistic().
  enum { Greatest, Sum, Factor };
};

} // namespace boo::compiler
