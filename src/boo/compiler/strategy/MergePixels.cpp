//===- MergePixels.cpp - Fewer dimensions of pixels -----------------------===//

#include "boo/compiler/strategy/MergePixels.h"

#include <functional>

using namespace boo;
using namespace boo::compiler;

using Operands = std::span<ConvProblem::Strides *const>;
using StrideOf = std::function<int64_t &(ConvProblem::Strides &)>;

/// Whether stepping the outer index is the same as stepping the inner one by
/// its size, for all operands. An inner size of 1 says nothing about its
/// stride: it takes the outer one's.
static bool joins(Operands operands, const StrideOf &outer, int64_t outerSize,
                  const StrideOf &inner, int64_t innerSize) {
  if (outerSize == 1)
    return true;
  if (innerSize != 1) {
    for (ConvProblem::Strides *s : operands)
      if (outer(*s) != inner(*s) * innerSize)
        return false;
    return true;
  }
  for (ConvProblem::Strides *s : operands)
    inner(*s) = outer(*s);
  return true;
}

static bool walksAlong(const ConvProblem &p, size_t dim) {
  return p.filter[dim] == 1 && p.stride[dim] == 1 && p.padLo[dim] == 0 &&
         p.in[dim] == p.out[dim];
}

/// Merges spatial dimension `dim` into the one after it, if memory allows.
static void mergeSpatial(ConvProblem &p, Operands operands, size_t dim) {
  if (!walksAlong(p, dim) || !walksAlong(p, dim + 1))
    return;
  auto stride = [](size_t d) {
    return [d](ConvProblem::Strides &s) -> int64_t & { return s.spatial[d]; };
  };
  if (!joins(operands, stride(dim), p.in[dim], stride(dim + 1), p.in[dim + 1]))
    return;
  p.in[dim + 1] *= p.in[dim];
  p.out[dim + 1] *= p.out[dim];
  p.in[dim] = p.out[dim] = 1;
}

/// Merges the batch into the width.
static void mergeBatch(ConvProblem &p, Operands operands) {
  if (!walksAlong(p, 2) || p.out[0] != 1 || p.out[1] != 1 || p.in[0] != 1 ||
      p.in[1] != 1)
    return;
  if (!joins(
          operands, [](auto &s) -> int64_t & { return s.outer; }, p.batch,
          [](auto &s) -> int64_t & { return s.spatial[2]; }, p.in[2]))
    return;
  p.in[2] *= p.batch;
  p.out[2] *= p.batch;
  p.batch = 1;
}

void boo::compiler::mergeRows(ConvProblem &problem, Operands operands) {
  mergeSpatial(problem, operands, 0);
  mergeSpatial(problem, operands, 1);
}

void boo::compiler::mergePixels(ConvProblem &problem, Operands operands) {
  mergeRows(problem, operands);
  mergeBatch(problem, operands);
}
