//===- Frozen.h - Tensors that must not change ------------------*- C++ -*-===//
#pragma once

#include <nanobind/nanobind.h>
#include <vector>

namespace boo::python {

/// Some of the tensors that a program is called with, as they were when their
/// values were packed.
class Frozen {
public:
  /// (place among the arguments, tensor)
  explicit Frozen(std::vector<std::pair<size_t, nanobind::object>> tensors);
  /// Whether the arguments have the same tensors, where they were in memory and
  /// not written to since by any of torch's operators.
  bool holds(nanobind::list arguments) const;

private:
  struct Item {
    size_t place;
    nanobind::object tensor, alias;
    const void *data;
    int64_t version;
  };
  std::vector<Item> Items;
};

void addFrozen(nanobind::module_ &module);

} // namespace boo::python
