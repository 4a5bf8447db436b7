//===- Errors.cpp ---------------------------------------------------------===//

#include "Errors.h"

namespace nb = nanobind;
using namespace boo;

static PyObject *error, *compileError, *kernelError, *unsupportedError;

static PyObject *makeError(nb::module_ &module, const char *name,
                           nb::object bases, const char *doc) {
  std::string full = std::string("boo.") + name;
  PyObject *type =
      PyErr_NewExceptionWithDoc(full.c_str(), doc, bases.ptr(), nullptr);
  if (!type)
    python::throwPythonError();
  module.attr(name) = nb::borrow(type);
  return type;
}

void python::addErrors(nb::module_ &module) {
  error = makeError(module, "Error", nb::borrow(PyExc_RuntimeError),
                    "What BOO could not do, and why.");
  nb::object base = nb::borrow(error);
  compileError = makeError(module, "CompileError", base,
                           "A kernel did not compile; names the pass.");
  kernelError = makeError(module, "KernelError", base,
                          "Generated code reported an error.");
  unsupportedError =
      makeError(module, "Unsupported",
                nb::make_tuple(base, nb::borrow(PyExc_NotImplementedError)),
                "A sound request that nothing here serves.");
}

static PyObject *typeOf(StatusCode code) {
  switch (code) {
  case StatusCode::InvalidArgument:
    return PyExc_ValueError;
  case StatusCode::Unsupported:
    return unsupportedError;
  case StatusCode::NotFound:
    return PyExc_FileNotFoundError;
  case StatusCode::OutOfMemory:
    return PyExc_MemoryError;
  case StatusCode::IoError:
    return PyExc_OSError;
  case StatusCode::CompileError:
    return compileError;
  case StatusCode::KernelError:
    return kernelError;
  case StatusCode::Internal:
  case StatusCode::Ok:
    break;
  }
  return error;
}

void python::throwIfError(const Status &status) {
  if (status.isOk())
    return;
  PyErr_SetString(typeOf(status.code()), status.message().c_str());
  throwPythonError();
}
