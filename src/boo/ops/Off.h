//===- Off.h - Values with error bounds -------------------------*- C++ -*-===//
//
// The arithmetic of references whose formulas are longer than a sum: each
// operation in float64, and how far a kernel's result may be from it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/ops/ErrorBound.h"

namespace boo {

/// A value and how far the kernel's may be from it. An infinite error: nothing
/// is known. A value that is infinite or NaN with a finite error is certain.
struct Off {
  double value = 0, error = 0;
};

inline Off operator-(Off a) { return {-a.value, a.error}; }

/// Sum and product, rounded twice at most (once, or within a fused operation).
Off plus(Off a, Off b, const FloatLimits &limits);
Off times(Off a, Off b, const FloatLimits &limits);
/// The exponential: 16 units, and results below the smallest normal number may
/// be lost.
Off exponential(Off a, const FloatLimits &limits);

/// A sum of terms in any order, whose partial sums may overflow.
class OffSum {
public:
  void add(Off term);
  Off result(const FloatLimits &limits) const;

private:
  double Value = 0, Magnitudes = 0, Errors = 0, Count = 0;
};

} // namespace boo
