//===- WeightGradEmitter.h - Kernels of filter gradients --------*- C++ -*-===//
//
// Writes up to four dispatches. With scratch_input a grid tile goes through its
// part of the sum piece by piece: it copies what the tiles of its rows and
// lanes read (WeightGradScratch.cpp) and adds their products to sums that rest
// in the workspace; with merged taps it goes through all taps of the depth and
// the height with one copy (WeightGradWindows.cpp). Without, operands that
// tiles cannot read where they lie are packed: the lanes' one in blocks of
// channels, [block][batch][depth][height][width] [lanes], the rows' one as a
// widened copy. The main dispatch walks over parts of the sum, blocks of lanes,
// taps and rows: each register tile is one boo.brgemm whose batch loops are the
// pixels that its tap meets, so no padding is ever read. A depthwise tile holds
// the taps of a row: its loop along the row runs over the pixels that meet all
// of them, and those at the ends are added one by one. bf16 is multiplied in
// pairs of pixels, where the target has dot products: both operands are packed
// so, the input once for each tap of a row, with zeros for the padding at the
// row's ends. Where the sum has several pieces, or the filter's memory suits
// neither rows nor lanes, sums go to the workspace, and the last dispatch adds
// up the parts, in order, and transposes.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/strategy/WeightGradNest.h"

namespace boo::compiler {

class WeightGradEmitter {
public:
  WeightGradEmitter(mlir::MLIRContext &context, const Graph &group,
                    const Schedule &schedule);
  /// Whether the workspace has a size that a machine can hold.
  Status checkSizes() const;
  KernelModule emit();

private:
  using Side = WeightGradNest::Side;
  /// Where tiles read an operand: strides in elements of `type`.
  struct Placed {
    ArgField field = ArgField::In;
    int64_t slot = 0;
    mlir::Type type;
    int64_t group = 0, block = 0, channel = 0, outer = 0;
    int64_t tap = 0; ///< pairs: copies for the taps of a row
    std::array<int64_t, 3> spatial{0, 0, 0};
  };
  /// A dimension that a copy walks along.
  struct Dim {
    int64_t size, source, target; ///< strides in elements
  };
  /// What a grid tile's code needs to know of its place.
  struct Place {
    Value part, group, firstBlock, blocks;
    std::array<Value, 3> tap;
    std::array<Value, 4> first;    ///< of batch and pixels in scratch
    std::array<Value, 4> low, end; ///< of those that the tap meets
    std::array<Value, 4> count;    ///< from low to end
    Value firstTile, tiles;        ///< register tiles of rows
  };

  /// Register tile: `m` rows x `n` lanes, added to what is there if `more`.
  /// `pixels` of a row under all of its taps.
  struct Sums {
    int64_t m, n;
    bool more;
    int64_t pixels = 1;
  };

  Placed inPlace(const Side &side) const;
  /// Where a row's columns are read: that of column 0 is `base`.
  struct PairSource {
    Value buffer, base, low, high; ///< pairs [low, high)
    int64_t column = 0;
  };
  Placed packLanes(const Side &side);
  Placed copyRows(const Side &side);
  /// Pixels [low, high) of a run, `stride` apart, of `channels` channels.
  void packRun(const Side &side, Value from, Value to, Value low, Value high,
               int64_t stride, int64_t channels, Value target);
  void packSquare(Value source, Value from, int64_t channelStride,
                  int64_t channels, Value target, Value to);

  // WeightGradPairs.cpp
  /// [group][block][tap][batch][depth][height][pair][channel of the block][2]
  Placed packPairs(const Side &side, int64_t blockChannels);
  /// The columns of a side's row that pixel o of the output meets: those from
  /// o * `stride` + `first` on, up to `reach` further.
  struct Columns {
    int64_t stride, first, reach;
  };
  Columns columnsOf(const Side &side) const;
  /// Columns [low, high) of an image's row to scratch, channels last.
  void copyColumns(const Side &side, Value row, Value low, Value high,
                   int64_t pitch);
  void packRowOfPairs(const Side &side, const Placed &placed,
                      int64_t blockChannels, const PairSource &source,
                      Value to);

  // WeightGradScratch.cpp
  int64_t panelElements() const; ///< of a register tile's rows in scratch
  /// Whether tiles read a side from scratch: beside merged taps the gradient of
  /// the output may stay where it lies.
  bool copies(const Side &side) const;
  int64_t copiedElements(const Side &side) const;
  int64_t rowsAtScratch() const; ///< in bytes, behind the lanes
  int64_t placeAtScratch(const Side &side) const;
  int64_t scratchBytes() const;
  /// Copies the operands of a piece of the sum: blocks of lanes, [block][pixel]
  /// [lanes], and panels of rows, [tile][pixel][rows of a tile].
  void fillScratch(const Place &at);
  /// Channels of a side in panels of `width` for each pixel: `count` of `all`
  /// panels, from `first` on, `pitch` elements apart.
  struct Panels {
    Value first, count;
    int64_t all, width, pitch;
  };
  void fillPanels(const Side &side, const Place &at, const Panels &panels);
  /// Calls `body` with the address of each pixel's first channel and the
  /// pixel's place in scratch, in order.
  void forPixels(const Side &side, const Place &at,
                 const std::function<void(Value, Value)> &body);
  /// Pixels in scratch from one place along a dimension of the sum to the next.
  int64_t scratchStep(size_t i) const;
  void zeroSums(const Place &at);

  // WeightGradWindows.cpp
  /// Calls `body` for the taps that a grid tile goes through: its own, or all.
  void forTaps(const Place &at, const std::function<void(Place)> &body);
  /// Elements from one row, depth or image of the copied input to the next.
  int64_t windowStep(size_t i) const;
  int64_t windowElements() const;
  void fillWindows(const Place &at);
  void fillWindowRow(Value from, Value firstColumn, Value to);

  void emitMain();
  void emitTiles(const Place &at, bool more);
  /// Taps that are coordinates of the grid.
  std::array<int64_t, 3> gridTaps() const;
  Place place(Value tile);
  void enterPiece(Place &at, Value piece);
  /// Leaves of the piece what the tap meets.
  void meetTap(Place &at);
  Value address(const Side &side, const Placed &placed, const Place &at);
  /// Elements from one place along dimension `i` of the sum to the next.
  int64_t pixelStep(const Side &side, const Placed &placed, size_t i) const;
  /// Whether a piece has one place along dimension `i`, whatever the tap.
  bool isSinglePlace(size_t i) const;
  /// Register tile `j` of those of `at`, in block `i` of its blocks.
  struct TilePlace {
    Value i, j;
  };
  void emitTile(const Place &at, const TilePlace &tile, const Sums &sums);
  void emitSums(const Place &at, const TilePlace &tile, Value row,
                const Sums &sums);
  /// What a register tile reads of a side: where its first channel is, how far
  /// the next one, and the next pixel in each dimension of the sum.
  struct Operand {
    Value buffer, start;
    int64_t channel;
    std::array<int64_t, 4> step;
  };
  Operand operand(const Side &side, const Place &at, const TilePlace &tile,
                  Value row);
  Operand copied(const Side &side, const Place &at, const TilePlace &tile);
  /// Where the sums of a row of a block rest in the workspace.
  Value sumsAt(const Place &at, Value block, Value row);
  /// Element of the filter's gradient that a block's first lane and row 0 have.
  Value filterBase(Value group, Value block);
  void emitFinish();
  void finishSteps(Value from, Value to, Value low, Value high, int64_t n);
  /// Vectors of the partial sums at `at`, added up over the parts.
  llvm::SmallVector<Value> sumParts(llvm::ArrayRef<Value> at);

  /// Opens the next dispatch; a Schedule that says serial gets one tile.
  void dispatch(const char *name, const std::vector<int64_t> &grid,
                const std::function<void(const std::vector<Value> &)> &body);
  int64_t workspace(int64_t elements);
  int64_t argument(ValueId id) const;
  Value zeros(mlir::Type type);

  int64_t blocks() const;   ///< of lanes in a group
  int64_t rowTiles() const; ///< register tiles of rows
  int64_t parts() const { return Cut.parts(); }
  bool storesDirectly() const; ///< tiles write the filter's gradient
  bool holdsRowOfTaps() const; ///< a depthwise tile
  int64_t partElements() const;
  /// Steps of the last dispatch: taps and rows in the filter's memory order.
  std::vector<Dim> finishDims() const;

  const Graph &Group;
  Schedule S;
  WeightGradNest Nest;
  const ConvProblem &P;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  KernelBuilder K;
  mlir::Type Stored, Compute;
  int64_t Lanes, BlockChannels;
  const Side &LaneSide, &RowSide;
  int64_t Rows;
  WeightGradNest::Cut Cut;
  Placed LanesAt, RowsAt;
  int64_t PartialSlot = 0;
  KernelModule Result;
};

} // namespace boo::compiler
