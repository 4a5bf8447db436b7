//===- WinogradEmitter.h - 3x3 convolutions in Winograd tiles ---*- C++ -*-===//
//
// Writes two or three dispatches. The first transforms the filter: for each
// block of output channels [frequency][depth tap][channel][lane]. The second,
// for inputs whose channels are far apart, copies them to a padded
// channels-last array. The last walks over strips of `w_chunk` x `m_tile` tiles
// of output, in the order batch, depth, row, column: it transforms the strip's
// input to scratch, [frequency][tile][depth tap][channel]; multiplies for each
// of `n_chunk` blocks and each frequency by boo.brgemm,
// [frequency][tile][lane]; and transforms the products to outputs, with the
// tail. Nothing of a whole tensor's size is in between.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/ops/conv/Winograd.h"

namespace boo::compiler {

class WinogradEmitter {
public:
  WinogradEmitter(mlir::MLIRContext &context, const Graph &group, ConvNest nest,
                  const Schedule &schedule, const EmitOptions &options);
  /// Whether scratch and workspace have sizes that a machine can hold.
  Status checkSizes() const;
  KernelModule emit();

private:
  /// What a grid tile of the last dispatch works on.
  struct Strip {
    Value group, firstBlock, blocks; ///< of output channels
    Value firstTile, tiles;          ///< of output
    Value firstRound, rounds;        ///< of `m_tile` tiles
  };
  /// Where a tile of output lies; row and column are those of its first output.
  struct TilePlace {
    Value batch, depth, row, column, tileColumn;
  };
  /// The input of a tile: its first row and column, which may lie outside, and
  /// the address of row and column 0.
  struct InputView {
    Value buffer, base, row, column;
    int64_t rowStride, columnStride;
  };

  void emitFilter(int64_t dispatch);
  void emitCopy(int64_t dispatch);
  void emitMain(int64_t dispatch);
  Strip strip(Value gridTile);
  TilePlace place(Value tile);

  // WinogradInput.cpp
  void copyRow(Value from, Value to);
  void transformInput(const Strip &strip);
  /// From the input plane `depth`, which exists.
  void transformPlane(const Strip &strip, const TilePlace &at, Value depth,
                      Value target);
  void zeroPlane(Value target);
  InputView viewInput(const Strip &strip, const TilePlace &at, Value depth);
  /// Of the lanes from `channel` on `lanes` exist. An unchecked tile lies
  /// inside of the input.
  void transformInputVector(const InputView &view, Value channel, Value target,
                            int64_t lanes, bool checked);
  /// 0 <= first and first + count <= size
  Value isInside(Value first, int64_t count, int64_t size);

  void multiply(const Strip &strip, Value block, int64_t n);
  void emitProduct(Value a, Value b, Value c, int64_t m, int64_t n);

  // WinogradOutput.cpp
  void transformOutput(const Strip &strip, Value block, int64_t n);
  void transformOutputVector(Value source, Value channel, const TilePlace &at,
                             int64_t lanes, int64_t columns);
  void storeRow(const std::vector<Value> &pixels, Value row, Value channel,
                const TilePlace &at, int64_t lanes);

  /// Elements of a tail operand; `block` gives its strides.
  llvm::SmallVector<Value> loadOperand(const TailOperand &tail, Value from,
                                       VectorBlock block);

  /// `matrix` times a column of vectors, in as few operations as its symmetry
  /// allows.
  std::vector<Value> apply(const SmallMatrix &matrix,
                           const std::vector<Value> &column);
  Value sum(const std::vector<std::pair<double, Value>> &terms);
  Value multiplyAdd(double factor, Value a, Value b);
  Value splat(double value);

  Value loadVector(Value buffer, Value at);
  void storeVector(Value vector, Value buffer, Value at);
  Value scratch(int64_t elements);
  Value copyBuffer();

  int64_t argument(ValueId id) const;
  std::optional<int64_t> serialTiles(int64_t tiles) const;
  // Numbers of things, and distances in elements.
  int64_t blocks() const;        ///< of output channels in a group
  int64_t filterVectors() const; ///< of output channels in a group
  int64_t rounds() const;        ///< of `m_tile` tiles in the whole output
  int64_t stripTiles() const { return S.wChunk * S.mTile; }
  std::vector<int64_t> gridSizes() const;
  int64_t inputPitch() const;      ///< from a tile to the next in scratch
  int64_t inputFrequency() const;  ///< from a frequency to the next in scratch
  int64_t outputFrequency() const; ///< the same of the products
  int64_t filterFrequency() const; ///< the same of the transformed filter
  int64_t filterElements() const, copyElements() const, scratchElements() const;
  int64_t productsAt() const, temporariesAt() const,
      gatheredAt() const; ///< in scratch
  int64_t copyPitch() const, copyRows() const, copyColumns() const;

  const Graph &Group;
  Schedule S;
  ConvNest Nest;
  const ConvProblem &P;
  const WinogradTransform &T;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  KernelBuilder K;
  mlir::Type F32;
  int64_t Lanes, BlockChannels;
  mlir::VectorType Vector;
  int64_t TilesH, TilesW, Tiles;
  int64_t Terms; ///< products in a sum: channels, for each tap in depth
  ArgField FilterField;
};

} // namespace boo::compiler
