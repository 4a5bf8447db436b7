//===- Reference.cpp - Norm nodes in float64 ------------------------------===//
//
// Its statistics, and their bounds, are those of Statistics.cpp.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/norm/Reference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Off.h"
#include "boo/ops/Rows.h"
#include "boo/ops/norm/NormOperands.h"
#include "boo/ops/norm/Statistics.h"

#include <limits>

using namespace boo;

static constexpr double Inf = std::numeric_limits<double>::infinity();

StatusOr<std::vector<Tensor>>
boo::evaluateNorm(const Graph &graph, const Node &node,
                  const std::vector<TensorView> &operands, Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  double eps = attribute<double>(node, "eps");
  bool centred = !isRmsNorm(node);
  std::vector<Tensor> results;
  for (ValueId id : node.results)
    results.push_back(emptyTensor(graph.value(id).type));

  auto settle = [&](Tensor &tensor, int64_t at, Off off) {
    tensor.values[size_t(at)] = off.value;
    tensor.errors[size_t(at)] = settledError(off.value, off.error, acc);
  };
  forEachRow(operands, reducedDims(graph, node), workers,
             [&](int64_t number, const std::vector<Row> &rows) {
               const Row &x = rows[0];
               auto at = [&](size_t operand, size_t i) {
                 return Off{rows[operand].x[i], rows[operand].errors[i]};
               };
               NormStatistics s =
                   normStatistics(x, eps, limits, mayBeChunked(x), centred);
               for (size_t i = 0; i != x.x.size(); ++i) {
                 Off y =
                     times(plus(at(0, i), -s.mean, limits), s.scale, limits);
                 if (rows.size() > 1)
                   y = times(y, at(1, i), limits);
                 if (rows.size() > 2)
                   y = plus(y, at(2, i), limits);
                 // What overflows on the way is lost, whatever it meets later.
                 if (s.scale.error == Inf || x.maxError == Inf)
                   y.error = Inf;
                 settle(results[0], x.at[i], y);
               }
               if (results.size() == 3)
                 settle(results[1], number, s.mean);
               if (results.size() > 1)
                 settle(results.back(), number, s.scale);
             });
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

double boo::normFlops(const Graph &graph, const Node &node) {
  return 8 * double(graph.value(node.operands[0]).type.numElements());
}
