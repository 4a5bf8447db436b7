//===- ReferenceCache.h - Reference results to be used again ----*- C++ -*-===//
#pragma once

#include "boo/ops/Reference.h"

#include <functional>
#include <list>
#include <memory>

namespace boo {

/// The latest reference results of a run, up to a number of bytes: the same
/// command on another target, or with other flags of the compiler, is judged by
/// the same numbers.
class ReferenceCache {
public:
  explicit ReferenceCache(int64_t maxBytes) : MaxBytes(maxBytes) {}

  using Outputs = std::shared_ptr<const std::vector<ReferenceOutput>>;
  using Compute = std::function<StatusOr<std::vector<ReferenceOutput>>()>;

  /// `key` says all that the results depend on.
  StatusOr<Outputs> get(const std::string &key, const Compute &compute);
  int64_t hits() const { return Hits; }

private:
  struct Entry {
    std::string key;
    Outputs outputs;
    int64_t bytes;
  };

  int64_t MaxBytes, Bytes = 0, Hits = 0;
  std::list<Entry> Entries; ///< the latest used first
};

} // namespace boo
