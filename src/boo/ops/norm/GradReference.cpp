//===- GradReference.cpp - Gradients of norms in float64 ------------------===//

#include "boo/ops/norm/GradReference.h"
#include "boo/graph/Attributes.h"
#include "boo/ops/Off.h"
#include "boo/ops/Rows.h"
#include "boo/ops/norm/NormOperands.h"

using namespace boo;

namespace {

/// Operands of the node: dy alone, or dy, x, mean unless the norm is one by the
/// mean square, rstd, and perhaps weight.
class NormGrad {
public:
  NormGrad(const Graph &graph, const Node &node,
           const std::vector<TensorView> &operands, Workers workers)
      : Operands(operands), Places(node), Acc(attribute<DType>(node, "acc")),
        L(floatLimits(Acc)), Dims(reducedDims(graph, node)),
        TheWorkers(workers) {}

  void input(Tensor *dx) const {
    forEachRow(
        Operands, Dims, TheWorkers, [&](int64_t, const std::vector<Row> &rows) {
          OffSum sum, product;
          size_t length = rows[0].x.size();
          for (size_t i = 0; i != length; ++i) {
            Off g = weighted(rows, i);
            sum.add(g);
            product.add(times(g, normalised(rows, i), L));
          }
          Off part{1 / double(length), L.unit / double(length)};
          Off level = times(sum.result(L), part, L);
          Off slope = times(product.result(L), part, L);
          for (size_t i = 0; i != length; ++i) {
            Off change = weighted(rows, i);
            if (Places.centred)
              change = plus(change, -level, L);
            Off along = times(normalised(rows, i), slope, L);
            settle(dx, rows[0].at[i],
                   times(plus(change, -along, L), at(rows[Places.rstd], i), L));
          }
        });
  }

  /// Over the elements that one of the weight's served.
  void weight(Tensor *dweight) const {
    sums(dweight, [&](const std::vector<Row> &rows, size_t i) {
      return times(at(rows[0], i), normalised(rows, i), L);
    });
  }
  void bias(Tensor *dbias) const {
    sums(dbias, [&](const std::vector<Row> &rows, size_t i) {
      return at(rows[0], i);
    });
  }

private:
  static Off at(const Row &row, size_t i) { return {row.x[i], row.errors[i]}; }
  Off normalised(const std::vector<Row> &rows, size_t i) const {
    Off x = at(rows[1], i);
    if (Places.centred)
      x = plus(x, -at(rows[Places.mean], i), L);
    return times(x, at(rows[Places.rstd], i), L);
  }
  Off weighted(const std::vector<Row> &rows, size_t i) const {
    Off dy = at(rows[0], i);
    bool plain = rows.size() <= Places.weight;
    return plain ? dy : times(dy, at(rows[Places.weight], i), L);
  }
  void settle(Tensor *tensor, int64_t at, Off off) const {
    tensor->values[size_t(at)] = off.value;
    tensor->errors[size_t(at)] = settledError(off.value, off.error, Acc);
  }
  template <typename Term> void sums(Tensor *tensor, Term term) const {
    forEachRow(Operands, Dims.others(), TheWorkers,
               [&](int64_t number, const std::vector<Row> &rows) {
                 OffSum sum;
                 for (size_t i = 0; i != rows[0].x.size(); ++i)
                   sum.add(term(rows, i));
                 settle(tensor, number, sum.result(L));
               });
  }

  const std::vector<TensorView> &Operands;
  NormGradOperands Places;
  DType Acc;
  FloatLimits L;
  ReducedDims Dims;
  Workers TheWorkers;
};

} // namespace

StatusOr<std::vector<Tensor>>
boo::evaluateNormGrad(const Graph &graph, const Node &node,
                      const std::vector<TensorView> &operands,
                      Workers workers) {
  std::vector<Tensor> results;
  for (ValueId id : node.results)
    results.push_back(emptyTensor(graph.value(id).type));
  NormGrad gradient(graph, node, operands, workers);
  size_t next = 0;
  if (attribute<bool>(node, "dx"))
    gradient.input(&results[next++]);
  if (attribute<bool>(node, "dweight"))
    gradient.weight(&results[next++]);
  if (attribute<bool>(node, "dbias"))
    gradient.bias(&results[next++]);
  if (workers.giveUp())
    return cancelledReference();
  return results;
}

double boo::normGradFlops(const Graph &graph, const Node &node) {
  double each = (attribute<bool>(node, "dx") ? 12 : 0) +
                (attribute<bool>(node, "dweight") ? 4 : 0) +
                (attribute<bool>(node, "dbias") ? 1 : 0);
  return each * double(graph.value(node.operands[0]).type.numElements());
}
