//===- Operands.h - The buffers of one launch -------------------*- C++ -*-===//
#pragma once

#include "boo/driver/Buffer.h"
#include "boo/driver/Fill.h"

#include <vector>

namespace boo {

/// Guarded buffers for the arguments and outputs of a static Graph. An output
/// that goes into an argument shares its memory.
class Operands {
public:
  static StatusOr<Operands> create(const Graph &graph);
  /// Bytes that create() takes.
  static int64_t bytes(const Graph &graph);

  /// Fills all arguments; the block of ones goes into the first one only, the
  /// others are filled as `rest` says. What a forward pass would have made is
  /// made of the others (Consistent.h).
  void fill(const Graph &graph, FillSpec spec, FillKind rest);
  /// Puts all operands at multiples of 64 bytes, or one element behind such:
  /// kernels may rely on no more. Their contents are lost; `in` and `out`
  /// change.
  void place(const Graph &graph, bool aligned);
  /// Makes every output NaN, so that an element left out is noticed.
  void poisonOutputs();
  void evict() const;
  /// Where argument `index` may be written.
  void *argument(size_t index) const { return Arguments[index].data(); }
  /// An error naming the operand beside which something was written.
  Status checkIntact() const;

  std::vector<const void *> in;
  std::vector<void *> out;

private:
  void findAddresses(const Graph &graph);

  std::vector<GuardedBuffer> Arguments, Outputs; ///< shared outputs: empty
};

} // namespace boo
