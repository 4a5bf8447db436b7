//===- Import.h - Graphs of torch's operators, call by call -----*- C++ -*-===//
#pragma once

#include <nanobind/nanobind.h>

namespace boo::python {

/// Adds the class AtenImport to the module.
void addImport(nanobind::module_ &module);

} // namespace boo::python
