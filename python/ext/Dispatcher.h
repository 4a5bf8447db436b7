//===- Dispatcher.h - From an eager call to its kernel ----------*- C++ -*-===//
#pragma once

#include "Kernel.h"

#include <array>
#include <unordered_map>

namespace boo::python {

/// An eager operation: one kernel for each set of operand types and of other
/// arguments that was met, made by a Python function at the first call. Used
/// with the GIL held.
class Dispatcher {
public:
  /// `build(operands, statics)` returns a Kernel, or None where none serves.
  explicit Dispatcher(nanobind::object build) : Build(std::move(build)) {}

  /// Runs the operation on a tuple of tensors and Nones, with `statics`, a
  /// tuple of everything else: numbers, strings, None and sequences of those.
  /// NotImplemented when something of torch must see the call (isPlainCall), or
  /// no kernel serves it: Graphs have no such tensors, or `build` returned
  /// None.
  nanobind::object call(nanobind::tuple operands, nanobind::tuple statics);
  /// The same without a look at torch's modes: for what torch itself calls.
  nanobind::object callDirectly(nanobind::tuple operands,
                                nanobind::tuple statics);
  /// The kernel for these arguments, or None.
  nanobind::object kernel(nanobind::tuple operands, nanobind::tuple statics);
  void clear() { Kernels.clear(); }
  size_t size() const { return Kernels.size(); }

private:
  using Key = std::vector<int64_t>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::span<const int64_t> key) const;
    size_t operator()(const Key &key) const {
      return (*this)(std::span<const int64_t>(key));
    }
  };
  struct Equal {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A &a, const B &b) const {
      return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
    }
  };
  struct Entry {
    nanobind::object object; ///< the Kernel, or None
    const Kernel *kernel;    ///< NULL: none serves
  };

  int64_t numberOf(nanobind::tuple statics);
  int64_t numberByValue(nanobind::tuple key);
  /// `in` gets the addresses of the tensors among the operands. NULL: one of
  /// them is nothing that a Graph takes.
  const Entry *find(nanobind::tuple operands, nanobind::tuple statics,
                    Borrowed &borrowed, std::span<const void *> in);
  nanobind::object launch(nanobind::tuple operands, nanobind::tuple statics);

  nanobind::object Build;
  nanobind::dict Numbers; ///< of the statics met so far
  /// The same by the identity of their items, for constants of a program:
  /// hashing nested tuples takes as long as a small kernel.
  struct Known {
    nanobind::tuple statics; ///< of items that no one can change
    int64_t number = -1;
  };
  std::array<Known, 64> Recent;
  std::unordered_map<Key, Entry, Hash, Equal> Kernels;
};

} // namespace boo::python
