//===- ExpandMathFormulas.h - Elementary functions as arithmetic *- C++ -*-===//
//
// Each function takes and returns a float or a vector of floats of the type
// that the object was made for. No branches, no tables, no calls: what a
// special value needs is selected at the end. ExpandMathTest.cpp measures the
// accuracy that Passes.td states.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/passes/ExpandMathBuilder.h"

namespace boo::compiler {

struct ExpandMathCoefficients;

class ExpandMathFormulas : ExpandMathBuilder {
public:
  /// `element` is f32 or f64; `fma`: the target has fused multiply-add;
  /// `scalef`: it has AVX-512's multiplication of 512 bits by powers of two.
  ExpandMathFormulas(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Type element, bool fma, bool scalef);

  Value exp(Value x);
  Value expOfNonPositive(Value x); ///< or a NaN
  Value expm1(Value x);
  Value log(Value x);
  Value log1p(Value x);
  Value tanh(Value x);
  Value erf(Value x);

private:
  /// x = n * log(2) + r with a whole number n and |r| <= log(2) / 2. `first` is
  /// r before the lower half of log(2) was taken away: exact. The lowest bits
  /// of the integer `biased` are n and an offset.
  struct Reduced {
    Value n, biased, r, first;
  };
  Reduced reduce(Value x, int64_t offset);
  Value expOfReduced(Value r);
  Value powerOfTwo(mlir::Type type, Value biased);
  /// x * 2^n, rounded once, for a whole number n; NULL: there is no
  /// instruction.
  Value scalef(Value x, Value n);
  Value expm1InRange(Value x);

  /// x = 2^exponent * (1 + fraction), 1 + fraction in [sqrt(1/2), sqrt(2)).
  struct Split {
    Value exponent, fraction;
  };
  Split split(Value x);
  Value logOf(Split x, Value rest);

  bool Scalef;
  const ExpandMathCoefficients &Table;
  int64_t MantissaBits, Bias;
  /// Added to a small number, it leaves that number rounded to an integer in
  /// the lowest bits of the sum: rounding instructions came with SSE4.1 only.
  double Magic;
  /// exp(x) is 0 below the first and infinity above the second.
  double ExpLow, ExpHigh;
  /// exp(x) counts for nothing beside 1 below the first, and 1 beside exp(x)
  /// above the second.
  double Expm1Low, Expm1High;
  double MinNormal;
};

} // namespace boo::compiler
