//===- RowEmitter.h - Kernels of norms, softmaxes, reductions ---*- C++ -*-===//
//
// And of those gradients that are as large as the input. Writes one dispatch,
// whose grid tiles are `w_chunk` rows, or vectors of rows. A row goes through a
// few passes, each a walk over its elements by `k_unroll` vectors a round:
// statistics first, results last, with the group's tail. With `dot` the lanes
// lie along the row, and a statistic is added up over them at the end of its
// pass; without it each lane is a row. With `m_tile` that many rows go through
// each pass together: one's sum over the lanes is made while others' elements
// are added, and what they share is loaded once. Rows that come in transposed,
// and exponentials, rest in scratch between the passes. With `k_chunk` the
// statistics of a long row are those of its chunks, joined. A reduction with
// `k_parts` folds each row in parts, which a second dispatch joins in order.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/kernels/LaneMath.h"
#include "boo/compiler/strategy/RowNest.h"

namespace boo::compiler {

class RowEmitter : LaneMath {
public:
  RowEmitter(KernelBuilder &builder, const Graph &group,
             const Schedule &schedule);
  /// Adds the dispatch to those that `kernel` has.
  void emit(KernelModule &kernel);

private:
  RowEmitter(KernelBuilder &builder, const Graph &group,
             const Schedule &schedule, RowNest nest);

  using Values = llvm::SmallVector<Value>;

  /// The rows that are worked on together.
  struct Unit {
    /// Offset in each operand of each row; of the first, with lanes over rows.
    std::vector<std::vector<Value>> base;
    int64_t count; ///< lanes that are rows, with lanes over rows
    Value number;  ///< among all rows, or vectors of rows: the first one's
  };
  using Pair = std::pair<Value, Value>;
  /// One value for each row of a unit.
  using Statistics = Values;
  using StatisticsPair = std::pair<Statistics, Statistics>;
  /// Some vectors of a row.
  struct Piece {
    Values at;       ///< coordinates of the first one's elements
    int64_t vectors; ///< next to each other along the last axis
    int64_t count;   ///< lanes in use
    /// The row, of a unit's, that vector `i` of its vectors is of.
    size_t rowOf(size_t i) const { return i / size_t(vectors); }
  };
  /// Steps [begin, begin + length) of a row's first axis; the others wholly.
  struct Range {
    Value begin;
    int64_t length;
  };
  using Body = std::function<void(const Piece &, llvm::MutableArrayRef<Value>)>;
  using Carry = std::function<Values(Value, mlir::ValueRange)>;

  // Rows and loops (RowEmitter.cpp).
  using RowBody = std::function<void(const Unit &)>;
  /// A dispatch that calls `row` for all units; with `parts` for all in each
  /// part of a row, with the part's number.
  void overUnits(const std::string &name, int64_t parts,
                 const std::function<void(Value part, const Unit &)> &row);
  /// Rows, or vectors of rows.
  int64_t unitCount() const;
  /// The unit of `rows` rows from a number on.
  void emitUnit(Value number, int64_t rows, const RowBody &row);
  void emitRow(const Unit &unit);
  Values carry(Value begin, int64_t trips, int64_t step, Values init,
               const Carry &body);
  Values walk(const Range &range, Values init, const Body &body);
  Values walkAxes(const Range &range, Values at, Values init, const Body &body);
  Values walkLast(const Range &range, const Values &at, Values init,
                  const Body &body);
  Range whole();

  // Operands. What is loaded or stored of a piece are its vectors of the unit's
  // first row, then those of the next.
  /// Where a row's piece of an operand starts, and its shape in memory.
  std::pair<Value, VectorBlock> place(const Unit &unit, size_t row,
                                      const Piece &piece, size_t operand);
  llvm::SmallVector<Value> loadRaw(const Unit &unit, const Piece &piece,
                                   size_t operand);
  Values load(const Unit &unit, const Piece &piece, size_t operand);
  void store(const Unit &unit, const Piece &piece, size_t operand,
             llvm::ArrayRef<Value> values);
  Values loadScratch(const Unit &unit, const Piece &piece);
  void storeScratch(const Unit &unit, const Piece &piece,
                    llvm::ArrayRef<Value> values);
  std::pair<Value, VectorBlock> scratchPlace(size_t row, const Piece &piece);
  /// Stores `results` of the anchor, after the tail.
  void finish(const Unit &unit, const Piece &piece,
              llvm::ArrayRef<Value> results);
  /// One value a row.
  Piece statisticPiece(const Unit &unit);
  /// That of an operand, in every lane: the row's, or each its row's.
  Statistics loadStatistic(const Unit &unit, size_t operand);
  /// For each row what `make` gives for its number.
  static Statistics forRows(const Unit &unit,
                            const std::function<Value(size_t row)> &make);
  /// Of the anchor's operand `number`, among the nest's.
  size_t operand(size_t number) const;

  // What is computed (RowPasses.cpp).
  void emitNorm(const Unit &unit);
  /// Stores mean and 1 / sqrt(variance + eps) and moves the running mean and
  /// variance towards these, as far as they are among the results.
  void storeNormStatistics(const Unit &unit, const Statistics &mean,
                           const Statistics &variance, const Statistics &scale);
  void emitNormGrad(const Unit &unit);
  void emitSoftmax(const Unit &unit);
  void emitSoftmaxGrad(const Unit &unit);
  /// Statistics of a range, all in every lane: the row's, or each its row's.
  StatisticsPair normStatistics(const Unit &unit, const Range &range);
  StatisticsPair softmaxStatistics(const Unit &unit, const Range &range);
  /// Those of whole rows, chunk by chunk: `join` takes a row's so far, those of
  /// a chunk, and how many elements both stand for.
  StatisticsPair
  overChunks(const std::function<StatisticsPair(const Range &)> &statistics,
             const std::function<Pair(Pair, Value, Pair, int64_t)> &join);
  enum class Fold { Add, Multiply, Greatest, Maximum, Minimum };
  /// One pass: folds each of `count` quantities (for each row one or more), of
  /// which `terms` gives vector after vector for a piece, those of the first
  /// quantity first.
  Values foldPieces(const Range &range, Fold fold, size_t count,
                    const std::function<Values(const Piece &)> &terms);
  /// The same for what `element` makes of each element of a row.
  Statistics foldRow(const Unit &unit, const Range &range, Fold fold,
                     bool first,
                     const std::function<Value(size_t row, Value)> &element,
                     bool keepElement = false);
  Value fold(Fold fold, Value a, Value b);
  double neutral(Fold fold) const;
  Value foldLanes(Fold fold, llvm::ArrayRef<Value> values);
  /// The row's elements as a pass after the first sees them.
  Values again(const Unit &unit, const Piece &piece);
  /// Asks for what rows further on have in a piece's place.
  void prefetchRow(const Unit &unit, const Piece &piece);

  // Reductions (RowReduce.cpp).
  void emitReduce(const Unit &unit);
  void emitParts();
  Fold reduceFold() const;
  /// What the elements of a range come to.
  Value reduceRange(const Unit &unit, const Range &range);
  /// What is made of that at the end, after the tail.
  void finishReduce(const Unit &unit, Value folded);
  /// Where the fold of a unit's part lies in the workspace.
  Value partOffset(Value part, const Unit &unit);

  // Indices of elements (RowArgReduce.cpp).
  void emitArgReduce(const Unit &unit);
  mlir::VectorType indexVector();
  /// Numbers of the elements of a piece's vector `u`, within their rows.
  Value indicesOf(const Piece &piece, int64_t u);
  /// Whether value and index `b` are meant rather than `a`; `ordered`: b's
  /// elements stand behind a's.
  Value beats(Pair b, Pair a, bool ordered);
  Pair better(Pair a, Pair b, bool ordered);

  const Graph &Group;
  const Node &Anchor;
  Schedule S;
  RowNest Nest;
  KernelModule *Kernel = nullptr; ///< what emit() adds to
};

} // namespace boo::compiler
