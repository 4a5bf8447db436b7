//===- MatmulProblem.cpp - A matrix product, read off its node ------------===//

#include "boo/ops/matmul/MatmulProblem.h"
#include "boo/graph/Attributes.h"

using namespace boo;

int64_t MatmulProblem::batchCount() const {
  int64_t count = 1;
  for (int64_t size : batch)
    count *= size;
  return count;
}

double MatmulProblem::flops() const {
  return 2.0 * double(batchCount()) * double(m) * double(n) * double(k);
}

MatmulProblem::Strides boo::matmulStrides(const TensorType &type, size_t rank) {
  std::vector<int64_t> all(rank, 0);
  for (size_t i = 0; i != type.rank(); ++i)
    if (type.sizes[i] != Dim(1))
      all[rank - type.rank() + i] = type.strides[i];
  MatmulProblem::Strides strides;
  strides.batch.assign(all.begin(), all.end() - 2);
  strides.row = all[rank - 2];
  strides.column = all[rank - 1];
  return strides;
}

MatmulProblem boo::matmulProblem(const Graph &graph, const Node &node,
                                 const TensorType &outType) {
  assert(node.op == Op::Matmul && "a problem is read off a matmul node");
  const TensorType &a = graph.value(node.operands[0]).type;
  const TensorType &b = graph.value(node.operands[1]).type;
  assert(outType.sizes == graph.value(node.results[0]).type.sizes &&
         "the tail keeps the sizes");
  size_t rank = outType.rank();
  MatmulProblem problem;
  problem.dtype = a.dtype;
  problem.accType = attribute<DType>(node, "acc");
  for (size_t i = 0; i + 2 != rank; ++i)
    problem.batch.push_back(outType.sizes[i].size());
  problem.m = outType.sizes[rank - 2].size();
  problem.n = outType.sizes[rank - 1].size();
  problem.k = a.sizes[a.rank() - 1].size();
  problem.a = matmulStrides(a, rank);
  problem.b = matmulStrides(b, rank);
  problem.out = matmulStrides(outType, rank);
  return problem;
}
