//===- Tensor.h - Values of the reference and their errors ------*- C++ -*-===//
#pragma once

#include "boo/ops/Reference.h"

#include <functional>

namespace boo {

/// A computed value: row-major in its logical sizes.
struct Tensor {
  std::vector<double> values;
  std::vector<double> errors; ///< absolute, one for each value
};

/// Zeros for a value of this type.
Tensor emptyTensor(const TensorType &type);

/// Reads a launch's buffer or a Tensor, by strides.
class TensorView {
public:
  /// The buffer of an argument, laid out by `type`, exact.
  TensorView(const void *buffer, const TensorType &type);
  /// `tensor` seen with the sizes of `type`.
  TensorView(const Tensor &tensor, const TensorType &type);

  size_t rank() const { return Sizes.size(); }
  int64_t size(size_t dim) const { return Sizes[dim]; }
  int64_t stride(size_t dim) const { return Strides[dim]; }
  double value(int64_t index) const { return Load(Buffer, index); }
  double error(int64_t index) const { return Errors ? Errors[index] : 0; }
  bool isExact() const { return !Errors; }

private:
  const void *Buffer;
  double (*Load)(const void *, int64_t);
  const double *Errors = nullptr;
  std::vector<int64_t> Sizes, Strides;
};

/// Reads elements of one dtype: loadElement without its switch.
double (*elementLoader(DType dtype))(const void *, int64_t);

/// Whether nothing can be said about some of its elements.
bool hasUnknown(const TensorView &view);

/// Calls `body(begin, end)` for pieces of [0, count), and waits. When
/// `workers` give up, some pieces are left out.
void parallelFor(int64_t count, int64_t pieceSize, Workers workers,
                 const std::function<void(int64_t, int64_t)> &body);

} // namespace boo
