//===- Statistics.h - Mean and variance of a row ----------------*- C++ -*-===//
#pragma once

#include "boo/ops/Off.h"
#include "boo/ops/Rows.h"

namespace boo {

struct NormStatistics {
  Off mean, variance, scale; ///< scale: 1 / sqrt(variance + eps)
};

/// Whether a kernel of norms may join the statistics of the row's chunks.
bool mayBeChunked(const Row &row);

/// Of a row's elements. Errors are those of two passes, the second over centred
/// elements, or, `joined`, of such passes over parts. Not `centred`, the mean
/// is zero, and the variance the mean square.
NormStatistics normStatistics(const Row &row, double eps,
                              const FloatLimits &limits, bool joined,
                              bool centred = true);

} // namespace boo
