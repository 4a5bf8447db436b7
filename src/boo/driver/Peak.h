//===- Peak.h - The speed that a kernel is measured against -----*- C++ -*-===//
//
// One binary swings by a third between runs of the process while its distance
// to the machine's peak stands still, so the peak is measured in the same
// process, by as many threads, in turn with the kernel.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/base/Target.h"
#include "boo/ops/Reference.h"

#include <memory>
#include <string>

namespace boo {

class PeakMeter {
public:
  virtual ~PeakMeter();

  /// A meter for kernels whose manifest names `instruction` ("fma-f32", …), or
  /// NULL when there is none for it. Work that moves more bytes than the
  /// machine copies in the time of its arithmetic is measured against copying
  /// as many bytes.
  static std::unique_ptr<PeakMeter> create(const std::string &instruction,
                                           Isa isa, int threads,
                                           const Work &work);

  /// One measurement: GFLOP/s or GB/s.
  virtual double measure() = 0;
  /// The kernel's rate, in the same unit, for a run of `us`.
  virtual double rate(double us) const = 0;
  /// `instruction`, or "copy".
  virtual std::string kind() const = 0;
  /// Median of the instruction's peak over all threads so far, NaN = unknown.
  virtual double gflops() const = 0;
};

/// FLOP of one call of an arithmetic burst, which touches no memory.
struct PeakKernel {
  void (*burst)(int64_t rounds) = nullptr;
  double flopsPerRound = 0;
};

/// NULL burst when this machine or build has none for the instruction.
PeakKernel findPeakKernel(const std::string &instruction, Isa isa);

} // namespace boo
