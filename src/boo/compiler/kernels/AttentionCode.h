//===- AttentionCode.h - What attention's emitters share --------*- C++ -*-===//
//
// Both directions hold some rows of one side of the scores in scratch, packed
// so that the lanes are rows, and walk over blocks of lines, the rows of the
// other side. Scores lie [line][row] there.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/VectorCode.h"
#include "boo/compiler/strategy/AttentionNest.h"
#include "boo/compiler/strategy/Schedule.h"

namespace boo::compiler {

class AttentionCode : protected VectorCode {
protected:
  using Side = AttentionNest::Side;
  using Outer = std::array<Value, 3>;

  /// Rows [first, first + count) of `extent`, in a tile of `Rows`.
  struct Tile {
    Outer outer;
    Value first, count;
    int64_t extent;
  };
  /// Lines [first, first + count), whole register tiles of them unless they
  /// are the last.
  struct Block {
    Value first, count;
  };
  /// Where tiles read an operand: strides in elements.
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

  AttentionCode(mlir::MLIRContext &context, AttentionNest nest,
                const Schedule &schedule, int64_t rows);

  // Places.
  /// Of tiles of `rows` for each place of the outer dimensions.
  std::vector<int64_t> gridOf(std::array<int64_t, 3> outer, int64_t rows) const;
  /// The tile at a place of that grid; `fromEnds`: see fromBothEnds.
  Tile place(const std::vector<Value> &at, int64_t rows, bool fromEnds);
  Value base(const Side &side, const Outer &outer);
  Value in(const Side &side);
  Value scratch(int64_t offset);
  int64_t room(int64_t elements); ///< a new place in scratch, in bytes
  int64_t pitch(int64_t columns) const;
  Value vectors(const Tile &at); ///< of rows
  Value stripes(const Tile &at); ///< register tiles of rows, along the lanes
  /// Of whole register tiles; lines from `end` on are not needed, those from
  /// `extent` on do not exist.
  Block blockOf(Value first, Value end, int64_t extent, int64_t step);
  /// The number of one of `count` tiles of which the last see most: taken in
  /// turn from both ends, neighbours, which one thread works on, have equal
  /// shares.
  Value fromBothEnds(Value number, int64_t count);

  /// Calls with the first of each vector of `columns` and its lanes in use.
  void forVectors(int64_t columns,
                  const std::function<void(Value, int64_t)> &body);
  /// Calls with the lanes of row vector `number` that are rows.
  void withLanes(const Tile &at, Value number,
                 const std::function<void(int64_t)> &body);
  /// Calls with the lines, of `extent`, of the register tile at `line`.
  void withLines(Value line, int64_t extent, int64_t step,
                 const std::function<void(int64_t)> &body);

  /// `vector` in the type that is computed in, times `scale`.
  Value scaled(Value vector, double scale);
  /// Rows times `scale`, [column][row] in `Rows`, zeros for rows past the last.
  void packLanes(const Side &side, const Tile &at, int64_t columns,
                 double scale, int64_t to);
  /// A copy of `count` rows from `from` on, widened, times `scale`.
  View copyRows(const Side &side, Value from, Value count, int64_t columns,
                int64_t pitch, int64_t to, double scale = 1);
  /// scores[line][row] = a's lines times the packed rows.
  void multiplyLanes(const Tile &at, const Block &block, int64_t extent,
                     const View &a, int64_t columns, int64_t packed,
                     int64_t scores);
  /// sums[row] += scores[line][row] * b[line], over the lines of a block.
  void addLines(const Tile &at, const Block &block, const View &b, bool exactB,
                int64_t columns, int64_t scores, int64_t sums,
                int64_t sumsPitch);
  /// Adds the mask from `source` on, strides of lines and rows, to scores.
  void addMaskTo(const Tile &at, const Block &block, int64_t scores,
                 Value source, int64_t lineStride, int64_t rowStride);
  /// Makes the scores of causal queries and keys behind them -inf.
  void hideUnseen(const Tile &at, const Block &block, int64_t scores,
                  bool linesAreKeys);
  void emitProduct(const Product &product);
  void fill(int64_t to, int64_t elements, double value);

  /// `values` in the lanes that compare so with `number`, else -inf.
  Value keepLanes(Value values, mlir::arith::CmpIPredicate lane, Value number);

  AttentionNest Nest;
  const AttentionProblem &P;
  Schedule S;
  int64_t Rows, PaddedRows; ///< of a tile; in whole register tiles
  int64_t ScratchBytes = 0;
};

} // namespace boo::compiler
