//===- Dispatcher.cpp -----------------------------------------------------===//

#include "Dispatcher.h"
#include "Errors.h"

#include <algorithm>

namespace nb = nanobind;
using namespace boo;
using namespace boo::python;

size_t Dispatcher::Hash::operator()(std::span<const int64_t> key) const {
  uint64_t hash = 0x9e3779b97f4a7c15;
  for (int64_t value : key) {
    hash = (hash ^ uint64_t(value)) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return size_t(hash);
}

/// Whether an object has the same value for as long as it lives.
static bool isConstant(PyObject *object) {
  if (object == Py_None || PyBool_Check(object) || PyLong_CheckExact(object) ||
      PyUnicode_CheckExact(object))
    return true;
  return PyTuple_CheckExact(object) &&
         std::ranges::all_of(itemsOf(nb::borrow<nb::tuple>(object)),
                             isConstant);
}

/// Sequences that can change, such as lists, as tuples, and numpy's numbers as
/// Python's.
static nb::tuple hashable(nb::tuple statics) {
  nb::list made;
  for (PyObject *item : itemsOf(statics)) {
    if (isConstant(item))
      made.append(nb::borrow(item));
    else if (PyIndex_Check(item))
      made.append(nb::int_(nb::borrow(item)));
    else
      made.append(nb::tuple(nb::borrow(item)));
  }
  return nb::tuple(made);
}

static bool haveSameItems(nb::tuple a, nb::tuple b) {
  return std::ranges::equal(itemsOf(a), itemsOf(b));
}

int64_t Dispatcher::numberOf(nb::tuple statics) {
  size_t hash = 0;
  for (PyObject *item : itemsOf(statics))
    hash = hash * 31 + (uintptr_t(item) >> 4);
  Known &known = Recent[hash % Recent.size()];
  if (known.number >= 0 && haveSameItems(known.statics, statics))
    return known.number;
  bool lasting = std::ranges::all_of(itemsOf(statics), isConstant);
  int64_t number = numberByValue(lasting ? statics : hashable(statics));
  if (lasting)
    known = {statics, number};
  return number;
}

int64_t Dispatcher::numberByValue(nb::tuple key) {
  PyObject *known = PyDict_GetItemWithError(Numbers.ptr(), key.ptr());
  if (known)
    return PyLong_AsLongLong(known);
  if (PyErr_Occurred())
    throwPythonError();
  int64_t number = int64_t(PyDict_Size(Numbers.ptr()));
  Numbers[key] = number;
  return number;
}

/// The view of a tensor, or nothing for one of a type or layout that no Graph
/// has. Throws as Borrowed::add for one on another device.
static std::optional<TensorView> viewOf(Borrowed &borrowed, PyObject *tensor,
                                        size_t index) {
  try {
    return borrowed.add(tensor, index);
  } catch (nb::python_error &error) {
    if (error.matches(PyExc_ValueError))
      throw;
    return std::nullopt;
  }
}

const Dispatcher::Entry *Dispatcher::find(nb::tuple operands, nb::tuple statics,
                                          Borrowed &borrowed,
                                          std::span<const void *> in) {
  // Sizes and strides as torch tells them: those of dimensions with one element
  // choose the memory format of torch's results, too.
  constexpr size_t Inline = 64;
  int64_t words[Inline];
  Key longer;
  size_t used = 0, tensors = 0;
  auto push = [&](int64_t value) {
    if (used == Inline && longer.empty())
      longer.assign(words, words + Inline);
    if (longer.empty())
      words[used++] = value;
    else
      longer.push_back(value);
  };
  push(numberOf(statics));
  for (PyObject *operand : itemsOf(operands)) {
    if (operand == Py_None) {
      push(-1);
      continue;
    }
    std::optional<TensorView> view = viewOf(borrowed, operand, tensors);
    if (!view)
      return nullptr;
    in[tensors++] = view->data;
    push(int64_t(view->dtype) << 32 | int64_t(view->sizes.size()));
    for (int64_t size : view->sizes)
      push(size);
    for (int64_t stride : view->strides)
      push(stride);
  }
  std::span<const int64_t> key = longer;
  if (longer.empty())
    key = {words, used};
  if (auto found = Kernels.find(key); found != Kernels.end())
    return &found->second;
  nb::object made = Build(operands, statics);
  const Kernel *kernel = nullptr;
  if (!made.is_none())
    kernel = nb::cast<const Kernel *>(made);
  // Another thread may have been here while the kernel was compiled.
  return &Kernels.emplace(Key(key.begin(), key.end()), Entry{made, kernel})
              .first->second;
}

nb::object Dispatcher::launch(nb::tuple operands, nb::tuple statics) {
  Borrowed borrowed(false);
  SmallArray<const void *> in(operands.size());
  const Entry *entry = find(operands, statics, borrowed, in.span());
  if (!entry || !entry->kernel)
    return nb::borrow(Py_NotImplemented);
  nb::object alive = entry->object; // clear() may come while it runs
  const Kernel &kernel = *entry->kernel;
  return kernel.callOnFitting({in.data(), kernel.arguments().size()});
}

nb::object Dispatcher::call(nb::tuple operands, nb::tuple statics) {
  if (!isPlainCall(itemsOf(operands)))
    return nb::borrow(Py_NotImplemented);
  return launch(operands, statics);
}

nb::object Dispatcher::callDirectly(nb::tuple operands, nb::tuple statics) {
  return launch(operands, statics);
}

nb::object Dispatcher::kernel(nb::tuple operands, nb::tuple statics) {
  Borrowed borrowed(true);
  SmallArray<const void *> in(operands.size());
  const Entry *entry = find(operands, statics, borrowed, in.span());
  return entry ? entry->object : nb::none();
}
