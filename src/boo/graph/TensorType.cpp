//===- TensorType.cpp - Sizes, strides and the memory they span -----------===//
//
// Products saturate at INT64_MAX, so that a type that verify() has yet to
// refuse is no undefined behaviour.
//
//===----------------------------------------------------------------------===//

#include "boo/graph/Graph.h"

#include <algorithm>
#include <limits>

using namespace boo;

static constexpr int64_t Huge = std::numeric_limits<int64_t>::max();

static int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? Huge : product;
}

static int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? Huge : sum;
}

bool TensorType::isStatic() const {
  return std::none_of(sizes.begin(), sizes.end(),
                      [](Dim dim) { return dim.isSymbol(); });
}

int64_t TensorType::numElements() const {
  assert(isStatic() && "a symbolic type has no element count");
  int64_t count = 1;
  for (Dim dim : sizes) {
    // Zero wins over saturation.
    if (dim.size() == 0)
      return 0;
    count = saturatingMul(count, dim.size());
  }
  return count;
}

int64_t TensorType::spanBytes() const {
  if (numElements() == 0)
    return 0;
  int64_t last = 0;
  for (size_t i = 0; i != rank(); ++i)
    last = saturatingAdd(last, saturatingMul(sizes[i].size() - 1, strides[i]));
  return saturatingMul(saturatingAdd(last, 1), dtypeBytes(dtype));
}

TensorType TensorType::contiguous(DType dtype, std::vector<int64_t> sizes) {
  std::vector<size_t> order(sizes.size());
  for (size_t i = 0; i != order.size(); ++i)
    order[i] = i;
  return permuted(dtype, std::move(sizes), order);
}

TensorType TensorType::permuted(DType dtype, std::vector<int64_t> sizes,
                                const std::vector<size_t> &order) {
  assert(order.size() == sizes.size() && "one position a dimension");
  TensorType type;
  type.dtype = dtype;
  type.sizes.assign(sizes.begin(), sizes.end());
  type.strides.resize(sizes.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- != 0;) {
    size_t dim = order[i];
    type.strides[dim] = stride;
    // As torch does, so that an empty tensor's strides stay usable.
    stride = saturatingMul(stride, std::max<int64_t>(sizes[dim], 1));
  }
  return type;
}
