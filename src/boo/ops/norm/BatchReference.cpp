//===- BatchReference.cpp - Batch norms in float64 ------------------------===//

#include "boo/ops/norm/BatchReference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/norm/Statistics.h"

#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

static std::vector<Tensor> resultsOf(const Graph &graph, const Node &node) {
  std::vector<Tensor> results;
  for (ValueId id : node.results)
    results.push_back(emptyTensor(graph.value(id).type));
  return results;
}

static Off at(const Row &row, size_t i) { return {row.x[i], row.errors[i]}; }

static void settle(Tensor &tensor, int64_t at, Off off, DType acc) {
  tensor.values[size_t(at)] = off.value;
  tensor.errors[size_t(at)] = settledError(off.value, off.error, acc);
}

/// A factor that the kernel holds rounded.
static Off constant(double value, const FloatLimits &limits) {
  return {value, limits.unit * std::fabs(value)};
}

StatusOr<std::vector<Tensor>>
boo::evaluateBatchNorm(const Graph &graph, const Node &node,
                       const std::vector<TensorView> &operands,
                       Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  double eps = attribute<double>(node, "eps");
  double momentum = attribute<double>(node, "momentum");
  bool stats = attribute<bool>(node, "stats");
  std::vector<Tensor> results = resultsOf(graph, node);
  forEachRow(
      operands, reducedDims(graph, node), workers,
      [&](int64_t number, const std::vector<Row> &rows) {
        const Row &x = rows[0];
        NormStatistics s = normStatistics(x, eps, limits, /*joined=*/true);
        Off scale = at(rows[1], 0), bias = at(rows[2], 0);
        for (size_t i = 0; i != x.x.size(); ++i) {
          Off y = times(plus(at(x, i), -s.mean, limits), s.scale, limits);
          y = plus(times(y, scale, limits), bias, limits);
          if (s.scale.error == Inf)
            y.error = Inf;
          settle(results[0], x.at[i], y, acc);
        }
        size_t next = 1;
        if (stats) {
          settle(results[next++], number, s.mean, acc);
          settle(results[next++], number, s.scale, acc);
        }
        if (rows.size() == 3)
          return;
        double n = double(x.x.size());
        Off stays = constant(1 - momentum, limits);
        auto moved = [&](const Row &running, Off batch, double factor) {
          return plus(times(at(running, 0), stays, limits),
                      times(batch, constant(factor, limits), limits), limits);
        };
        double unbiased = n > 1 ? n / (n - 1) : 1;
        settle(results[next++], number, moved(rows[3], s.mean, momentum), acc);
        settle(results[next++], number,
               moved(rows[4], s.variance, momentum * unbiased), acc);
      });
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

StatusOr<std::vector<Tensor>>
boo::evaluateBatchNormGrad(const Graph &graph, const Node &node,
                           const std::vector<TensorView> &operands,
                           Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  std::vector<Tensor> results = resultsOf(graph, node);
  forEachRow(
      operands, reducedDims(graph, node), workers,
      [&](int64_t number, const std::vector<Row> &rows) {
        size_t length = rows[0].x.size();
        Off mean = at(rows[2], 0), rstd = at(rows[3], 0);
        auto normalised = [&](size_t i) {
          return times(plus(at(rows[1], i), -mean, limits), rstd, limits);
        };
        OffSum sum, product;
        for (size_t i = 0; i != length; ++i) {
          sum.add(at(rows[0], i));
          product.add(times(at(rows[0], i), normalised(i), limits));
        }
        Off dbias = sum.result(limits), dscale = product.result(limits);
        Off part = constant(1 / double(length), limits);
        Off level = times(dbias, part, limits);
        Off slope = times(dscale, part, limits);
        Off factor = times(rstd, at(rows[4], 0), limits);
        for (size_t i = 0; i != length; ++i) {
          Off dx = plus(plus(at(rows[0], i), -level, limits),
                        -times(normalised(i), slope, limits), limits);
          settle(results[0], rows[0].at[i], times(dx, factor, limits), acc);
        }
        settle(results[1], number, dscale, acc);
        settle(results[2], number, dbias, acc);
      });
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

double boo::batchNormGradFlops(const Graph &graph, const Node &node) {
  return 17 * double(graph.value(node.operands[0]).type.numElements());
}
