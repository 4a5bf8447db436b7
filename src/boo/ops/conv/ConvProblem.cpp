//===- ConvProblem.cpp - A convolution, read off its node -----------------===//

#include "boo/ops/conv/ConvProblem.h"
#include "boo/base/Math.h"
#include "boo/graph/Attributes.h"

#include <numeric>

using namespace boo;

static double volume(const std::array<int64_t, 3> &sizes) {
  return double(sizes[0]) * double(sizes[1]) * double(sizes[2]);
}

int64_t ConvProblem::reduction() const {
  switch (direction) {
  case ConvDirection::Forward:
    return inPerGroup() * filter[0] * filter[1] * filter[2];
  case ConvDirection::InputGradient: {
    // Taps that meet one input pixel are a period of the stride apart.
    int64_t terms = outPerGroup();
    for (size_t d = 0; d != 3; ++d)
      terms *= ceilDiv(filter[d], stride[d] / std::gcd(stride[d], dilation[d]));
    return terms;
  }
  case ConvDirection::WeightGradient:
    return batch * out[0] * out[1] * out[2];
  }
  return 0;
}

double ConvProblem::flops() const {
  return 2.0 * double(batch) * double(outChannels) * volume(out) *
         double(inPerGroup()) * volume(filter);
}

double ConvProblem::bytes() const {
  double elements =
      double(batch) * double(inChannels) * volume(in) +
      double(outChannels) * double(inPerGroup()) * volume(filter) +
      double(batch) * double(outChannels) * volume(out);
  return elements * double(dtypeBytes(dtype));
}

ConvProblem boo::forwardForm(const ConvProblem &problem) {
  if (problem.direction != ConvDirection::InputGradient ||
      problem.stride != std::array<int64_t, 3>{1, 1, 1})
    return problem;
  ConvProblem p = problem;
  p.direction = ConvDirection::Forward;
  std::swap(p.inChannels, p.outChannels);
  std::swap(p.in, p.out);
  std::swap(p.inStrides, p.outStrides);
  std::swap(p.filterStrides.outer, p.filterStrides.channel);
  for (size_t d = 0; d != 3; ++d) {
    int64_t reach = (p.filter[d] - 1) * p.dilation[d];
    p.padLo[d] = reach - problem.padLo[d];
    p.padHi[d] = reach - problem.padHi[d];
    p.filterStrides.base += (p.filter[d] - 1) * p.filterStrides.spatial[d];
    p.filterStrides.spatial[d] = -p.filterStrides.spatial[d];
  }
  return p;
}

/// Copies the spatial part of `values` (from `skip` on) to the end of `to`.
template <typename T>
static void toThree(std::array<int64_t, 3> &to, const std::vector<T> &values,
                    size_t skip) {
  size_t count = values.size() - skip;
  for (size_t i = 0; i != count; ++i) {
    if constexpr (std::is_same_v<T, Dim>)
      to[3 - count + i] = values[skip + i].size();
    else
      to[3 - count + i] = values[skip + i];
  }
}

/// A stride over a dimension of size 1 is never taken: 0, as in canonical form.
static ConvProblem::Strides convStrides(const TensorType &type) {
  std::vector<int64_t> strides = type.strides;
  for (size_t i = 0; i != strides.size(); ++i)
    if (type.sizes[i] == Dim(1))
      strides[i] = 0;
  ConvProblem::Strides result;
  result.outer = strides[0];
  result.channel = strides[1];
  toThree(result.spatial, strides, 2);
  return result;
}

bool boo::isConv(Op op) {
  return op == Op::Conv || op == Op::ConvGradInput || op == Op::ConvGradWeight;
}

ConvProblem boo::convProblem(const Graph &graph, const Node &node,
                             const TensorType &resultType) {
  assert(isConv(node.op) && "a problem is read off a convolution's node");
  const TensorType *first = &graph.value(node.operands[0]).type;
  const TensorType *second = &graph.value(node.operands[1]).type;
  assert(first->isStatic() &&
         resultType.sizes == graph.value(node.results[0]).type.sizes &&
         "the graph is static, and the tail keeps the sizes");
  ConvProblem problem;
  const TensorType *in = first, *filter = second, *out = &resultType;
  if (node.op == Op::ConvGradInput) {
    problem.direction = ConvDirection::InputGradient;
    in = &resultType, out = first;
  } else if (node.op == Op::ConvGradWeight) {
    problem.direction = ConvDirection::WeightGradient;
    in = second, filter = &resultType, out = first;
  }
  problem.dtype = first->dtype;
  problem.accType = attribute<DType>(node, "acc");
  problem.batch = in->sizes[0].size();
  problem.inChannels = in->sizes[1].size();
  problem.outChannels = filter->sizes[0].size();
  problem.groups = attribute<int64_t>(node, "groups");
  toThree(problem.in, in->sizes, 2);
  toThree(problem.filter, filter->sizes, 2);
  toThree(problem.out, out->sizes, 2);
  using List = std::vector<int64_t>;
  toThree(problem.stride, attribute<List>(node, "stride"), 0);
  toThree(problem.dilation, attribute<List>(node, "dilation"), 0);
  toThree(problem.padLo, attribute<List>(node, "pad_lo"), 0);
  toThree(problem.padHi, attribute<List>(node, "pad_hi"), 0);
  problem.inStrides = convStrides(*in);
  problem.filterStrides = convStrides(*filter);
  problem.outStrides = convStrides(*out);
  problem.inStrides.group = {problem.inPerGroup() * problem.inStrides.channel};
  problem.filterStrides.group = {problem.outPerGroup() *
                                 problem.filterStrides.outer};
  problem.outStrides.group = {problem.outPerGroup() *
                              problem.outStrides.channel};
  return problem;
}
