//===- WinogradBound.h - Rounding errors of Winograd tiles ------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"
#include "boo/ops/conv/ConvProblem.h"

namespace boo {

/// Raises `errors` (in the order of evaluateConv's result) to what a kernel in
/// tiles of `tile` x `tile` outputs may be off, in f32: the roundings of a path
/// from operand to output, times
///     |A^T| (sum over c of (|G| |g| |G^T|) * (|B^T| |d| |B|)) |A|
/// with |.| element by element. That is Higham's bound of bilinear algorithms
/// (Accuracy and Stability, section 23.2.2), kept per element where Barabasz et
/// al. 2020 take norms. All outputs of a tile depend on all of its inputs: a
/// NaN or an infinity among those makes all bounds of the tile infinite.
void raiseWinogradErrors(const ConvProblem &problem, const TensorView &input,
                         const TensorView &filter, int64_t tile,
                         Workers workers, std::vector<double> &errors);

} // namespace boo
