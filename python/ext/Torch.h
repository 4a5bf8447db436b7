//===- Torch.h - Tensors of PyTorch, without linking against it -*- C++ -*-===//
//
// Tensors are borrowed and handed out through DLPack: by torch's table of C
// functions where it has one (2.10 and later), else by the __dlpack__ protocol.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "DLPack.h"

#include "boo/graph/DType.h"

#include <nanobind/nanobind.h>
#include <optional>
#include <span>
#include <vector>

namespace boo::python {

/// A tensor's memory as long as the tensor and its Borrowed live.
struct TensorView {
  void *data = nullptr;
  DType dtype = DType::F32;
  std::span<const int64_t> sizes, strides; ///< of elements
};

/// The objects in a tuple, as long as it lives.
inline std::span<PyObject *const> itemsOf(nanobind::tuple tuple) {
  return {&PyTuple_GET_ITEM(tuple.ptr(), 0), tuple.size()};
}

/// Tensors that one call reads.
class Borrowed {
public:
  /// `checks`: whether a tensor may still have a negation pending.
  explicit Borrowed(bool checks) : Checks(checks) {}

  /// The view of a tensor on the CPU. Throws TypeError or ValueError, naming
  /// the argument by `index`, for anything else: another device, sparse, a
  /// complex or unsigned type, a pending negation.
  TensorView add(PyObject *tensor, size_t index);

private:
  bool Checks;
  /// What the slow road keeps alive.
  std::vector<nanobind::object> Held;
  std::vector<std::vector<int64_t>> Strides;
};

/// Memory of Allocator::host() that becomes a torch tensor, which gives it
/// back.
class OwnedTensor {
public:
  /// `sizes` and `strides` must live until release(). Throws MemoryError.
  OwnedTensor(DType dtype, std::span<const int64_t> sizes,
              std::span<const int64_t> strides, int64_t bytes);
  OwnedTensor(OwnedTensor &&other) noexcept
      : Managed(std::exchange(other.Managed, nullptr)) {}
  ~OwnedTensor();

  void *data() const { return Managed->dl_tensor.data; }
  /// The torch tensor; this is empty afterwards.
  nanobind::object release();

private:
  DLManagedTensorVersioned *Managed;
};

/// Shows what it lives for to torch's profiler, as an operator of this name. It
/// is a look into a dictionary while no profiler runs. Used with the GIL held.
class ProfiledRange {
public:
  explicit ProfiledRange(const std::string &name);
  ~ProfiledRange();

private:
  nanobind::object Range; ///< empty: no profiler runs
};

/// A torch tensor on memory that is someone else's and outlives it.
nanobind::object viewOfMemory(void *data, DType dtype,
                              std::span<const int64_t> sizes,
                              std::span<const int64_t> strides);

/// Whether the tensors (None among them is fine) can be computed on directly,
/// as torch's own CPU kernels would: plain tensors, no gradient recorded, no
/// autocast, no function or dispatch mode, transform, trace or profiler that
/// must see the operation, no negation pending.
bool isPlainCall(std::span<PyObject *const> tensors);

/// False makes every tensor cross by the __dlpack__ protocol, as with older
/// versions of torch.
void useExchangeApi(bool on);
bool hasExchangeApi();

/// "torch.float32", as a name: float32.
std::optional<DType> dtypeOfTorchName(std::string_view name);

} // namespace boo::python
