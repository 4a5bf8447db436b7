//===- ConvEmitter.h - Kernels of implicit products -------------*- C++ -*-===//
//
// Writes two dispatches for a nest. The first packs the filter: blocks of
// output channels, each [depth tap][height tap][width tap][channel][lanes],
// widened to the type that is computed in, padded with zeros; a filter that
// tiles can read where it lies goes without. The second walks over rows of
// output: a grid tile is a row's piece of `w_chunk` register tiles for
// `n_chunk` blocks of channels, and each register tile is one boo.brgemm. Taps
// above and below the input are skipped by the batch counts; taps left and
// right of it meet zeros in a scratch copy of the rows. A kernel may hold
// several nests one after the other, each with its own dispatches and part of
// the workspace.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/strategy/ConvNest.h"

namespace boo::compiler {

class ConvEmitter {
public:
  /// Of one nest of `group`; the functions go to the builder's module.
  ConvEmitter(KernelBuilder &builder, const Graph &group, ConvNest nest,
              const Schedule &schedule, const EmitOptions &options);
  /// Whether scratch and packed filter have sizes that a machine can hold.
  Status checkSizes() const;
  /// Adds the nest's dispatches to those that `kernel` has, behind them.
  void emit(KernelModule &kernel);
  /// From now on rows of input are not copied to scratch but computed there:
  /// `rows` rows of the output of `first`, a depthwise nest, are one row of
  /// this nest's input. Only the packed filter of `first` is then a dispatch of
  /// its own. Both have one builder, and `first` lives as long as this.
  void feedFrom(ConvEmitter &first, int64_t rows);

private:
  /// What a grid tile's code needs to know of its place.
  struct Place {
    Value group, chunk, batch, piece;
    std::vector<Value> groups; ///< `group` as an index of groupSizes
    Value firstRow, rows;      ///< of output, in height
    std::array<Value, 2> row;  ///< output depth and height: the one at hand
    std::array<Value, 2> low,
        count;                ///< first tap inside the input, and how many
    Value firstBlock, blocks; ///< of output channels
    Value firstTile, tiles;   ///< register tiles along the row
  };
  /// Reduction steps that a walk over blocks and tiles takes: [first, first +
  /// steps), the last ones or not.
  struct Pass {
    Value first;
    int64_t steps;
    bool last;
  };
  /// Pixels of a row that one register tile computes, from the taps
  /// [lowTap, lowTap + taps) of a row of the filter.
  struct Strip {
    Value first;   ///< of the row's pixels
    Value inPiece; ///< the same, counted from the piece's first tile
    int64_t pixels, lowTap, taps;
  };
  /// Where the input of a register tile is read: a buffer, its start for the
  /// first tile of the piece, and strides.
  struct InputView {
    Value buffer, base;
    std::array<int64_t, 2> tap; ///< stride of a depth and a height tap
    int64_t column;             ///< stride of an input column
    int64_t channel;
  };

  /// A block of the packed filter: which, where it goes, and room for rows.
  struct PackPlace {
    Value group, block;
    Value target, start, rows;
  };
  void emitPack();
  void packBlock(const PackPlace &at, Value low, Value high, bool last);
  void packBlockOfPairs(const PackPlace &at, Value low, Value high, bool last);
  void withLastBlock(Value block, const std::function<void(bool)> &body);
  /// The block that this grid tile needs next, in its scratch.
  void packInside(const Place &at, Value block);
  /// Rows of lanes, `stride` elements apart, of which `channels` exist.
  struct PairRows {
    Value buffer, start;
    int64_t stride, count, channels;
  };
  /// `padded` / 2 rows of pairs of them.
  void packPairs(const PairRows &rows, Value target, Value to, int64_t padded);
  void addPack(KernelModule &kernel);
  Dispatch dispatch(int64_t number, const char *name, int64_t tiles) const;
  void emitMain(int64_t number);
  Place place(Value tile);
  /// `c`: group, chunk, batch, output depth and height, piece.
  Place placeAt(const std::vector<Value> &c);
  /// The place's row along depth or height, and the taps that it meets.
  void setRow(Place &at, size_t d, Value row);
  /// Calls with the place of each of its rows, and their number.
  void withRows(const Place &at,
                const std::function<void(const Place &, Value)> &body);
  /// Start of `strides` in a group, 0 if the lanes run over groups.
  Value groupStart(const ConvProblem::Strides &strides,
                   const std::vector<Value> &groups);
  std::vector<Value> groupIndex(Value group);
  /// Input address of the row that tap `low` reads, at column 0.
  Value inputRow(const Place &at);
  InputView viewInput(const Place &at);
  /// What row `row` of the place reads of the scratch copy.
  InputView scratchView(const Place &at, Value row);
  void fillScratch(const Place &at, const Pass &pass);
  void computeScratch(const Place &at);
  /// All channels of one row of output, to where `Redirect` says.
  void computeRow(Value batch, Value row);
  void fillRow(const Place &at, const Pass &pass, Value source, Value target);
  void copyColumns(Value source, Value target, Value from, Value to,
                   Value channels);
  /// Lanes x lanes elements, transposed: channels become contiguous.
  void copySquare(Value in, Value source, int64_t channel, Value out,
                  Value target);
  /// Zeros behind the channels of the columns [from, to).
  void zeroPadding(Value target, Value from, Value to);
  void zeroColumns(Value target, Value from, Value to, Value channels);
  void emitPass(const Place &at, const Pass &pass);
  /// The pixels at the ends of the row whose taps are partly in the padding.
  void emitEdges(const Place &at, const InputView &input, const Pass &pass,
                 Value block);
  /// Calls with the number of channels of the block.
  void withChannels(Value block, const std::function<void(int64_t)> &body);
  void emitTile(const Place &at, const InputView &input, const Pass &pass,
                Value block, const Strip &strip, int64_t n);
  /// Rows of the piece after this one that a tile asks for, so that all blocks
  /// together ask for all of them.
  int64_t nextRows() const;
  Value nextTile(const Place &at, Value aBase, Value block);
  /// Asks for what the next row's depthwise tile reads and this one's, which
  /// begins at `start`, does not: of `n` channels.
  void prefetchColumns(const InputView &input, Value start, int64_t pixels,
                       int64_t n);
  void tailRegion(BrgemmOp op, bool last);
  void zeroSums();
  std::vector<int64_t> gridSizes() const;
  /// The filter of a tile: where it starts, and its strides [n, k].
  Value filterStart(const Place &at, Value block);
  std::array<int64_t, 2> filterStrides() const;
  int64_t packTiles() const, convTiles() const;
  /// The tiles that one call walks through by itself, if the Schedule says so.
  std::optional<int64_t> serialTiles(int64_t tiles) const;

  /// Position of an argument of the group: its slot at launch.
  int64_t argument(ValueId id) const;
  // What the Schedule makes of the nest.
  int64_t blocks() const;        ///< of output channels in a group
  int64_t blockElements() const; ///< packed filter of one block
  int64_t packSteps() const;     ///< of a block, in turns of the reduction
  int64_t stepsOfPiece() const;  ///< those that one grid tile packs
  int64_t blocksOfPiece() const; ///< the same of blocks
  bool packsPairs() const;       ///< two rows at a time
  bool packsPairsByCopy() const; ///< of the filter, channels apart, in scratch
  mlir::Type packType() const;   ///< what is moved
  int64_t blockBytes() const;    ///< packed filter of one block
  int64_t packedAt() const;      ///< where in scratch, if it is packed there
  int64_t packScratchBytes() const;
  int64_t packWidth() const; ///< filter elements that are packed as one
  int64_t rowTiles() const;  ///< register tiles of a row
  int64_t kPadded() const;   ///< reduction channels, zeros included
  /// Pairs of an odd number of channels run on over a row's taps, whose
  /// elements follow each other in scratch.
  bool mergesTaps() const;
  int64_t rowTerms() const; ///< packed filter of a row's taps, for a channel
  int64_t scratchColumns() const, scratchChannels() const;
  int64_t scratchRows() const;       ///< for a tap in depth
  int64_t scratchPitch() const;      ///< elements from a column to the next
  int64_t scratchInputBytes() const; ///< 0 when it is read where it lies
  int64_t scratchBytes() const;      ///< all of it, for one tile
  /// A buffer in this nest's part of scratch, `bytes` from its start.
  Value scratch(int64_t bytes, mlir::Type type);
  bool isChunked() const;    ///< sums rest in scratch between passes
  int64_t sumsPitch() const; ///< elements from a pixel's sums to the next
  int64_t sumsElements() const;

  const Graph &Group;
  Schedule S;
  ConvNest Nest;
  const ConvProblem &P;
  KernelBuilder &K;
  mlir::Type Compute;
  mlir::Type Factor; ///< of A and B: the computed type, or bf16 for pairs
                     ///< (a filter in place: as it is stored)
  int64_t Lanes, BlockChannels;
  std::array<int64_t, 2> Edges; ///< pixels that are computed apart
  ArgField PackedField;
  int64_t PackedOffset = 0;  ///< in bytes, of this nest's packed filter
  int64_t FirstDispatch = 0; ///< number of the first of the nest's

  /// Scratch that takes the place of the output: a row, [pixel][channel].
  struct RowTarget {
    int64_t pitch;      ///< elements from a pixel to the next
    mlir::Type element; ///< what it is stored in
    Value start;        ///< of the row that is computed
  };
  std::optional<RowTarget> Redirect;
  ConvEmitter *First = nullptr; ///< computes rows of input, `RowsAtOnce` of its
                                ///< own for one of this nest's
  int64_t RowsAtOnce = 1;
  int64_t ScratchStart = 0; ///< in bytes: what lies before is another nest's
};

} // namespace boo::compiler
