//===- LaneMath.h - Arithmetic on vectors of lanes --------------*- C++ -*-===//
#pragma once

#include "boo/compiler/kernels/KernelBuilder.h"

namespace boo::compiler {

/// What emitters that write vectors of one float type by hand compute with.
class LaneMath {
protected:
  LaneMath(KernelBuilder &builder, DType compute, int64_t lanes, bool fma);

  Value splat(double value);
  Value addF(Value a, Value b);
  Value subF(Value a, Value b);
  Value mulF(Value a, Value b);
  Value divF(Value a, Value b);
  Value fmaF(Value a, Value b, Value c); ///< a * b + c
  Value expF(Value a);
  Value rsqrtF(Value a); ///< by square root and quotient, both rounded

  KernelBuilder &K;
  int64_t Lanes;
  bool Fma;
  mlir::Type Element;
  mlir::VectorType Vector;
};

} // namespace boo::compiler
