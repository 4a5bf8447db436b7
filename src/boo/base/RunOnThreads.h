//===- RunOnThreads.h - One piece of work on several threads ----*- C++ -*-===//
#pragma once

#include <cstdint>
#include <functional>

namespace boo {

/// Runs `work` on up to `threads` threads, one of which is the caller's, and
/// waits for all. `work` takes what there is to do from a list of its own, so
/// that all gets done on fewer threads where the system refuses more of them.
void runOnThreads(int64_t threads, const std::function<void()> &work);

} // namespace boo
