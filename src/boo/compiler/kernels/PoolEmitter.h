//===- PoolEmitter.h - Kernels of poolings ----------------------*- C++ -*-===//
//
// Writes one dispatch, whose grid tiles are `w_chunk` rows of the output (of a
// channel with `dot`, else of a block of channels). Windows are boxes, so a row
// is made in two stages: what the windows' rows come to, column by column, is
// left in a scratch row; and then what each window comes to along that. Rows
// outside of the input are not looked at; columns outside of it are elements of
// the scratch row that change nothing.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/kernels/KernelModule.h"
#include "boo/compiler/strategy/PoolNest.h"

namespace boo::compiler {

/// What poolings and their gradients share: units, rows of vectors, scratch.
class PoolBuilder {
public:
  PoolBuilder(mlir::MLIRContext &context, const Graph &group,
              const Schedule &schedule);
  virtual ~PoolBuilder() = default;
  KernelModule emit();

protected:
  using Values = llvm::SmallVector<Value>;

  /// A row that is written, of a channel or of a block of channels.
  struct Unit {
    Value image, channel, depth, height;
    int64_t vectors = 0; ///< of channels, with lanes over those
    int64_t count = 0;   ///< channels in the last of them
  };
  /// Vectors of a row: at one position, or next to each other from it on. The
  /// last one has `count` lanes in use.
  struct Piece {
    Value at;
    int64_t vectors, count;
  };
  /// Taps, or outputs, [begin, end) along a dimension.
  struct Range {
    Value begin, end;
  };

  /// Once for each grid tile, before its units.
  virtual void beginTile() = 0;
  virtual void emitRow(const Unit &unit) = 0;

  /// Calls `body` for the pieces of a row of `positions`.
  void overRow(const Unit &unit, int64_t positions,
               const std::function<void(const Piece &)> &body);
  Values loop(const Range &range, Values init,
              const std::function<Values(Value, Values)> &body);

  // Tensors: `row` is the offset of the row's first element.
  Value rowOffset(const Unit &unit, const PoolProblem::Strides &strides,
                  Value depth, Value height);
  Values loadRow(Value buffer, Value row, const PoolProblem::Strides &strides,
                 const Piece &piece);
  void storeRow(llvm::ArrayRef<Value> values, Value buffer, Value row,
                const PoolProblem::Strides &strides, const Piece &piece);

  // Scratch rows: `slot` is a byte offset, `type` an element's.
  Value scratch(int64_t slot, mlir::Type type) {
    return K.buffer(ArgField::Scratch, slot, type);
  }
  /// The elements of `piece`, `shift` positions on, each `step` positions from
  /// the last.
  Values loadScratch(Value buffer, const Piece &piece, Value shift,
                     int64_t step);
  void storeScratch(llvm::ArrayRef<Value> values, Value buffer,
                    const Piece &piece, Value shift, int64_t step);
  /// Sets positions from `begin` on, and as many as there are up to `end` or
  /// less than a vector more.
  void fillScratch(Value buffer, Value value, int64_t begin, int64_t end);

  // Vectors.
  Value splat(double value);
  Value splatInt(int64_t value); ///< of i32, as all below
  Value broadcastInt(Value index);
  /// The positions of a piece's vector `u`.
  Value positionsOf(const Piece &piece, int64_t u);
  /// `value` in the lanes in use of the piece's last vector, else `other`.
  Value inUse(const Piece &piece, Value value, Value other);

  /// Taps of output `o` that lie in the input.
  Range tapsInside(size_t dim, Value o) { return taps(dim, o, false); }
  /// How many elements the averages of output row (depth, height) are of,
  /// without regard to columns, and of how many columns those of a piece's
  /// vector are.
  Value rowDivisor(Value depth, Value height);
  Value columnDivisor(const Piece &piece, int64_t u);
  /// Whether outputs differ in how many elements they are of.
  bool divisorVaries(size_t dim) const;

  PoolNest Nest;
  const PoolProblem &P;
  std::string Name;
  Schedule S;
  int64_t Lanes, BlockChannels;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  KernelBuilder K;
  mlir::Type Element, Stored;
  mlir::VectorType Vector, Ints;

private:
  Range taps(size_t dim, Value o, bool forDivisor);
  void emitUnit(Value number);
};

/// Writes a pooling.
class PoolEmitter : public PoolBuilder {
public:
  using PoolBuilder::PoolBuilder;

private:
  /// Values, then their indices if those are wanted.
  void beginTile() override;
  void emitRow(const Unit &unit) override;
  void foldColumns(const Unit &unit);
  void foldWindows(const Unit &unit);
  Values neutral(int64_t vectors);
  Values fold(const Values &a, const Values &b);
  Value beats(Value b, Value bIndex, Value a, Value aIndex);
  void finish(const Unit &unit, const Piece &piece, Value divisor,
              Values folded);
  Value values() { return scratch(0, Element); }
  Value numbers() {
    return scratch(Nest.rowElements(S) * dtypeBytes(P.accType),
                   Ints.getElementType());
  }
};

/// Writes the gradient of a pooling.
class PoolGradEmitter : public PoolBuilder {
public:
  using PoolBuilder::PoolBuilder;

private:
  void beginTile() override;
  void emitRow(const Unit &unit) override;
  void emitAverage(const Unit &unit);
  void emitMaximum(const Unit &unit);
  /// Outputs along a dimension whose windows reach over input `i`, and whether
  /// one of them has a tap there.
  Range outputs(size_t dim, Value i);
  Value zeros() { return splat(0); }
  void stuff(llvm::ArrayRef<Value> elements, Value buffer, const Piece &piece,
             Value filler);
  Value hasTap(size_t dim, Value i, Value o);
  int64_t firstPosition() const { return P.extent(2) - 1 - P.padLo[2]; }
  Value values() { return scratch(0, Element); }
  Value sums() {
    return scratch(Nest.rowElements(S) * dtypeBytes(P.accType), Element);
  }
  Value numbers() {
    return scratch(Nest.rowElements(S) * dtypeBytes(P.accType) * 2,
                   Ints.getElementType());
  }
};

} // namespace boo::compiler
