//===- Reference.cpp - Pointwise nodes in float64 -------------------------===//

#include "boo/ops/ErrorBound.h"
#include "boo/ops/pointwise/Pointwise.h"

#include <algorithm>
#include <cmath>

using namespace boo;

namespace {
/// An operand's strides along the dimensions of the result, 0 where it
/// stretches.
using Strides = std::vector<int64_t>;
} // namespace

static Strides broadcastStrides(const TensorView &view, size_t rank) {
  Strides strides(rank, 0);
  for (size_t i = 0; i != view.rank(); ++i)
    if (view.size(i) != 1)
      strides[rank - view.rank() + i] = view.stride(i);
  return strides;
}

constexpr size_t MaxOperands = 3; // of GraphOps.inc

/// Calls `compute(x, e, value, error)` for every element of the result: x and e
/// are the operands' values and errors there.
template <typename Compute>
static Tensor mapElements(const std::vector<TensorView> &operands,
                          const TensorType &type, Workers workers,
                          Compute compute) {
  assert(operands.size() <= MaxOperands && "GraphOps.inc allows three");
  size_t rank = type.rank();
  std::vector<Strides> strides;
  for (const TensorView &view : operands)
    strides.push_back(broadcastStrides(view, rank));
  int64_t count = type.numElements();
  Tensor result;
  result.values.resize(size_t(count));
  result.errors.resize(size_t(count));

  parallelFor(count, 1 << 14, workers, [&](int64_t begin, int64_t end) {
    // An odometer over the result's indices, one offset an operand.
    std::vector<int64_t> at(rank);
    int64_t offsets[MaxOperands] = {};
    int64_t rest = begin;
    for (size_t i = rank; i-- != 0;) {
      at[i] = rest % type.sizes[i].size();
      rest /= type.sizes[i].size();
      for (size_t j = 0; j != operands.size(); ++j)
        offsets[j] += at[i] * strides[j][i];
    }
    for (int64_t index = begin; index != end; ++index) {
      double x[MaxOperands] = {}, e[MaxOperands] = {};
      for (size_t j = 0; j != operands.size(); ++j) {
        x[j] = operands[j].value(offsets[j]);
        e[j] = operands[j].error(offsets[j]);
      }
      compute(x, e, result.values[size_t(index)], result.errors[size_t(index)]);
      for (size_t i = rank; i-- != 0;) {
        int64_t size = type.sizes[i].size();
        bool wraps = ++at[i] == size;
        if (wraps)
          at[i] = 0;
        int64_t steps = wraps ? 1 - size : 1;
        for (size_t j = 0; j != operands.size(); ++j)
          offsets[j] += steps * strides[j][i];
        if (!wraps)
          break;
      }
    }
  });
  return result;
}

Tensor boo::evaluatePointwise(PointwiseFn fn,
                              const std::vector<double> &parameters,
                              const std::vector<TensorView> &operands,
                              const TensorType &type, Workers workers) {
  DType compute = computeType(type.dtype);
  return mapElements(
      operands, type, workers,
      [&](const double *x, const double *e, double &value, double &error) {
        value = pointwiseValue(fn, x, parameters.data());
        error = pointwiseError(fn, x, e, parameters.data(), value, compute);
      });
}

Tensor boo::evaluateCast(const TensorView &operand, DType from,
                         const TensorType &type, Workers workers) {
  bool rounds = from == DType::F64 && type.dtype != DType::F64;
  return mapElements(
      {operand}, type, workers,
      [&](const double *x, const double *e, double &value, double &error) {
        value = x[0];
        error = rounds ? roundedError(x[0], e[0], DType::F32) : e[0];
        // What is exact stays so: float64 to float32 has one right result.
        if (rounds && e[0] == 0 && std::isfinite(float(x[0]))) {
          value = float(x[0]);
          error = 0;
        }
      });
}
