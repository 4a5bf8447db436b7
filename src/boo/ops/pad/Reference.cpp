//===- Reference.cpp - Pad nodes in float64 -------------------------------===//

#include "boo/ops/pad/Reference.h"
#include "boo/graph/Attributes.h"

using namespace boo;

StatusOr<Tensor> boo::evaluatePad(const Graph &graph, const Node &node,
                                  const TensorView &x, Workers workers) {
  const TensorType &type = graph.value(node.results[0]).type;
  const auto &lo = attribute<std::vector<int64_t>>(node, "lo");
  double value = attribute<double>(node, "value");
  Tensor result = emptyTensor(type);
  parallelFor(type.numElements(), 4096, workers,
              [&](int64_t begin, int64_t end) {
                for (int64_t i = begin; i != end; ++i) {
                  int64_t rest = i, from = 0;
                  bool inside = true;
                  for (size_t dim = type.rank(); dim-- != 0;) {
                    int64_t at = rest % type.sizes[dim].size() - lo[dim];
                    rest /= type.sizes[dim].size();
                    inside &= at >= 0 && at < x.size(dim);
                    from += at * x.stride(dim);
                  }
                  result.values[size_t(i)] = inside ? x.value(from) : value;
                  result.errors[size_t(i)] = inside ? x.error(from) : 0;
                }
              });
  if (workers.giveUp())
    return cancelledReference();
  return result;
}
