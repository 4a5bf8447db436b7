//===- Scores.h - Scores of an attention's rows, with bounds ----*- C++ -*-===//
//
// Of ops/attention only: what both directions' references begin with.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/ops/ErrorBound.h"
#include "boo/ops/Tensor.h"
#include "boo/ops/attention/AttentionProblem.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace boo {

/// What a vector's elements are, for bounds.
struct Norms {
  double values = 0, errors = 0; ///< Euclidean
  double largest = 0;            ///< magnitude
  bool hasNaN = false, isInfinite = false;
  bool isKnown() const { return std::isfinite(values + errors); }
};

/// Of `count` elements of a view, `stride` apart.
Norms normsOf(const TensorView &view, int64_t at, int64_t count,
              int64_t stride);

/// The keys of a head, dense.
struct KeyData {
  std::vector<double> elements; ///< [depth][key]
  std::vector<Norms> norms;     ///< of each key
};

/// The scores of a row, and what is known about them.
struct Scores {
  std::vector<double> x, errors;
  int64_t seen = 0; ///< keys that the row sees
  bool isNaN = false, isUnknown = false;
};

class ScoreReader {
public:
  ScoreReader(const AttentionProblem &problem, const TensorView &q,
              const TensorView &k, const TensorView *mask)
      : P(problem), Q(q), K(k), Mask(mask), L(floatLimits(problem.accType)) {}

  KeyData readKeys(int64_t batch, int64_t head) const;
  /// `keys`: those of the head that `head` shares.
  Scores row(int64_t batch, int64_t head, int64_t query,
             const KeyData &keys) const;

private:
  void addMask(int64_t at, double *x, double *error, Scores *scores) const;

  const AttentionProblem &P;
  const TensorView &Q, &K;
  const TensorView *Mask;
  FloatLimits L;
};

/// The problem with the strides of what is read: the value of another node is
/// dense.
AttentionProblem viewedProblem(const AttentionProblem &problem,
                               const std::vector<TensorView> &operands);

} // namespace boo
