//===- Errors.h - A Status as a Python exception ----------------*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <nanobind/nanobind.h>

namespace boo::python {

/// Adds the package's own exception types to the module: Error, a
/// RuntimeError, and below it CompileError, KernelError and Unsupported (which
/// is a NotImplementedError, too).
void addErrors(nanobind::module_ &module);

/// Throws the exception that stands for an error: ValueError for a wrong
/// request, MemoryError, OSError, FileNotFoundError, or one of addErrors.
void throwIfError(const Status &status);

template <typename T> T valueOrThrow(StatusOr<T> result) {
  throwIfError(result.status());
  return std::move(*result);
}

/// The Python error that is set becomes a C++ exception.
[[noreturn]] inline void throwPythonError() { throw nanobind::python_error(); }

} // namespace boo::python
