//===- AttentionProblem.cpp - An attention, read off its node -------------===//

#include "boo/ops/attention/AttentionProblem.h"
#include "boo/graph/Attributes.h"

using namespace boo;

double AttentionProblem::pairs() const {
  double s = double(queries), t = double(keys);
  if (!causal)
    return s * t;
  // Rows 0 to t - 1 see 1, 2, … keys, those after them all.
  double growing = s < t ? s : t;
  return growing * (growing + 1) / 2 + (s - growing) * t;
}

double AttentionProblem::flops() const {
  double products = isGradient ? 3 * double(depth) + 2 * double(valueDepth)
                               : double(depth) + double(valueDepth);
  return 2.0 * double(batch) * double(heads) * pairs() * products;
}

AttentionProblem::Strides boo::headStrides(const TensorType &type,
                                           int64_t heads) {
  auto stride = [&](size_t dim) {
    return type.sizes[dim] == Dim(1) ? 0 : type.strides[dim];
  };
  if (type.rank() == 4)
    return {stride(0), stride(1), stride(2), stride(3)};
  int64_t columns = type.sizes[2].size() / heads;
  return {stride(0), heads == 1 ? 0 : columns * stride(2), stride(1),
          columns == 1 ? 0 : stride(2)};
}

AttentionProblem::Strides boo::maskStrides(const TensorType &type) {
  int64_t all[4] = {};
  for (size_t i = 0; i != type.rank(); ++i)
    if (type.sizes[i] != Dim(1))
      all[4 - type.rank() + i] = type.strides[i];
  return {all[0], all[1], all[2], all[3]};
}

AttentionProblem::Strides boo::lseStrides(const TensorType &type) {
  auto stride = [&](size_t dim) {
    return type.sizes[dim] == Dim(1) ? 0 : type.strides[dim];
  };
  return {stride(0), stride(1), stride(2), 0};
}

AttentionProblem boo::attentionProblem(const Graph &graph, const Node &node) {
  bool isGradient = node.op == Op::AttentionGrad;
  assert((isGradient || node.op == Op::Attention) &&
         "a problem is read off its node");
  const TensorType &q = graph.value(node.operands[0]).type;
  const TensorType &k = graph.value(node.operands[1]).type;
  const TensorType &v = graph.value(node.operands[2]).type;
  const TensorType &out =
      graph.value(isGradient ? node.operands[3] : node.results[0]).type;
  AttentionProblem p;
  p.isGradient = isGradient;
  p.dtype = q.dtype;
  p.accType = attribute<DType>(node, "acc");
  p.causal = attribute<bool>(node, "causal");
  p.scale = attribute<double>(node, "scale");
  p.logsumexp = p.isGradient || attribute<bool>(node, "logsumexp");
  p.batch = q.sizes[0].size();
  if (q.rank() == 4) {
    p.heads = q.sizes[1].size();
    p.kvHeads = k.sizes[1].size();
    p.depth = q.sizes[3].size();
    p.valueDepth = v.sizes[3].size();
  } else {
    p.heads = attribute<int64_t>(node, "heads");
    p.depth = q.sizes[2].size() / p.heads;
    p.kvHeads = k.sizes[2].size() / p.depth;
    p.valueDepth = v.sizes[2].size() / p.kvHeads;
  }
  size_t row = q.rank() == 4 ? 2 : 1;
  p.queries = q.sizes[row].size();
  p.keys = k.sizes[row].size();
  p.q = headStrides(q, p.heads);
  p.k = headStrides(k, p.kvHeads);
  p.v = headStrides(v, p.kvHeads);
  p.out = headStrides(out, p.heads);
  size_t mask = p.isGradient ? 6 : 3;
  if (node.operands.size() > mask) {
    const TensorType &type = graph.value(node.operands[mask]).type;
    p.hasMask = true;
    p.maskType = type.dtype;
    p.mask = maskStrides(type);
  }
  if (p.isGradient) {
    p.lse = lseStrides(graph.value(node.operands[4]).type);
    p.dout = headStrides(graph.value(node.operands[5]).type, p.heads);
    p.dq = headStrides(graph.value(node.results[0]).type, p.heads);
    p.dk = headStrides(graph.value(node.results[1]).type, p.kvHeads);
    p.dv = headStrides(graph.value(node.results[2]).type, p.kvHeads);
  } else if (p.logsumexp) {
    p.lse = lseStrides(graph.value(node.results[1]).type);
  }
  return p;
}
