//===- AmxEmulator.h - AMX instructions on a CPU without them ---*- C++ -*-===//
//
// A CPU that lacks AMX raises SIGILL at its instructions. The handler that
// installAmxEmulator() sets up decodes them, does their work on tiles of its
// own, and goes on behind them: kernels for AMX can so be verified, slowly, on
// any x86-64 machine. Only what AMX-TILE and AMX-BF16 have is known; any other
// illegal instruction still kills the process.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

namespace boo::testing {

/// For the calling process, once. Tiles are shared by all threads: run AMX code
/// on one thread at a time.
void installAmxEmulator();

/// Instructions emulated so far, by kind.
struct AmxCounts {
  int64_t configs = 0, releases = 0, zeros = 0, loads = 0, stores = 0,
          products = 0;
};
const AmxCounts &amxCounts();

} // namespace boo::testing
