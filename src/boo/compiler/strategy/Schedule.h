//===- Schedule.h - How a group is to be computed ---------------*- C++ -*-===//
//
// What the strategy decides and the emitters obey. Its text form stands in the
// manifest, in tuning entries and in the input of `boo-opt --boo-emit`.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace boo::compiler {

enum class Algorithm {
  Direct,      ///< convolution as a sum of small matrix products
  Depthwise,   ///< convolution of single channels, vectorised over them
  Pointwise,   ///< no anchor: elements in any order
  Module,      ///< an mlir node: as its module says
  Winograd4x4, ///< 3x3 convolution in tiles of 4x4 outputs
               ///< (ops/conv/Winograd.h)
  Winograd2x2, ///< the same in tiles of 2x2
  Rows,        ///< norm, softmax, reduce: row after row
  Attention,   ///< softmax of products times values, block by block of keys
  Pool,        ///< pooling: rows of windows, then windows in a row
  Separable,   ///< depthwise convolution, row by row into scratch, and the 1x1
               ///< convolution of those rows
  Pad,         ///< elements in any order, and a border
};
std::string_view algorithmName(Algorithm algorithm);
bool isWinograd(Algorithm algorithm);

/// Fields that an algorithm does not use keep their defaults. All are counts of
/// elements, vectors or tiles; none is derived from a thread count.
struct Schedule {
  Algorithm algorithm = Algorithm::Direct;
  int64_t vectorBits = 512; ///< of the ISA's registers
  bool fma = true;          ///< the ISA multiplies and adds in one instruction
  bool amx = false;         ///< bf16 by matrix unit: tiles of 16 x 16 sums
  bool pairs = false;   ///< bf16 by dot products of pairs in the vector unit
  int64_t mTile = 1;    ///< output pixels (Winograd: tiles) of a register tile
                        ///< (Attention: keys, and queries of the second
                        ///< product; Rows: rows that go through their passes
                        ///< together)
  int64_t nVectors = 1; ///< vectors of output channels of a register tile
                        ///< (Attention: of queries, and of values' elements;
                        ///< Rows: of columns that are summed together)
  /// Reduction steps (Rows: vectors) in a round of the innermost loop.
  int64_t kUnroll = 1;
  /// Reduction steps after which sums rest in scratch, and the next channels'
  /// turn comes; 0: none. Rows: elements of a row whose statistics are joined
  /// with those before them. Attention: keys of a block, 0: all. Filter's
  /// gradient: pixels that a tile copies at a time, 0: all of its part.
  int64_t kChunk = 0;
  /// Channel blocks (a batch norm: blocks of columns) that one grid tile works
  /// through.
  int64_t nChunk = 1;
  /// Register tiles of a row (pointwise and Pad: vectors; Winograd: register
  /// tiles of all output; Rows: rows, or vectors of rows; Attention: vectors of
  /// queries) that one grid tile works through.
  int64_t wChunk = 1;
  int64_t hChunk = 1; ///< rows of a convolution's output that one grid tile
                      ///< works through, each block of channels for all
  bool scratchInput = false; ///< rows of input are copied (padded, widened);
                             ///< Winograd: all of it, channels last; Rows: a
                             ///< row rests there, widened, between passes;
                             ///< Attention: keys are; filter's gradient:
                             ///< what tiles read of both operands
  bool filterOuter = false;  ///< grid: channel chunks outermost, else innermost
  bool filterInPlace = false; ///< the filter (Attention: values) is read where
                              ///< it lies, not packed
  bool dot = false;    ///< lanes over the reduction (Rows: along a row, else
                       ///< over rows; Attention: along keys, else over
                       ///< queries); n_vectors: channels (Attention: keys)
  bool serial = false; ///< one grid tile: too little work to share
  bool lanesOverInput = false; ///< filter's gradient: lanes are input channels
  int64_t kParts = 1;   ///< gradients of filter, weight and bias: parts that
                        ///< a sum is cut into
  int64_t prefetch = 0; ///< reduction steps that filter loads run ahead
                        ///< (Rows: m_tile rows)
  bool prefetchInput = false; ///< register tiles ask for what the next grid
                              ///< tile reads of the input
  bool packInside = false;    ///< blocks of the filter are packed by the grid
                              ///< tile that they are for, not ahead
  bool stream = false; ///< whole cache lines of output go past the caches

  // Separable alone: the other fields are of the 1x1 convolution, these of the
  // depthwise one.
  int64_t rows = 1; ///< of its output that one grid tile computes
  int64_t dwMTile = 1, dwNVectors = 1, dwKUnroll = 1, dwNChunk = 1,
          dwWChunk = 1;
  bool dwScratchInput = false, dwPrefetchInput = false;

  /// Whether bf16 is multiplied as it is, in pairs of reduction steps.
  bool keepsBf16() const { return amx || pairs; }
  bool operator==(const Schedule &) const = default;
};

/// "algorithm=direct vector_bits=512 fma=1 m_tile=14 …", all fields but those
/// of other algorithms.
std::string printSchedule(const Schedule &schedule);
/// Unknown, repeated, malformed or impossible fields are errors; missing ones
/// keep the values of `defaults`.
StatusOr<Schedule> parseSchedule(std::string_view text, Schedule defaults = {});

/// A Schedule, and the reasons: one line for what was chosen and one for each
/// alternative that was not.
struct Decision {
  Schedule schedule;
  std::vector<std::string> why;
};

} // namespace boo::compiler
