//===- ConvProblem.cpp - A convolution, read off its node -----------------===//

#include "boo/ops/conv/ConvProblem.h"
#include "boo/graph/Attributes.h"

using namespace boo;

double ConvProblem::flops() const {
  return 2.0 * double(batch) * double(outChannels) * double(out[0]) *
         double(out[1]) * double(out[2]) * double(reduction());
}

static double volume(const std::array<int64_t, 3> &sizes) {
  return double(sizes[0]) * double(sizes[1]) * double(sizes[2]);
}

double ConvProblem::bytes() const {
  double elements =
      double(batch) * double(inChannels) * volume(in) +
      double(outChannels) * double(inPerGroup()) * volume(filter) +
      double(batch) * double(outChannels) * volume(out);
  return elements * double(dtypeBytes(dtype));
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

ConvProblem boo::convProblem(const Graph &graph, const Node &node,
                             const TensorType &outType) {
  assert(node.op == Op::Conv && "a problem is read off a conv node");
  const TensorType &in = graph.value(node.operands[0]).type;
  const TensorType &filter = graph.value(node.operands[1]).type;
  assert(in.isStatic() &&
         outType.sizes == graph.value(node.results[0]).type.sizes &&
         "the graph is static, and the tail keeps the sizes");
  ConvProblem problem;
  problem.dtype = in.dtype;
  problem.accType = attribute<DType>(node, "acc");
  problem.batch = in.sizes[0].size();
  problem.inChannels = in.sizes[1].size();
  problem.outChannels = filter.sizes[0].size();
  problem.groups = attribute<int64_t>(node, "groups");
  toThree(problem.in, in.sizes, 2);
  toThree(problem.filter, filter.sizes, 2);
  toThree(problem.out, outType.sizes, 2);
  using List = std::vector<int64_t>;
  toThree(problem.stride, attribute<List>(node, "stride"), 0);
  toThree(problem.dilation, attribute<List>(node, "dilation"), 0);
  toThree(problem.padLo, attribute<List>(node, "pad_lo"), 0);
  toThree(problem.padHi, attribute<List>(node, "pad_hi"), 0);
  problem.inStrides = convStrides(in);
  problem.filterStrides = convStrides(filter);
  problem.outStrides = convStrides(outType);
  problem.inStrides.group = {problem.inPerGroup() * problem.inStrides.channel};
  problem.filterStrides.group = {problem.outPerGroup() *
                                 problem.filterStrides.outer};
  problem.outStrides.group = {problem.outPerGroup() *
                              problem.outStrides.channel};
  return problem;
}
