//===- Kernel.h - A Graph that is called with torch tensors -----*- C++ -*-===//
#pragma once

#include "Torch.h"

#include "boo/runtime/Launcher.h"

#include <atomic>
#include <memory>
#include <string>

namespace boo::python {

/// How a tensor looks on Python's side. Its memory is that of the Graph's
/// tensor, whose dimensions may have other names and another order: a bias [K]
/// is [1, K, 1, 1] there.
struct TensorSpec {
  DType dtype;
  std::vector<int64_t> sizes, strides;
  int64_t bytes; ///< from the first element to the end of the last
};

/// Safe to call from several threads at once. Runs on as many threads as torch
/// is set to use.
class Kernel {
public:
  /// Specs stand for the Graph's own types where they are given: one for each
  /// argument and result, of the same dtype and number of bytes. Compiles what
  /// the cache does not have; throws as Errors.h says.
  Kernel(const std::string &graphText, const CompileOptions &options,
         std::optional<std::vector<TensorSpec>> arguments,
         std::optional<std::vector<TensorSpec>> results);

  /// From now on arguments have these tensors, which must fit and are kept:
  /// (number, tensor). Calls take the others, in order. Constants of the Graph
  /// are packed, and must be among them.
  void bindConstants(
      const std::vector<std::pair<size_t, nanobind::object>> &tensors);

  /// One tensor, a tuple of them, or None. Throws TypeError and ValueError for
  /// tensors that do not fit; those whose strides alone differ are copied,
  /// which copies() counts.
  nanobind::object call(std::span<PyObject *const> tensors) const;
  /// The same for tensors without a pending negation; always a tuple.
  nanobind::object callForTuple(std::span<PyObject *const> tensors) const;
  /// As call, for tensors that are borrowed already and are known to fit, one
  /// for each argument.
  nanobind::object callOnFitting(std::span<const void *const> in) const;
  /// Writes into `results`, which must fit to the letter.
  void callInto(std::span<PyObject *const> tensors,
                std::span<PyObject *const> results) const;

  const Executable &executable() const { return *Exe; }
  /// That of the options; without one, the first group's and how many more
  /// there are, or "empty".
  const std::string &name() const { return Name; }
  /// From now on each run writes this line to the log.
  void logLaunches(std::string line) { Line = std::move(line); }
  const std::vector<TensorSpec> &arguments() const { return Arguments; }
  const std::vector<TensorSpec> &results() const { return Results; }
  int64_t calls() const { return Calls; }
  int64_t copies() const { return Copies; }
  int64_t copiedBytes() const { return CopiedBytes; }

private:
  nanobind::object callOn(std::span<PyObject *const> tensors,
                          bool checks) const;
  void bind(Borrowed &borrowed, std::span<PyObject *const> tensors,
            std::span<const void *> in,
            std::vector<nanobind::object> &copied) const;
  const void *addressOf(Borrowed &borrowed, PyObject *tensor, size_t number,
                        std::vector<nanobind::object> &copied) const;
  void run(std::span<const void *const> in, std::span<void *const> out) const;

  std::unique_ptr<Executable> Exe;
  std::string Name;
  std::string Line; ///< of logLaunches, or empty
  std::vector<TensorSpec> Arguments, Results;
  std::vector<nanobind::object> Constants; ///< of bindConstants, kept alive
  std::vector<const void *> Fixed; ///< for each argument its address, or NULL
  size_t NumFree = 0;              ///< arguments that a call gives
  bool IsTiny = false; ///< ends before another thread could take the GIL
  mutable std::atomic<int64_t> Calls{0}, Copies{0}, CopiedBytes{0};
};

/// Most operations have a handful of operands: no allocation for those.
template <typename T, size_t N = 16> class SmallArray {
public:
  explicit SmallArray(size_t size) : Size(size) {
    if (size > N)
      Heap.reset(new T[size]());
  }
  T *data() { return Heap ? Heap.get() : Inline; }
  T &operator[](size_t i) { return data()[i]; }
  operator std::span<T>() { return {data(), Size}; }
  std::span<T> span() { return {data(), Size}; }

private:
  size_t Size;
  T Inline[N] = {};
  std::unique_ptr<T[]> Heap;
};

} // namespace boo::python
