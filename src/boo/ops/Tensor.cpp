//===- Tensor.cpp - Values of the reference and their errors --------------===//

#include "boo/ops/Tensor.h"
#include "boo/base/FloatConvert.h"
#include "boo/base/RunOnThreads.h"
#include "boo/ops/Reference.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

using namespace boo;

// A user's buffer is aligned to its element, yet may be typed otherwise:
// memcpy, which costs nothing.
template <typename T> static T read(const void *buffer, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char *>(buffer) + index * sizeof(T),
              sizeof(T));
  return value;
}

template <typename T> static void write(void *buffer, int64_t index, T value) {
  std::memcpy(static_cast<char *>(buffer) + index * sizeof(T), &value,
              sizeof(T));
}

template <typename T> static double loadAs(const void *buffer, int64_t index) {
  return double(read<T>(buffer, index));
}

/// Rounds to the nearest integer, ties to even, and clamps; NaN gives 0.
template <typename T> static T toInteger(double value) {
  constexpr double Low = double(std::numeric_limits<T>::min());
  constexpr double High = double(std::numeric_limits<T>::max());
  if (std::isnan(value))
    return 0;
  value = std::nearbyint(value);
  // High may have been rounded up to one more than fits.
  if (value >= High)
    return std::numeric_limits<T>::max();
  return value <= Low ? std::numeric_limits<T>::min() : T(value);
}

double (*boo::elementLoader(DType dtype))(const void *, int64_t) {
  switch (dtype) {
  case DType::F64:
    return loadAs<double>;
  case DType::F32:
    return loadAs<float>;
  case DType::F16:
    return [](const void *buffer, int64_t index) {
      return fromFloat16Bits(read<uint16_t>(buffer, index));
    };
  case DType::BF16:
    return [](const void *buffer, int64_t index) {
      return fromBfloat16Bits(read<uint16_t>(buffer, index));
    };
  case DType::I64:
    return loadAs<int64_t>;
  case DType::I32:
    return loadAs<int32_t>;
  case DType::I8:
    return loadAs<int8_t>;
  case DType::I1:
    return [](const void *buffer, int64_t index) {
      return read<uint8_t>(buffer, index) ? 1.0 : 0.0;
    };
  }
  return nullptr;
}

double boo::loadElement(const void *buffer, DType dtype, int64_t index) {
  return elementLoader(dtype)(buffer, index);
}

void boo::storeElement(void *buffer, DType dtype, int64_t index, double value) {
  switch (dtype) {
  case DType::F64:
    return write(buffer, index, value);
  case DType::F32:
    return write(buffer, index, float(value));
  case DType::F16:
    return write(buffer, index, toFloat16Bits(value));
  case DType::BF16:
    return write(buffer, index, toBfloat16Bits(value));
  case DType::I64:
    return write(buffer, index, toInteger<int64_t>(value));
  case DType::I32:
    return write(buffer, index, toInteger<int32_t>(value));
  case DType::I8:
    return write(buffer, index, toInteger<int8_t>(value));
  case DType::I1:
    return write(buffer, index, uint8_t(value != 0));
  }
}

static std::vector<int64_t> staticSizes(const TensorType &type) {
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  return sizes;
}

Tensor boo::emptyTensor(const TensorType &type) {
  Tensor tensor;
  tensor.values.resize(size_t(type.numElements()));
  tensor.errors.resize(size_t(type.numElements()));
  return tensor;
}

TensorView::TensorView(const void *buffer, const TensorType &type)
    : Buffer(buffer), Load(elementLoader(type.dtype)), Sizes(staticSizes(type)),
      Strides(type.strides) {}

TensorView::TensorView(const Tensor &tensor, const TensorType &type)
    : Buffer(tensor.values.data()), Load(elementLoader(DType::F64)),
      Errors(tensor.errors.data()), Sizes(staticSizes(type)),
      Strides(TensorType::contiguous(DType::F64, Sizes).strides) {}

bool boo::hasUnknown(const TensorView &view) {
  if (view.isExact())
    return false;
  int64_t count = 1;
  for (size_t i = 0; i != view.rank(); ++i)
    count *= view.size(i);
  for (int64_t i = 0; i != count; ++i)
    if (std::isinf(view.error(i)))
      return true;
  return false;
}

void boo::parallelFor(int64_t count, int64_t pieceSize, Workers workers,
                      const std::function<void(int64_t, int64_t)> &body) {
  std::atomic<int64_t> next = 0;
  int64_t pieces = (count + pieceSize - 1) / pieceSize;
  runOnThreads(std::min<int64_t>(workers.threads, pieces), [&] {
    for (int64_t begin;
         !workers.giveUp() && (begin = next.fetch_add(pieceSize)) < count;)
      body(begin, std::min(begin + pieceSize, count));
  });
}

std::vector<int64_t> boo::elementPositions(const TensorType &type) {
  std::vector<int64_t> result{0};
  for (size_t d = 0; d != type.rank(); ++d) {
    std::vector<int64_t> next;
    for (int64_t base : result)
      for (int64_t i = 0; i != type.sizes[d].size(); ++i)
        next.push_back(base + i * type.strides[d]);
    result = std::move(next);
  }
  return result;
}
