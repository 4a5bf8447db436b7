//===- GradReference.cpp - Gradients of softmaxes in float64 --------------===//

#include "boo/ops/softmax/GradReference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Off.h"
#include "boo/ops/Rows.h"

using namespace boo;

StatusOr<Tensor>
boo::evaluateSoftmaxGrad(const Graph &graph, const Node &node,
                         const std::vector<TensorView> &operands,
                         Workers workers) {
  DType acc = attribute<DType>(node, "acc");
  FloatLimits limits = floatLimits(acc);
  bool log = attribute<bool>(node, "log");
  Tensor result = emptyTensor(graph.value(node.results[0]).type);
  forEachRow(
      operands, reducedDims(graph, node), workers,
      [&](int64_t, const std::vector<Row> &rows) {
        auto at = [&](size_t operand, size_t i) {
          return Off{rows[operand].x[i], rows[operand].errors[i]};
        };
        OffSum sum;
        for (size_t i = 0; i != rows[0].x.size(); ++i)
          sum.add(log ? at(0, i) : times(at(0, i), at(1, i), limits));
        Off total = sum.result(limits);
        for (size_t i = 0; i != rows[0].x.size(); ++i) {
          Off dy = at(0, i), y = at(1, i);
          Off dx = log ? plus(dy, -times(exponential(y, limits), total, limits),
                              limits)
                       : times(y, plus(dy, -total, limits), limits);
          auto place = size_t(rows[0].at[i]);
          result.values[place] = dx.value;
          result.errors[place] = settledError(dx.value, dx.error, acc);
        }
      });
  if (workers.giveUp())
    return cancelledReference();
  return result;
}

double boo::softmaxGradFlops(const Graph &graph, const Node &node) {
  return 4 * double(graph.value(node.operands[0]).type.numElements());
}
