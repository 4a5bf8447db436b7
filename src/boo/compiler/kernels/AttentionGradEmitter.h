//===- AttentionGradEmitter.h - Kernels of attention gradients --*- C++ -*-===//
//
// Writes two dispatches, each of which computes the weights anew from the
// logarithms of their sums, block by block. In the first the rows of a tile are
// queries and the lines keys: it writes the gradient of q, and what each query
// has of dout . out to the workspace. In the second rows are keys and lines the
// queries of all heads that share them: it writes the gradients of k and v. So
// every sum has one order, whatever the threads.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/AttentionCode.h"
#include "boo/compiler/kernels/KernelModule.h"

namespace boo::compiler {

class AttentionGradEmitter : AttentionCode {
public:
  AttentionGradEmitter(mlir::MLIRContext &context, const Graph &group,
                       const Schedule &schedule);
  KernelModule emit();

private:
  void emitQueries(const Tile &at);
  void emitKeys(const Tile &at);
  /// Fills the statistics of a tile's queries.
  void readStatistics(const Tile &at);
  /// Lines of `side`, in place or copied to `to`.
  View lines(const Side &side, const Outer &outer, const Block &block,
             int64_t columns, int64_t to);
  void addMask(const Tile &at, const Block &block, const Side &lines,
               const Side &rows);
  /// Weights of the scores, and their gradients from products with dout:
  /// statistics(line, row) gives the logarithm of the sum and dout . out.
  void
  weigh(const Tile &at, const Block &block, bool keepWeights,
        const std::function<std::pair<Value, Value>(Value, Value)> &statistics);
  void store(const Tile &at, const Side &side, int64_t sums, int64_t columns,
             double scale);
  /// Where a query's dout . out lies in the workspace.
  Value deltaAt(const Outer &outer, Value query);
  Value finite(Value lse); ///< +inf for -inf: such a query has no weights

  // Byte offsets in scratch: packed rows, scores and their gradients, sums.
  int64_t FirstAt, SecondAt, OutAt, ScoresAt, GradientsAt, FirstSumsAt,
      SecondSumsAt, LseAt, DeltaAt, FirstCopyAt = 0, SecondCopyAt = 0;
};

} // namespace boo::compiler
