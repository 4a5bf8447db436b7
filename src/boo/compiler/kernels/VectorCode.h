//===- VectorCode.h - Arithmetic on whole vectors ---------------*- C++ -*-===//
//
// What emitters that compute on vectors themselves are made of: a module to
// write to, vectors of one type, and folds.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/compiler/kernels/LaneMath.h"

#include "mlir/IR/OwningOpRef.h"

namespace boo::compiler {

/// Comes first among the bases: the others write to it.
struct NewKernel {
  explicit NewKernel(mlir::MLIRContext &context);

  mlir::OwningOpRef<mlir::ModuleOp> Module;
  KernelBuilder Builder;
};

class VectorCode : protected NewKernel, protected LaneMath {
protected:
  using Values = llvm::SmallVector<Value>;
  using Carry = std::function<Values(Value, mlir::ValueRange)>;

  /// Vectors of `vectorBits` of `compute`, in a new module.
  VectorCode(mlir::MLIRContext &context, DType compute, int64_t vectorBits,
             bool fma);

  /// `for (i = from; i < to; i += step) values = body(i, values)`.
  Values carry(Value from, Value to, int64_t step, Values init,
               const Carry &body);

  enum class Fold { Add, Greatest };
  /// Greatest passes over NaNs: they must come back some other way.
  Value fold(Fold fold, Value a, Value b);
  /// Of several vectors, lane by lane.
  Value foldAll(Fold fold, Values values);
  /// Of all lanes, in every lane, with the same bits.
  Value foldLanes(Fold fold, Value value);

  Value broadcast(Value scalar);
  Value logF(Value a);
  Value loadVector(Value buffer, Value at);
  void storeVector(Value value, Value buffer, Value at);
};

} // namespace boo::compiler
