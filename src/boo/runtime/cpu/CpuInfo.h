//===- CpuInfo.h - What this machine's CPU can do ---------------*- C++ -*-===//
//
// CPUID tells what the CPU has, XGETBV what the system saves at a task switch,
// and arch_prctl whether a process may use AMX. Only what all of them allow is
// used.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Target.h"

#include <vector>

namespace boo {

struct CpuFeature {
  std::string name;     ///< "avx512f", "amx-bf16"
  bool inCpuid = false; ///< the CPU says that it has it
  bool usable = false;  ///< and the system lets this process use it
  /// Why it is not usable, or "". A feature that this CPU model is known to
  /// have and CPUID does not show was hidden by a hypervisor or the firmware.
  std::string reason;
};

struct CpuInfo {
  std::string vendor, brand;
  int family = 0, model = 0, stepping = 0;
  std::vector<CpuFeature> features;
  int64_t l1Bytes = 0, l2Bytes = 0, l3Bytes = 0; ///< 0 = unknown
  int onlineCpus = 1;                            ///< of the machine
  int affinityCpus = 1; ///< that this process may run on

  bool usable(std::string_view feature) const;
};

/// Read once. Asks the system for AMX on its first call.
const CpuInfo &cpuInfo();

/// The best that this machine runs.
const Target &hostTarget();

/// Ok, or why code for `target` cannot run here, naming the missing feature.
Status canRun(const Target &target);

/// "host", "generic", "avx2", "avx512" or "amx" with this machine's caches and
/// cores. Refuses what this machine cannot run, unless `compileOnly`.
StatusOr<Target> targetFor(std::string_view name, bool compileOnly = false);

} // namespace boo
