//===- GradientReference.cpp - Attention gradients in float64 -------------===//
//
// p = exp(x - logsumexp), g = dout . v, d = p * (g - dout . out); then dv sums
// p * dout, dk scale * d * q, and dq scale * d * k. Each step carries its error
// along: a sum of n terms is off by n units of their magnitudes.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/attention/Reference.h"
#include "boo/ops/attention/Scores.h"

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

namespace {

/// Sums of products, their errors, and the magnitudes of their terms.
struct Sums {
  std::vector<double> values, errors, sizes;
  explicit Sums(int64_t count)
      : values(size_t(count)), errors(size_t(count)), sizes(size_t(count)) {}
  void add(size_t at, double a, double aError, double b, double bError) {
    values[at] += a * b;
    errors[at] += aError * (std::fabs(b) + bError) + std::fabs(a) * bError;
    sizes[at] += std::fabs(a * b);
  }
};

class GradientEvaluator {
public:
  GradientEvaluator(const AttentionProblem &problem,
                    const std::vector<TensorView> &operands, Workers workers)
      : P(problem), Operands(operands), TheWorkers(workers),
        L(floatLimits(problem.accType)),
        TheScores(problem, operands[0], operands[1],
                  problem.hasMask ? &operands[6] : nullptr),
        HeadsAreColumns(operands[0].rank() == 3) {
    Results.resize(3);
    int64_t counts[] = {P.heads * P.queries * P.depth,
                        P.kvHeads * P.keys * P.depth,
                        P.kvHeads * P.keys * P.valueDepth};
    for (size_t i = 0; i != 3; ++i) {
      Results[i].values.resize(size_t(P.batch * counts[i]));
      Results[i].errors.resize(size_t(P.batch * counts[i]));
    }
  }

  std::vector<Tensor> run() {
    parallelFor(P.batch * P.kvHeads, 1, TheWorkers,
                [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i != end && !TheWorkers.giveUp(); ++i)
                    evaluateHead(i / P.kvHeads, i % P.kvHeads);
                });
    return std::move(Results);
  }

private:
  static constexpr double Few = 32;

  /// A weight and its gradient, of one query and key.
  struct Pair {
    double p = 0, pError = 0, d = 0, dError = 0;
  };

  void evaluateHead(int64_t b, int64_t head) {
    KeyData keys = TheScores.readKeys(b, head);
    std::vector<Norms> values;
    bool known = true;
    for (int64_t t = 0; t != P.keys; ++t) {
      values.push_back(
          normsOf(Operands[2], valueAt(b, head, t), P.valueDepth, P.v.column));
      known &= values.back().isKnown() && keys.norms[size_t(t)].isKnown();
    }
    Sums dk(P.keys * P.depth), dv(P.keys * P.valueDepth);
    for (int64_t h = head * P.group(); h != (head + 1) * P.group(); ++h)
      for (int64_t s = 0; s != P.queries; ++s) {
        Sums dq(P.depth);
        known &= addRow(b, h, s, keys, values, dq, dk, dv);
        for (int64_t i = 0; i != P.depth; ++i)
          store(0, place(b, h, s, P.heads, P.queries, P.depth) + size_t(i), dq,
                size_t(i), P.scale, double(P.keys), known);
      }
    double terms = double(P.group() * P.queries);
    for (int64_t t = 0; t != P.keys; ++t) {
      for (int64_t i = 0; i != P.depth; ++i)
        store(1, place(b, head, t, P.kvHeads, P.keys, P.depth) + size_t(i), dk,
              size_t(t * P.depth + i), P.scale, terms, known);
      for (int64_t i = 0; i != P.valueDepth; ++i)
        store(2, place(b, head, t, P.kvHeads, P.keys, P.valueDepth) + size_t(i),
              dv, size_t(t * P.valueDepth + i), 1, terms, known);
    }
  }

  /// False where nothing can be said.
  bool addRow(int64_t b, int64_t h, int64_t s, const KeyData &keys,
              const std::vector<Norms> &values, Sums &dq, Sums &dk, Sums &dv) {
    const TensorView &q = Operands[0], &k = Operands[1], &o = Operands[3],
                     &dout = Operands[5];
    int64_t head = h / P.group();
    int64_t qAt = b * P.q.batch + h * P.q.head + s * P.q.row;
    int64_t oAt = b * P.out.batch + h * P.out.head + s * P.out.row;
    int64_t gAt = b * P.dout.batch + h * P.dout.head + s * P.dout.row;
    int64_t lseAt = b * P.lse.batch + h * P.lse.head + s * P.lse.row;
    Scores scores = TheScores.row(b, h, s, keys);
    Norms gNorms = normsOf(dout, gAt, P.valueDepth, P.dout.column);
    Norms oNorms = normsOf(o, oAt, P.valueDepth, P.out.column);
    double lse = Operands[4].value(lseAt), lseError = Operands[4].error(lseAt);
    if (scores.isNaN || scores.isUnknown || !gNorms.isKnown() ||
        !oNorms.isKnown() || !std::isfinite(lseError) ||
        (!std::isfinite(lse) && lse != -Inf))
      return false;
    double delta = 0, deltaError = dotError(gNorms, oNorms);
    for (int64_t c = 0; c != P.valueDepth; ++c)
      delta +=
          dout.value(gAt + c * P.dout.column) * o.value(oAt + c * P.out.column);
    for (int64_t t = 0; t != scores.seen; ++t) {
      Pair pair;
      double a = scores.x[size_t(t)] - lse;
      if (lse != -Inf && a != -Inf &&
          !weigh(a, scores.errors[size_t(t)] + lseError, b, head, t, gAt,
                 gNorms, values[size_t(t)], delta, deltaError, &pair))
        return false;
      int64_t kAt = b * P.k.batch + head * P.k.head + t * P.k.row;
      for (int64_t i = 0; i != P.depth; ++i) {
        int64_t kHere = kAt + i * P.k.column, qHere = qAt + i * P.q.column;
        dq.add(size_t(i), pair.d, pair.dError, k.value(kHere), k.error(kHere));
        dk.add(size_t(t * P.depth + i), pair.d, pair.dError, q.value(qHere),
               q.error(qHere));
      }
      for (int64_t c = 0; c != P.valueDepth; ++c) {
        int64_t here = gAt + c * P.dout.column;
        dv.add(size_t(t * P.valueDepth + c), pair.p, pair.pError,
               dout.value(here), dout.error(here));
      }
    }
    return true;
  }

  /// The weight exp(a) and its gradient; false where they may overflow.
  bool weigh(double a, double error, int64_t b, int64_t head, int64_t t,
             int64_t gAt, const Norms &gNorms, const Norms &value, double delta,
             double deltaError, Pair *pair) {
    double off = error + 2 * L.unit * (std::fabs(a) + error);
    double high = std::exp(a + off);
    double size = gNorms.values * value.values;
    if (!(high <= L.largest / 2) || !(size <= L.largest / 4) ||
        !(std::fabs(delta) + deltaError <= L.largest / 4))
      return false;
    pair->p = std::exp(a);
    pair->pError = high - pair->p + 16 * L.unit * high + 128 * L.normal;
    double g = 0;
    int64_t vAt = valueAt(b, head, t);
    for (int64_t c = 0; c != P.valueDepth; ++c)
      g += Operands[5].value(gAt + c * P.dout.column) *
           Operands[2].value(vAt + c * P.v.column);
    double far = g - delta;
    double farError = dotError(gNorms, value) + deltaError;
    farError += 2 * L.unit * (std::fabs(far) + farError);
    pair->d = pair->p * far;
    pair->dError =
        pair->pError * (std::fabs(far) + farError) + pair->p * farError;
    pair->dError +=
        2 * L.unit * (std::fabs(pair->d) + pair->dError) + L.subnormal;
    return std::isfinite(pair->dError) &&
           std::fabs(pair->d) + pair->dError <= L.largest / 2;
  }

  /// Of the product of two vectors of value_dim elements.
  double dotError(const Norms &a, const Norms &b) const {
    double terms = double(P.valueDepth) + Few;
    return terms * 2 * L.unit * a.values * b.values + a.values * b.errors +
           a.errors * (b.values + b.errors) + 2 * terms * L.subnormal;
  }

  int64_t valueAt(int64_t b, int64_t head, int64_t t) const {
    return b * P.v.batch + head * P.v.head + t * P.v.row;
  }

  /// Where a row begins among a result's elements.
  size_t place(int64_t b, int64_t h, int64_t row, int64_t heads, int64_t rows,
               int64_t columns) const {
    return size_t((HeadsAreColumns ? (b * rows + row) * heads + h
                                   : (b * heads + h) * rows + row) *
                  columns);
  }

  void store(size_t result, size_t at, const Sums &sums, size_t from,
             double scale, double terms, bool known) {
    double factor = std::fabs(scale);
    double value = scale * sums.values[from];
    // Keys or queries may be scaled before they are summed, or sums after.
    double size = sums.sizes[from] + sums.errors[from];
    double error =
        factor * (sums.errors[from] + (terms + Few) * 2 * L.unit * size) +
        4 * terms * L.subnormal * (1 + factor);
    if (!known || !(size * (1 + factor) <= L.largest / 4))
      error = Inf;
    Results[result].values[at] = value;
    Results[result].errors[at] = settledError(value, error, P.accType);
  }

  const AttentionProblem &P;
  const std::vector<TensorView> &Operands;
  Workers TheWorkers;
  FloatLimits L;
  ScoreReader TheScores;
  bool HeadsAreColumns;
  std::vector<Tensor> Results;
};

} // namespace

StatusOr<std::vector<Tensor>>
boo::evaluateAttentionGradient(const AttentionProblem &problem,
                               const std::vector<TensorView> &operands,
                               Workers workers) {
  AttentionProblem p = viewedProblem(problem, operands);
  auto results = GradientEvaluator(p, operands, workers).run();
  if (workers.giveUp())
    return cancelledReference();
  return results;
}
