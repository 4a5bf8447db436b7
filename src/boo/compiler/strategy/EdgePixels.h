//===- EdgePixels.h - Pixels whose window leaves the input ------*- C++ -*-===//
#pragma once

#include "boo/ops/conv/ConvProblem.h"

#include <array>

namespace boo::compiler {

/// Output pixels at the left and the right end of a row some of whose taps are
/// in the padding. Depthwise tiles compute a few of them apart, with the taps
/// that there are, and need no padded copy of the row.
std::array<int64_t, 2> edgePixels(const ConvProblem &problem);

/// Whether they are few, some pixels are left between them, and all of them
/// have taps.
bool hasFewEdges(const ConvProblem &problem);

/// The taps of a row, the first and how many, that a pixel of the output meets.
std::array<int64_t, 2> tapsAt(const ConvProblem &problem, int64_t pixel);

} // namespace boo::compiler
