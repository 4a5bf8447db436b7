//===- Reference.cpp - Attention nodes in float64 -------------------------===//
//
// Bounds. A score is off by n units of |q| |k| (n terms; Cauchy and Schwarz
// bound their magnitudes by the product of the norms) and by its operands' own
// errors. Any reference point m of the exponentials gives the same quotient, so
// an error of m does not count; rounding x - m changes exp(x - m) by a factor
// of exp(u |x - m|), and the arguments of all factors that scale a block's sums
// anew add up to x - m. Each such factor is one more exponential. Numerator and
// denominator of the quotient are sums of as many terms as there are keys.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/attention/Reference.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/attention/Scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();
static constexpr double NaN = std::numeric_limits<double>::quiet_NaN();

namespace {

/// Keys and values of one head, dense.
struct HeadData {
  KeyData keys;
  std::vector<double> values, valueErrors; ///< [key][column]
  double largestValue = 0;                 ///< magnitude of the finite ones
  bool allFinite = true;                   ///< values and their errors
};

class Evaluator {
public:
  Evaluator(const AttentionProblem &problem,
            const std::vector<TensorView> &operands, Workers workers)
      : P(problem), Operands(operands), TheWorkers(workers),
        L(floatLimits(problem.accType)),
        TheScores(problem, operands[0], operands[1],
                  problem.hasMask ? &operands[3] : nullptr) {
    auto rows = size_t(P.batch * P.heads * P.queries);
    Results.resize(P.logsumexp ? 2 : 1);
    Results[0].values.resize(rows * size_t(P.valueDepth));
    Results[0].errors.resize(rows * size_t(P.valueDepth));
    if (P.logsumexp) {
      Results[1].values.resize(rows);
      Results[1].errors.resize(rows);
    }
    Rescalings = double(P.keys / leastKeyBlock + 1);
    Gamma = 2 * (double(P.keys) + Rescalings + Few) * L.unit;
  }

  std::vector<Tensor> run(bool headsAreColumns) {
    HeadsAreColumns = headsAreColumns;
    Heads.resize(size_t(P.batch * P.kvHeads));
    parallelFor(int64_t(Heads.size()), 1, TheWorkers,
                [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i != end; ++i)
                    readHead(i);
                });
    if (!TheWorkers.giveUp())
      parallelFor(P.batch * P.heads * P.queries, 8, TheWorkers,
                  [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i != end; ++i)
                      evaluateRow(i);
                  });
    return std::move(Results);
  }

private:
  static constexpr double Few = 32;

  void readHead(int64_t index) {
    HeadData &head = Heads[size_t(index)];
    int64_t b = index / P.kvHeads, h = index % P.kvHeads;
    const TensorView &v = Operands[2];
    int64_t vBase = b * P.v.batch + h * P.v.head;
    head.keys = TheScores.readKeys(b, h);
    head.values.resize(size_t(P.keys * P.valueDepth));
    head.valueErrors.resize(size_t(P.keys * P.valueDepth));
    for (int64_t t = 0; t != P.keys; ++t) {
      for (int64_t c = 0; c != P.valueDepth; ++c) {
        int64_t at = vBase + t * P.v.row + c * P.v.column;
        auto to = size_t(t * P.valueDepth + c);
        double value = v.value(at), error = v.error(at);
        head.values[to] = value;
        head.valueErrors[to] = error;
        if (std::isfinite(value))
          head.largestValue = std::max(head.largestValue, std::fabs(value));
        head.allFinite &= std::isfinite(value) && std::isfinite(error);
      }
    }
  }

  void evaluateRow(int64_t row) {
    int64_t s = row % P.queries, h = row / P.queries % P.heads,
            b = row / P.queries / P.heads;
    const HeadData &head = Heads[size_t(b * P.kvHeads + h / P.group())];
    Scores line = TheScores.row(b, h, s, head.keys);
    // Where the row's columns begin, in the order of the result.
    auto out = size_t(HeadsAreColumns
                          ? ((b * P.queries + s) * P.heads + h) * P.valueDepth
                          : row * P.valueDepth);
    auto set = [&](double value, double error) {
      for (int64_t c = 0; c != P.valueDepth; ++c)
        store(0, out + size_t(c), value, error);
    };
    double greatest = -Inf, greatestError = 0;
    for (int64_t t = 0; t != line.seen; ++t) {
      greatest = std::max(greatest, line.x[size_t(t)]);
      greatestError = std::max(greatestError, line.errors[size_t(t)]);
    }
    if (line.isNaN || line.isUnknown) {
      double error = line.isNaN ? 0 : Inf;
      set(NaN, error);
      return storeLse(row, NaN, error);
    }
    if (greatest == -Inf) {
      set(0, 0);
      return storeLse(row, -Inf, 0);
    }
    weigh(line, greatest);
    double sum = 0, sumError = 0;
    for (int64_t t = 0; t != line.seen; ++t) {
      sum += line.x[size_t(t)];
      sumError += line.errors[size_t(t)];
    }
    sumError += Gamma * (sum + sumError);
    double least = sum - sumError;
    if (!(least > 0)) {
      set(0, Inf);
      return storeLse(row, 0, Inf);
    }
    storeColumns(line, head, sum, sumError, out);
    double log = std::log(sum);
    double logError =
        std::max(std::log(sum + sumError) - log, log - std::log(least));
    double lse = greatest + log;
    storeLse(row, lse,
             greatestError + logError + 16 * L.unit * std::fabs(log) +
                 4 * L.unit *
                     (std::fabs(lse) + std::fabs(greatest) + greatestError) +
                 128 * L.normal);
  }

  /// Makes weights exp(x - greatest) of the scores, and their errors.
  void weigh(Scores &row, double greatest) const {
    double point = 0; // how far the kernel's greatest score may be off
    for (int64_t t = 0; t != row.seen; ++t)
      if (row.x[size_t(t)] + row.errors[size_t(t)] >= greatest)
        point = std::max(point, row.errors[size_t(t)]);
    for (int64_t t = 0; t != row.seen; ++t) {
      double &x = row.x[size_t(t)], &error = row.errors[size_t(t)];
      double a = x - greatest;
      if (a == -Inf) {
        x = error = 0;
        continue;
      }
      double off = error + 2 * L.unit * (std::fabs(a) + 2 * point);
      double high = std::exp(a + off);
      x = std::exp(a);
      error = (high - x) + (16 + 8 * Rescalings) * L.unit * high +
              128 * L.normal * Rescalings;
    }
  }

  void storeColumns(const Scores &row, const HeadData &head, double sum,
                    double sumError, size_t out) {
    auto columns = size_t(P.valueDepth);
    std::vector<double> values(columns), errors(columns);
    for (int64_t t = 0; t != row.seen; ++t) {
      double weight = row.x[size_t(t)];
      double off = row.errors[size_t(t)] + Gamma * weight;
      double high = weight + row.errors[size_t(t)];
      const double *v = &head.values[size_t(t) * columns];
      const double *dv = &head.valueErrors[size_t(t) * columns];
      for (size_t c = 0; c != columns; ++c) {
        values[c] += weight * v[c];
        errors[c] += off * std::fabs(v[c]) + high * dv[c];
      }
    }
    double least = sum - sumError;
    bool overflows = double(P.keys) * head.largestValue > L.largest / 4;
    for (size_t c = 0; c != columns; ++c) {
      double value = values[c] / sum;
      double error = (errors[c] + std::fabs(value) * sumError) / least;
      error += 8 * L.unit * (std::fabs(value) + error) +
               4 * double(P.keys) * L.subnormal;
      if (overflows)
        error = Inf;
      if (!head.allFinite)
        settleColumn(row, head, c, &value, &error);
      store(0, out + c, value, error);
    }
  }

  /// A column of values that are not all numbers.
  void settleColumn(const Scores &row, const HeadData &head, size_t column,
                    double *value, double *error) const {
    bool seenNaN = false, other = false;
    for (int64_t t = 0; t != P.keys; ++t) {
      auto at = size_t(t * P.valueDepth) + column;
      bool isNaN = std::isnan(head.values[at]) && t < row.seen;
      bool finite =
          std::isfinite(head.values[at]) && std::isfinite(head.valueErrors[at]);
      seenNaN |= isNaN;
      other |= !isNaN && !finite;
    }
    if (seenNaN) {
      *value = NaN;
      *error = 0;
    } else if (other) {
      *error = Inf;
    }
  }

  void store(size_t result, size_t at, double value, double error) {
    Results[result].values[at] = value;
    Results[result].errors[at] = settledError(value, error, P.accType);
  }
  void storeLse(int64_t row, double value, double error) {
    if (P.logsumexp)
      store(1, size_t(row), value, error);
  }

  const AttentionProblem &P;
  const std::vector<TensorView> &Operands;
  Workers TheWorkers;
  FloatLimits L;
  ScoreReader TheScores;
  double Rescalings, Gamma;
  bool HeadsAreColumns = false;
  std::vector<HeadData> Heads;
  std::vector<Tensor> Results;
};

} // namespace

StatusOr<std::vector<Tensor>>
boo::evaluateAttention(const AttentionProblem &problem,
                       const std::vector<TensorView> &operands,
                       Workers workers) {
  AttentionProblem p = viewedProblem(problem, operands);
  bool headsAreColumns = operands[0].rank() == 3;
  auto results = Evaluator(p, operands, workers).run(headsAreColumns);
  if (workers.giveUp())
    return cancelledReference();
  return results;
}
