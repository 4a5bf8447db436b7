//===- PoolProblem.cpp - A pooling, read off its node ---------------------===//

#include "boo/ops/pool/PoolProblem.h"
#include "boo/base/Math.h"
#include "boo/graph/Attributes.h"

#include <algorithm>

using namespace boo;

/// Taps of a window that starts at `first`, from position 0 up to `limit`.
static PoolProblem::Taps tapsBelow(int64_t first, int64_t limit, int64_t window,
                                   int64_t dilation) {
  auto before = [&](int64_t position) {
    return std::clamp<int64_t>(
        ceilDiv(std::max<int64_t>(position - first, 0), dilation), 0, window);
  };
  int64_t begin = before(0);
  return {begin, std::max(begin, before(limit))};
}

PoolProblem::Taps PoolProblem::taps(size_t dim, int64_t o) const {
  return tapsBelow(o * stride[dim] - padLo[dim], in[dim], window[dim],
                   dilation[dim]);
}

int64_t PoolProblem::divisor(size_t dim, int64_t o) const {
  if (fn != PoolFn::AverageInclusive)
    return taps(dim, o).count();
  int64_t padded = padLo[dim] + in[dim] + padHi[dim];
  return tapsBelow(o * stride[dim], padded, window[dim], dilation[dim]).count();
}

double PoolProblem::flops() const {
  double flops = double(batch) * double(channels);
  for (size_t dim = 0; dim != 3; ++dim)
    flops *= double(out[dim]) * double(window[dim]);
  return flops;
}

PoolProblem::Strides boo::poolStrides(const TensorType &type) {
  PoolProblem::Strides strides{type.strides[0], type.strides[1]};
  size_t skipped = 5 - type.rank();
  for (size_t i = 2; i != type.rank(); ++i)
    strides.spatial[i - 2 + skipped] = type.strides[i];
  return strides;
}

PoolProblem boo::poolProblem(const Graph &graph, const Node &node) {
  bool gradient = node.op == Op::PoolGrad;
  const TensorType &operand = graph.value(node.operands[0]).type;
  const TensorType &result = graph.value(node.results[0]).type;
  const TensorType &in = gradient ? result : operand;
  const TensorType &out = gradient ? operand : result;
  PoolProblem problem;
  const auto &fn = attribute<std::string>(node, "fn");
  problem.fn = fn == "max"   ? PoolFn::Max
               : fn == "avg" ? PoolFn::Average
                             : PoolFn::AverageInclusive;
  problem.dtype = in.dtype;
  problem.accType = attribute<DType>(node, "acc");
  problem.batch = in.sizes[0].size();
  problem.channels = in.sizes[1].size();
  size_t spatial = in.rank() - 2, skipped = 3 - spatial;
  for (size_t i = 0; i != spatial; ++i) {
    auto of = [&](const char *name) {
      return attribute<std::vector<int64_t>>(node, name)[i];
    };
    problem.in[i + skipped] = in.sizes[i + 2].size();
    problem.out[i + skipped] = out.sizes[i + 2].size();
    problem.window[i + skipped] = of("window");
    problem.stride[i + skipped] = of("stride");
    problem.dilation[i + skipped] = of("dilation");
    problem.padLo[i + skipped] = of("pad_lo");
    problem.padHi[i + skipped] = of("pad_hi");
  }
  return problem;
}
