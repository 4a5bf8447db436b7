//===- Timings.h - Times read back from a --csv table -----------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <cmath>
#include <cstdint>
#include <vector>

namespace boo {

/// One command on one backend. Times in µs; NaN where the table has none.
struct Timing {
  std::string command, backend;
  double mean = NAN, stddev = NAN;
  double median = NAN, p10 = NAN, p90 = NAN; ///< BOO's own tables only
  int64_t count = 0;                         ///< runs, 0 = not told
  std::string threads;
  std::string error; ///< why it failed, "" = it did not

  bool timed() const { return std::isfinite(middle()) && middle() > 0; }
  /// The median, or the mean where the table has no percentiles.
  double middle() const { return hasPercentiles() ? median : mean; }
  bool hasPercentiles() const {
    return std::isfinite(median) && std::isfinite(p10) && std::isfinite(p90);
  }
};

/// The table that `boo driver --csv` or iree-turbine's driver writes: a column
/// `arguments`, then those of each backend, their names behind its own
/// ("boo mean"). In the order of lines, then backends. The error tells line and
/// column.
StatusOr<std::vector<Timing>> parseTimings(std::string_view csv);

} // namespace boo
