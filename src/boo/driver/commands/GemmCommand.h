//===- GemmCommand.h - Flags of a matrix product, checked -------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Tail.h"

namespace boo {

/// Indices into gemmFlagTable().
enum class GemmFlag : size_t {
#define BOO_GEMM_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/GemmFlags.inc"
};

enum class GemmMode { Forward, ABackward, BBackward };

/// A matrix product as the command line asks for it: A [m, k], B [k, n],
/// result [m, n], each of `batch` matrices.
struct GemmSpec {
  DType dtype = DType::F32;
  GemmMode mode = GemmMode::Forward;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transA = false, transB = false, columnMajor = false;
  double alpha = 1, beta = 0;
  bool bias = false, residual = false, weightsConstant = false;
  std::vector<TailFn> tail;
};

/// Reads and checks the flags; an error names the flag and the remedy.
StatusOr<GemmSpec> gemmSpec(const CommandLine &line);

/// iree-turbine's name, e.g. gemm_float16_forward_32x64x128_transA; what it
/// does not have follows: batch8, colMajor, alpha0.5, beta1, bias, residual,
/// tail.
std::string gemmFuncName(const GemmSpec &spec);

} // namespace boo
