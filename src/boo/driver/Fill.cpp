//===- Fill.cpp -----------------------------------------------------------===//

#include "boo/driver/Fill.h"
#include "boo/ops/Reference.h"

#include <algorithm>
#include <bit>

using namespace boo;

uint64_t boo::mixBits(uint64_t counter) {
  uint64_t z = counter + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

namespace {
/// The box of ones in logical indices.
struct Box {
  std::vector<int64_t> begin, end;
};
} // namespace

static Box makeBox(const TensorType &type, uint64_t stream) {
  int64_t budget = std::clamp<int64_t>(type.numElements() / 4, 1, 128);
  Box box;
  box.begin.resize(type.rank());
  box.end.resize(type.rank());
  // From the last dimension on, so that a box spans rows before planes.
  for (size_t i = type.rank(); i-- != 0;) {
    int64_t size = type.sizes[i].size();
    int64_t extent =
        std::min({size, budget, int64_t(i + 1 == type.rank() ? 8 : 4)});
    extent = std::max<int64_t>(extent, 1);
    budget = std::max<int64_t>(budget / extent, 1);
    box.begin[i] = int64_t(mixBits(stream + i) % uint64_t(size - extent + 1));
    box.end[i] = box.begin[i] + extent;
  }
  return box;
}

/// Writes a value of a type that has fast paths here; the rest goes through
/// storeElement.
template <DType D> static void put(void *data, int64_t offset, double value) {
  if constexpr (D == DType::F32)
    static_cast<float *>(data)[offset] = float(value);
  else if constexpr (D == DType::F64)
    static_cast<double *>(data)[offset] = value;
  else
    storeElement(data, D, offset, value);
}

/// Calls value(index, coordinates) for all elements in row-major logical order.
template <DType D, typename Fn>
static void forEach(const TensorType &type, void *data, Fn value) {
  size_t rank = type.rank();
  std::vector<int64_t> at(rank, 0);
  int64_t count = type.numElements(), offset = 0;
  int64_t inner = rank ? type.sizes[rank - 1].size() : 1;
  int64_t step = rank ? type.strides[rank - 1] : 0;
  for (int64_t index = 0; index < count; index += inner) {
    for (int64_t i = 0; i != inner; ++i) {
      if (rank)
        at[rank - 1] = i;
      put<D>(data, offset + i * step, value(uint64_t(index + i), at));
    }
    for (size_t d = rank ? rank - 1 : 0; d-- != 0;) {
      offset += type.strides[d];
      if (++at[d] != type.sizes[d].size())
        break;
      offset -= at[d] * type.strides[d];
      at[d] = 0;
    }
  }
}

template <DType D>
static void fillTyped(const TensorType &type, void *data,
                      const FillSpec &spec) {
  using Coordinates = std::vector<int64_t>;
  uint64_t stream = mixBits(mixBits(spec.seed) + spec.operand);
  auto whole = [](uint64_t bits, int64_t magnitude) {
    return double(int64_t((bits >> 32) % uint64_t(2 * magnitude + 1)) -
                  magnitude);
  };
  switch (spec.kind) {
  case FillKind::Random:
    if (isFloat(D))
      return forEach<D>(type, data, [&](uint64_t i, const Coordinates &) {
        // 24 bits: a float32 holds them all.
        return double(mixBits(stream + i) >> 40) * 0x1p-23 - 1;
      });
    return forEach<D>(type, data, [&](uint64_t i, const Coordinates &) {
      uint64_t bits = mixBits(stream + i);
      return D == DType::I1 ? double(bits & 1) : whole(bits, 8);
    });
  case FillKind::Integers:
    return forEach<D>(type, data, [&](uint64_t i, const Coordinates &) {
      uint64_t bits = mixBits(stream + i);
      return D == DType::I1 ? double(bits & 1) : whole(bits, spec.magnitude);
    });
  case FillKind::Splat:
    return forEach<D>(
        type, data, [&](uint64_t, const Coordinates &) { return spec.splat; });
  case FillKind::Block: {
    Box box = makeBox(type, stream);
    return forEach<D>(type, data, [&](uint64_t, const Coordinates &at) {
      for (size_t d = 0; d != at.size(); ++d)
        if (at[d] < box.begin[d] || at[d] >= box.end[d])
          return 0.0;
      return 1.0;
    });
  }
  }
}

void boo::fillTensor(const TensorType &type, void *data, const FillSpec &spec) {
  if (type.numElements() == 0)
    return;
  switch (type.dtype) {
  case DType::F64:
    return fillTyped<DType::F64>(type, data, spec);
  case DType::F32:
    return fillTyped<DType::F32>(type, data, spec);
  case DType::F16:
    return fillTyped<DType::F16>(type, data, spec);
  case DType::BF16:
    return fillTyped<DType::BF16>(type, data, spec);
  case DType::I64:
    return fillTyped<DType::I64>(type, data, spec);
  case DType::I32:
    return fillTyped<DType::I32>(type, data, spec);
  case DType::I8:
    return fillTyped<DType::I8>(type, data, spec);
  case DType::I1:
    return fillTyped<DType::I1>(type, data, spec);
  }
}
