//===- FilterPack.h - Filters in blocks of output channels ------*- C++ -*-===//
#pragma once

#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/strategy/ConvNest.h"

namespace boo::compiler {

/// Source: for each output channel a run of taps and input channels. Target:
/// for each block of output channels [tap][channel][lane], zeros in the lanes
/// past the last channel. One of three copies does it: lanes contiguous in the
/// source are copied as vectors; runs contiguous in the source are transposed
/// in squares; anything else goes element by element.
class FilterPack {
public:
  /// `width` elements side by side move as one: 2 for pairs of 16 bits that
  /// source and target, of 32-bit type, hold in the same order.
  FilterPack(KernelBuilder &kernel, const ConvNest &nest, int64_t width,
             int64_t lanes, int64_t blockChannels, Value source, Value target);

  /// Whether the whole sum's operands are one run of memory.
  bool isRun() const;

  /// Packs steps [low, high) of the reduction, in the target's order where
  /// lanes are contiguous, else in the source's, of the block whose first lane
  /// is at `from` and that starts at `to`.
  void pack(Value from, Value to, Value low, Value high, bool lastBlock);

private:
  /// One of the dimensions that a sum runs over: taps and input channels.
  struct ReductionDim {
    int64_t size, source, target; ///< strides in elements
  };

  /// Neighbours that both source and target walk through without a gap are one
  /// dimension: a filter stored as it is packed has a single one.
  void mergeDims();
  int64_t steps() const;
  /// Source and target of reduction step `q`.
  std::pair<Value, Value> place(Value from, Value to, Value q);
  void packVector(Value from, Value to, Value low, Value high, int64_t count);
  /// Lanes x lanes elements from reduction step `q` on.
  void packSquare(Value from, Value to, Value q, int64_t count);
  Value zero(mlir::Type type);
  Value loadRow(Value at, int64_t count);
  void storeRow(Value row, Value at);

  KernelBuilder &K;
  const ConvNest &Nest;
  int64_t Lanes, BlockChannels;
  int64_t Outer; ///< from an output channel to the next
  Value Source, Target;
  mlir::Type Compute;
  std::vector<ReductionDim> Dims; ///< in the order of steps, outermost first
};

} // namespace boo::compiler
