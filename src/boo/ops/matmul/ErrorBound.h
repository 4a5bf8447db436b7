//===- ErrorBound.h - Rounding errors of matrix products --------*- C++ -*-===//
#pragma once

#include "boo/ops/matmul/MatmulProblem.h"

#include <string_view>

namespace boo {

/// The factor f in |kernel - exact| <= f * sum |a|*|b|, before the rounding to
/// the output's dtype. The reference's own rounding is included. Unsupported
/// when nothing is known of the algorithm (the manifest's name of it).
StatusOr<double> matmulErrorFactor(std::string_view algorithm,
                                   const MatmulProblem &problem);

} // namespace boo
