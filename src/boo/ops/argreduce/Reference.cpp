//===- Reference.cpp - ArgReduce nodes in float64 -------------------------===//

#include "boo/ops/argreduce/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Rows.h"

#include <cmath>
#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

/// Whether `a` is meant rather than `b` that stands before it.
static bool beats(double a, double b, bool greatest) {
  if (std::isnan(b))
    return false;
  return std::isnan(a) || (greatest ? a > b : a < b);
}

/// Whether element `winner` is surely meant, wherever the elements lie within
/// their errors.
static bool isCertain(const Row &row, size_t winner, bool greatest) {
  if (row.maxError == 0)
    return true;
  double sign = greatest ? 1 : -1;
  double least = sign * row.x[winner] - row.errors[winner];
  for (size_t i = 0; i != row.x.size(); ++i)
    if (i != winner && !(sign * row.x[i] + row.errors[i] < least))
      return false;
  return true;
}

StatusOr<std::vector<Tensor>> boo::evaluateArgReduce(const Graph &graph,
                                                     const Node &node,
                                                     const TensorView &x,
                                                     Workers workers) {
  bool greatest = attribute<std::string>(node, "fn") == "max";
  auto count = size_t(graph.value(node.results[0]).type.numElements());
  std::vector<Tensor> results(node.results.size());
  for (Tensor &tensor : results) {
    tensor.values.resize(count);
    tensor.errors.resize(count);
  }
  forEachRow(x, reducedDims(graph, node), workers,
             [&](int64_t number, const Row &row) {
               size_t winner = 0, at = size_t(number);
               for (size_t i = 1; i != row.x.size(); ++i)
                 if (beats(row.x[i], row.x[winner], greatest))
                   winner = i;
               results[0].values[at] = double(winner);
               results[0].errors[at] =
                   isCertain(row, winner, greatest) ? 0 : Inf;
               if (results.size() == 1)
                 return;
               results[1].values[at] = row.x[winner];
               results[1].errors[at] = row.maxError;
             });
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

double boo::argReduceFlops(const Graph &graph, const Node &node) {
  return double(graph.value(node.operands[0]).type.numElements());
}
