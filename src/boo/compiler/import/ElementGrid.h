//===- ElementGrid.h - The elements of a pointwise group --------*- C++ -*-===//
//
// A lone pointwise group, or a pad, as a grid over its output's memory. No MLIR
// here.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo::compiler {

/// One loop over the output, and how far a step of it moves in the output and
/// in each argument of the group (0: the argument repeats).
struct ElementAxis {
  int64_t size;
  int64_t out;
  std::vector<int64_t> in;
  int64_t piece = 1; ///< of the axis, in one grid tile
  /// Of a pad: steps before the input's first one and behind its last; less
  /// than 0 where the output begins or ends within the input.
  int64_t lo = 0, hi = 0;

  int64_t pieces() const { return (size + piece - 1) / piece; }
};

/// The output as axes, outermost first, by falling output stride; at least one.
/// Dimensions that all operands cross in one stride are one axis. A grid tile
/// is a piece of each axis, together at most `tileElements` elements: long
/// along the output's innermost axis, and where another operand is contiguous
/// along another axis, as long along that one.
///
/// `group` is static and has one output, which is not empty; all its values
/// broadcast to that output. Or it is a pad; then an argument's first element
/// is where the input's is, `lo` steps behind the output's.
std::vector<ElementAxis> makeElementGrid(const Graph &group,
                                         int64_t tileElements);

} // namespace boo::compiler
