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
  Value expOfNonPositive(Value a); ///< faster, for what is not above 0
  Value rsqrtF(Value a); ///< by square root and quotient, both rounded
  Value greatestF(Value a, Value b); ///< a NaN in `b` leaves `a`

  using Join = llvm::function_ref<Value(Value, Value)>;
  /// Of several vectors, lane by lane, in halves.
  Value foldVectors(llvm::SmallVector<Value> values, Join join);
  /// The first `count` lanes of `value`, those of `otherwise` behind them.
  Value keepFirst(Value value, int64_t count, Value otherwise);
  /// Of all lanes, in every lane, with the same bits.
  Value foldAcross(Value value, Join join);

  KernelBuilder &K;
  int64_t Lanes;
  bool Fma;
  mlir::Type Element;
  mlir::VectorType Vector;
};

} // namespace boo::compiler
