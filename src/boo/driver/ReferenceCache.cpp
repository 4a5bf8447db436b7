//===- ReferenceCache.cpp -------------------------------------------------===//

#include "boo/driver/ReferenceCache.h"

#include <algorithm>

using namespace boo;

StatusOr<ReferenceCache::Outputs> ReferenceCache::get(const std::string &key,
                                                      const Compute &compute) {
  auto known = std::find_if(Entries.begin(), Entries.end(),
                            [&](const Entry &e) { return e.key == key; });
  if (known != Entries.end()) {
    ++Hits;
    Entries.splice(Entries.begin(), Entries, known);
    return Entries.front().outputs;
  }
  BOO_ASSIGN_OR_RETURN(auto computed, compute());
  Entry entry{key, nullptr, int64_t(key.size())};
  for (const ReferenceOutput &output : computed)
    entry.bytes +=
        int64_t((output.values.size() + output.bounds.size()) * sizeof(double));
  entry.outputs =
      std::make_shared<std::vector<ReferenceOutput>>(std::move(computed));
  Outputs outputs = entry.outputs;
  Bytes += entry.bytes;
  Entries.push_front(std::move(entry));
  while (Bytes > MaxBytes && !Entries.empty()) {
    Bytes -= Entries.back().bytes;
    Entries.pop_back();
  }
  return outputs;
}
