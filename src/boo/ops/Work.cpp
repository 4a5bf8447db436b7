//===- Work.cpp - Flops and bytes of a Graph ------------------------------===//

#include "boo/ops/Reference.h"
#include "boo/ops/argreduce/Reference.h"
#include "boo/ops/attention/AttentionProblem.h"
#include "boo/ops/conv/ConvProblem.h"
#include "boo/ops/matmul/MatmulProblem.h"
#include "boo/ops/norm/BatchReference.h"
#include "boo/ops/norm/GradReference.h"
#include "boo/ops/norm/Reference.h"
#include "boo/ops/pool/PoolProblem.h"
#include "boo/ops/reduce/Reference.h"
#include "boo/ops/softmax/GradReference.h"
#include "boo/ops/softmax/Reference.h"

#include <set>

using namespace boo;

/// Bytes of the elements that have a place of their own.
static double distinctBytes(const TensorType &type) {
  double bytes = double(dtypeBytes(type.dtype));
  for (size_t i = 0; i != type.rank(); ++i)
    if (type.strides[i] != 0)
      bytes *= double(type.sizes[i].size());
  return type.numElements() == 0 ? 0 : bytes;
}

Work boo::graphWork(const Graph &graph) {
  Work work;
  double tailFlops = 0;
  std::set<ValueId> read;
  for (const Node &node : graph.nodes()) {
    const TensorType &type = graph.value(node.results[0]).type;
    if (isConv(node.op))
      work.flops += convProblem(graph, node, type).flops();
    if (node.op == Op::Matmul)
      work.flops += matmulProblem(graph, node, type).flops();
    if (node.op == Op::Attention || node.op == Op::AttentionGrad)
      work.flops += attentionProblem(graph, node).flops();
    if (node.op == Op::Norm || node.op == Op::BatchNorm)
      work.flops += normFlops(graph, node);
    if (node.op == Op::Softmax)
      work.flops += softmaxFlops(graph, node);
    if (node.op == Op::NormGrad)
      work.flops += normGradFlops(graph, node);
    if (node.op == Op::BatchNormGrad)
      work.flops += batchNormGradFlops(graph, node);
    if (node.op == Op::SoftmaxGrad)
      work.flops += softmaxGradFlops(graph, node);
    if (node.op == Op::Reduce)
      work.flops += reduceFlops(graph, node);
    if (node.op == Op::ArgReduce)
      work.flops += argReduceFlops(graph, node);
    if (node.op == Op::Pool || node.op == Op::PoolGrad)
      work.flops += poolProblem(graph, node).flops();
    if (node.op == Op::Pointwise)
      tailFlops += double(type.numElements());
    for (ValueId id : node.operands)
      if (graph.value(id).producer < 0)
        read.insert(id);
  }
  if (work.flops == 0)
    work.flops = tailFlops;
  for (ValueId id : read)
    work.bytes += distinctBytes(graph.value(id).type);
  for (const Output &output : graph.outputs())
    work.bytes += distinctBytes(graph.value(output.value).type);
  return work;
}
