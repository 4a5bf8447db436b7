//===- Factors.h - --alpha and --beta ---------------------------*- C++ -*-===//
//
// MIOpen's alpha * result + beta * C, where C is one more input, of the
// result's type.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

struct Factors {
  double alpha = 1, beta = 0;
};

/// alpha is applied as alpha / beta before C is added: both must fit f32, with
/// room for the products. An error names the flags.
Status checkFactors(const Factors &factors);
bool factorsFit(const Factors &factors);

/// The functions that follow the result `last`. Without a `c` an input is added
/// for it, if there is a beta.
ValueId addFactors(Graph &graph, ValueId last, const Factors &factors,
                   ValueId c = kNoValue);

/// "", "_alpha2", "_beta0.5", "_alpha2_beta0.5".
std::string factorsName(const Factors &factors);

/// "0.5", for messages and names.
std::string realText(double value);

} // namespace boo
