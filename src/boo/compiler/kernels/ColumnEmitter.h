//===- ColumnEmitter.h - Sums over rows, for each column --------*- C++ -*-===//
//
// Gradients of a norm's weight and bias, and batch norms whose channels lie
// side by side. One dispatch has the lanes of `n_vectors` vectors over columns
// and walks down the rows; these are cut into `k_parts` parts, whose sums go to
// the workspace, and a second dispatch joins the parts in order: the bits do
// not depend on threads. A batch norm has a third, which goes over all elements
// with what the second left in the workspace, `w_chunk` rows of `n_chunk`
// blocks a grid tile: one block all the way down, or, of tensors that come from
// beyond the caches, row by row.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/kernels/LaneMath.h"
#include "boo/compiler/strategy/RowNest.h"

namespace boo::compiler {

class ColumnEmitter : LaneMath {
public:
  ColumnEmitter(KernelBuilder &builder, const Graph &group,
                const Schedule &schedule);
  /// Adds the dispatches to those that `kernel` has.
  void emit(KernelModule &kernel);

private:
  ColumnEmitter(KernelBuilder &builder, const Graph &group,
                const Schedule &schedule, RowNest nest);

  using Values = llvm::SmallVector<Value>;
  using Carry = std::function<Values(Value, mlir::ValueRange)>;

  /// A block of columns next to each other along the last axis.
  struct Block {
    Value number;            ///< among all blocks
    std::vector<Value> base; ///< its first column in each operand
    int64_t columns;
  };

  // Blocks, loops and operands (ColumnEmitter.cpp).
  /// Calls with the block at `coordinates` of blockGrid().
  void withBlock(llvm::ArrayRef<Value> coordinates,
                 const std::function<void(const Block &)> &body);
  std::vector<int64_t> blockGrid() const;
  int64_t blocks() const; ///< along the last axis
  int64_t blockCount() const;
  size_t vectors(const Block &block) const;
  /// A dispatch over pieces of `rows` rows each, and blocks.
  void dispatchPieces(KernelModule &kernel, const char *name, int64_t rows,
                      const std::function<void(const Block &, Value number,
                                               Value low, Value high)> &body);
  /// Over ranges of `rows` rows, numbered, and places of `grid`.
  void
  dispatchRanges(KernelModule &kernel, const char *name, int64_t rows,
                 std::vector<int64_t> grid,
                 const std::function<void(Value number, Value low, Value high,
                                          llvm::ArrayRef<Value> place)> &body);
  /// The same as dispatchPieces with `n_chunk` blocks a grid tile, row by row.
  void dispatchRows(
      KernelModule &kernel, const char *name,
      const std::function<void(const Block &, Value low, Value high)> &body);
  Values carry(Value low, Value high, Values init, const Carry &body);
  /// Vectors of an operand: of its row `row`, or of what has no rows.
  Values load(const Block &block, Value row, size_t number);
  Values loadParameter(const Block &block, size_t number);
  Values loadVectors(Value buffer, Value at, int64_t stride, int64_t columns);
  void store(const Block &block, Value row, size_t result,
             llvm::ArrayRef<Value> values);
  Value rowOffset(Value row, size_t operand);
  /// Of the workspace: quantities of part `part`, or of all (null).
  Values loadSums(const Block &block, Value part);
  void storeSums(const Block &block, Value part, llvm::ArrayRef<Value> sums);
  Value sumsOffset(const Block &block, Value part, size_t quantity);

  // What is computed (ColumnPasses.cpp).
  /// Two quantities of the rows from `low` on, below `high`.
  Values partSums(const Block &block, Value low, Value high);
  Values gradientTerms(const Block &block, Value row);
  Values statistics(const Block &block, Value low, Value high);
  Values joinGradients(const Block &block);
  Values joinStatistics(const Block &block);
  /// Results that have one value a column; returns what the third dispatch
  /// needs to know.
  Values finishGradients(const Block &block, llvm::ArrayRef<Value> sums);
  Values finishStatistics(const Block &block, llvm::ArrayRef<Value> sums);
  void applyNorm(const Block &block, Value low, Value high);
  void applyGradient(const Block &block, Value low, Value high);

  const Graph &Group;
  const Node &Anchor;
  Schedule S;
  RowNest Nest;
  int64_t BlockColumns, PartRows, Parts;
  bool WholeNorm; ///< a batch norm or its gradient
  bool SumsWeight = true, SumsBias = true;
  size_t Quantities = 2;
  int64_t Partial = 0, Joined = 0; ///< slots of the workspace
};

} // namespace boo::compiler
