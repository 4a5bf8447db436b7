//===- TuneWorker.h - A search in a worker process --------------*- C++ -*-===//
#pragma once

#include "boo/driver/WorkerPool.h"
#include "boo/driver/tune/Bench.h"
#include "boo/driver/tune/Search.h"

namespace boo {

/// What a worker needs to know of a search.
struct TuneJob {
  const TuneTask *task;
  const std::vector<Trial> *known; ///< outcomes that need no measurement
  double share = 0; ///< seconds that all trials, known ones included, may take
  SearchOptions search;
};

/// In the worker. Sends, one JSON object a message, {"begin": Trial} before a
/// comparison and {"trial": Trial} behind it, and last {"end": {…}} with
/// "exhausted", "again" (a fresh process is to go on) and "code" and "error" of
/// a Status. False when memory may be damaged.
bool runTuneJob(const TuneJob &job, TuneBench &bench,
                const WorkerOptions::Send &send);

} // namespace boo
