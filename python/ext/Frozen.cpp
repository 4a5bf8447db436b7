//===- Frozen.cpp ---------------------------------------------------------===//

#include "Frozen.h"
#include "Errors.h"
#include "Torch.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace boo::python;

static int64_t versionOf(nb::handle tensor) {
  static PyObject *name = PyUnicode_InternFromString("_version");
  PyObject *version = PyObject_GetAttr(tensor.ptr(), name);
  if (!version)
    throwPythonError();
  int64_t value = PyLong_AsLongLong(version);
  Py_DECREF(version);
  return value;
}

static const void *dataOf(nb::handle tensor) {
  Borrowed borrowed(false);
  return borrowed.add(tensor.ptr(), 0).data;
}

Frozen::Frozen(std::vector<std::pair<size_t, nb::object>> tensors) {
  for (auto &[place, tensor] : tensors)
    // The alias keeps the memory from being used again at the same address.
    Items.push_back({place, tensor, tensor.attr("detach")(), dataOf(tensor),
                     versionOf(tensor)});
}

bool Frozen::holds(nb::list arguments) const {
  for (const Item &item : Items) {
    if (item.place >= arguments.size())
      return false;
    nb::handle now = PyList_GET_ITEM(arguments.ptr(), Py_ssize_t(item.place));
    if (!now.is(item.tensor) || versionOf(now) != item.version ||
        dataOf(now) != item.data)
      return false;
  }
  return true;
}

void boo::python::addFrozen(nb::module_ &module) {
  nb::class_<Frozen>(module, "Frozen")
      .def(nb::init<std::vector<std::pair<size_t, nb::object>>>(),
           nb::arg("tensors"))
      .def("holds", &Frozen::holds);
}
