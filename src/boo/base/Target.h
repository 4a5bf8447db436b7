//===- Target.h - What a kernel is compiled for -----------------*- C++ -*-===//
//
// The part of a machine that generated code and Schedules depend on. It is in
// the cache key as text, so nothing that changes from run to run belongs here:
// thread counts are launch parameters.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace boo {

/// Instruction sets that lowerings exist for, each including those before it.
enum class Isa {
  Generic, ///< x86-64 baseline: SSE2, no FMA
  Avx2,    ///< x86-64-v3: AVX2, FMA, F16C
  Avx512,  ///< x86-64-v4: F, BW, CD, DQ, VL
  Amx,     ///< Avx512 with AMX-TILE and AMX-BF16, permitted by the kernel
};

std::string_view isaName(Isa isa);
StatusOr<Isa> parseIsa(std::string_view name);

struct Target {
  Isa isa = Isa::Generic;
  bool avx512Fp16 = false;
  /// AVX512-BF16 whose dot product does twice the work of a fused multiply-add
  /// in the same time. On other CPUs that have it, it is the slower way.
  bool fastBf16Dot = false;
  int64_t l1Bytes = 32 << 10; ///< data cache of one core
  int64_t l2Bytes = 1 << 20;  ///< of one core
  int64_t l3Bytes = 16 << 20; ///< shared, as the machine reports it
  int64_t cores = 1;          ///< a bucket: 1, 2, 4, 8, … not above the cores

  /// Whether so much had better be taken to come from memory: a kernel has the
  /// L3 cache beside other cores, and what they will read next.
  bool exceedsShareOfL3(double bytes) const {
    return 4 * bytes > double(l3Bytes);
  }
  bool operator==(const Target &) const = default;
};

/// "isa=avx512 fp16=0 bf16dot=1 l1=32768 l2=1048576 l3=33554432 cores=2"
std::string printTarget(const Target &target);
/// A text without bf16dot has none.
StatusOr<Target> parseTarget(std::string_view text);

} // namespace boo
