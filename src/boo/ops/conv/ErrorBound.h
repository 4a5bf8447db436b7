//===- ErrorBound.h - Rounding errors of convolution algorithms -*- C++ -*-===//
#pragma once

#include "boo/ops/conv/ConvProblem.h"

#include <string_view>

namespace boo {

/// The factor f in |kernel - exact| <= f * sum |x|*|w|, before the rounding to
/// the output's dtype. The reference's own rounding is included. Unsupported
/// when nothing is known of the algorithm (the manifest's name of it).
StatusOr<double> convErrorFactor(std::string_view algorithm,
                                 const ConvProblem &problem);

} // namespace boo
