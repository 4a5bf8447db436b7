//===- ElementGrid.h - The elements of a pointwise group --------*- C++ -*-===//
//
// A lone pointwise group as a grid over its output's memory. No MLIR here.
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
};

/// Axes outermost first, by falling output stride. Those before `split` belong
/// to the grid alone; axis `split` is cut into pieces of `piece`; it and those
/// behind it are the loops of one grid tile.
struct ElementGrid {
  std::vector<ElementAxis> axes; ///< at least one
  size_t split = 0;
  int64_t piece = 1;

  /// Sizes of the grid: the outer axes', then the number of pieces.
  std::vector<int64_t> gridSizes() const;
};

/// `group` is static and has one output, which is not empty; all its values
/// broadcast to that output. A grid tile covers at most `tileElements`
/// elements. Dimensions that all operands cross in one stride become one axis.
ElementGrid makeElementGrid(const Graph &group, int64_t tileElements);

} // namespace boo::compiler
