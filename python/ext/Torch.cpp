//===- Torch.cpp ----------------------------------------------------------===//

#include "Torch.h"
#include "Errors.h"

#include "boo/runtime/Allocator.h"

#include <cstring>
#include <nanobind/stl/string.h>

namespace nb = nanobind;
using namespace boo;
using namespace boo::python;

static constexpr int32_t kDLCPU = 1;

namespace {
/// What this needs of torch, looked up once.
struct TorchApi {
  PyObject *tensor, *parameter;
  /// Functions without arguments that tell of a mode that is on, each by a
  /// value other than the one that it has otherwise.
  struct Mode {
    PyObject *function, *off;
  };
  std::vector<Mode> modes;
  /// A variable of a module: its names, and one of those.
  PyObject *forwardAd, *currentLevel; ///< -1 outside of forward-mode gradients
  PyObject *profiler, *isProfiling;
  PyObject *range; ///< the class of what a profiler shows
  PyObject *isGradEnabled, *isNeg, *requiresGrad, *fromDlpack;
  const DLPackExchangeAPI *exchange = nullptr, *found = nullptr;
};
} // namespace

static nb::object optional(nb::handle from, const char *name) {
  return nb::getattr(from, name, nb::none());
}

static const DLPackExchangeAPI *findExchange(nb::handle tensor) {
  nb::object capsule = optional(tensor, "__dlpack_c_exchange_api__");
  if (!PyCapsule_IsValid(capsule.ptr(), "dlpack_exchange_api"))
    return nullptr;
  auto *api = static_cast<DLPackExchangeAPIHeader *>(
      PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  while (api && api->version.major != 1)
    api = api->prev_api;
  auto *table = reinterpret_cast<const DLPackExchangeAPI *>(api);
  return table && table->dltensor_from_py_object_no_sync ? table : nullptr;
}

/// Never given back: torch lives as long as the process.
static TorchApi &torch() {
  static TorchApi *api = [] {
    auto *made = new TorchApi;
    nb::module_ torch = nb::module_::import_("torch");
    nb::object c = torch.attr("_C");
    nb::object base = torch.attr("Tensor");
    made->tensor = base.inc_ref().ptr();
    made->parameter =
        nb::object(torch.attr("nn").attr("Parameter")).release().ptr();
    auto keep = [](nb::object object) { return object.release().ptr(); };
    auto mode = [&](nb::object function, nb::object off) {
      if (!function.is_none())
        made->modes.push_back({function.release().ptr(), off.release().ptr()});
    };
    mode(optional(c, "_len_torch_function_stack"), nb::int_(0));
    mode(optional(c, "_len_torch_dispatch_stack"), nb::int_(0));
    mode(optional(c, "_is_any_autocast_enabled"), nb::bool_(false));
    mode(optional(c, "_get_tracing_state"), nb::none());
    mode(optional(optional(c, "_functorch"), "peek_interpreter_stack"),
         nb::none());
    made->forwardAd = keep(
        nb::module_::import_("torch.autograd.forward_ad").attr("__dict__"));
    made->currentLevel = PyUnicode_InternFromString("_current_level");
    made->isGradEnabled = keep(torch.attr("is_grad_enabled"));
    made->isNeg = keep(base.attr("is_neg"));
    made->requiresGrad = keep(nb::str("requires_grad"));
    made->fromDlpack =
        keep(torch.attr("utils").attr("dlpack").attr("from_dlpack"));
    made->profiler =
        keep(nb::module_::import_("torch.autograd.profiler").attr("__dict__"));
    made->isProfiling = PyUnicode_InternFromString("_is_profiler_enabled");
    made->range = keep(c.attr("_profiler").attr("_RecordFunctionFast"));
    made->exchange = made->found = findExchange(base);
    return made;
  }();
  return *api;
}

void python::useExchangeApi(bool on) {
  torch().exchange = on ? torch().found : nullptr;
}
bool python::hasExchangeApi() { return torch().exchange != nullptr; }

static bool isExactTensor(PyObject *object) {
  auto *type = reinterpret_cast<PyObject *>(Py_TYPE(object));
  return type == torch().tensor || type == torch().parameter;
}

/// Calls a function or method that returns a bool.
static bool isTrue(PyObject *function, PyObject *argument = nullptr) {
  PyObject *result =
      PyObject_Vectorcall(function, &argument, argument ? 1 : 0, nullptr);
  if (!result)
    throwPythonError();
  Py_DECREF(result);
  return result == Py_True;
}

static bool isInForwardAd() {
  PyObject *level =
      PyDict_GetItemWithError(torch().forwardAd, torch().currentLevel);
  if (!level) {
    if (!PyErr_Occurred())
      PyErr_SetObject(PyExc_AttributeError, torch().currentLevel);
    throwPythonError();
  }
  return PyLong_AsLongLong(level) >= 0;
}

static bool isProfiled() {
  return PyDict_GetItemWithError(torch().profiler, torch().isProfiling) ==
         Py_True;
}

bool python::isPlainCall(std::span<PyObject *const> tensors) {
  TorchApi &api = torch();
  for (PyObject *tensor : tensors)
    if (tensor != Py_None && !isExactTensor(tensor))
      return false;
  for (const TorchApi::Mode &mode : api.modes) {
    PyObject *value = PyObject_CallNoArgs(mode.function);
    if (!value)
      throwPythonError();
    Py_DECREF(value); // off values are immortal or held by `modes`
    if (value != mode.off)
      return false;
  }
  if (isInForwardAd() || isProfiled())
    return false;
  for (PyObject *tensor : tensors)
    if (tensor != Py_None && isTrue(api.isNeg, tensor))
      return false; // torch resolves it on the way to a kernel
  if (!isTrue(api.isGradEnabled))
    return true;
  for (PyObject *tensor : tensors) {
    if (tensor == Py_None)
      continue;
    PyObject *requires_ = PyObject_GetAttr(tensor, api.requiresGrad);
    if (!requires_)
      throwPythonError();
    Py_DECREF(requires_);
    if (requires_ == Py_True)
      return false;
  }
  return true;
}

static std::optional<DType> fromDlpack(DLDataType type) {
  if (type.lanes != 1)
    return std::nullopt;
  switch (type.code << 8 | type.bits) {
  case 2 << 8 | 64:
    return DType::F64;
  case 2 << 8 | 32:
    return DType::F32;
  case 2 << 8 | 16:
    return DType::F16;
  case 4 << 8 | 16:
    return DType::BF16;
  case 0 << 8 | 64:
    return DType::I64;
  case 0 << 8 | 32:
    return DType::I32;
  case 0 << 8 | 8:
    return DType::I8;
  case 6 << 8 | 8:
    return DType::I1;
  default:
    return std::nullopt;
  }
}

static DLDataType toDlpack(DType dtype) {
  uint8_t bits = uint8_t(8 * dtypeBytes(dtype));
  if (dtype == DType::I1)
    return {6, 8, 1};
  return {uint8_t(dtype == DType::BF16 ? 4 : isFloat(dtype) ? 2 : 0), bits, 1};
}

[[noreturn]] static void refuse(PyObject *kind, size_t index,
                                const std::string &what) {
  PyErr_SetString(kind,
                  ("argument " + std::to_string(index) + " " + what).c_str());
  throwPythonError();
}

/// str() of an attribute.
static std::string textOf(PyObject *object, const char *attribute) {
  nb::object value = nb::handle(object).attr(attribute);
  return nb::cast<std::string>(nb::str(value));
}

static std::string typeName(PyObject *object) {
  return nb::cast<std::string>(nb::handle(object).type().attr("__name__"));
}

TensorView Borrowed::add(PyObject *tensor, size_t index) {
  TorchApi &api = torch();
  if (!PyObject_TypeCheck(tensor, reinterpret_cast<PyTypeObject *>(api.tensor)))
    refuse(PyExc_TypeError, index,
           "is a " + typeName(tensor) + ", not a torch.Tensor");
  DLTensor view;
  if (api.exchange && isExactTensor(tensor)) {
    if (api.exchange->dltensor_from_py_object_no_sync(tensor, &view) != 0)
      throwPythonError();
  } else {
    // Refuses what has no strided memory of its own.
    nb::object plain = nb::handle(tensor).attr("detach")();
    Held.push_back(plain.attr("__dlpack__")());
    auto *managed = static_cast<DLManagedTensor *>(
        PyCapsule_GetPointer(Held.back().ptr(), "dltensor"));
    if (!managed)
      throwPythonError();
    view = managed->dl_tensor;
  }
  if (view.device.device_type != kDLCPU)
    refuse(PyExc_ValueError, index,
           "is on " + textOf(tensor, "device") +
               "; BOO computes on the CPU: move it there by .cpu()");
  std::optional<DType> dtype = fromDlpack(view.dtype);
  if (!dtype)
    refuse(PyExc_TypeError, index,
           "has the type " + textOf(tensor, "dtype") +
               ", which no kernel takes");
  if (Checks && isTrue(api.isNeg, tensor))
    refuse(PyExc_ValueError, index,
           "is a view with a pending negation: resolve_neg() makes it plain");
  size_t rank = size_t(view.ndim);
  const int64_t *strides = view.strides;
  if (!strides && rank) {
    std::vector<int64_t> &made = Strides.emplace_back(rank, 1);
    for (size_t i = rank - 1; i-- != 0;)
      made[i] = made[i + 1] * view.shape[i + 1];
    strides = made.data();
  }
  return {static_cast<char *>(view.data) + view.byte_offset,
          *dtype,
          {view.shape, rank},
          {strides, rank}};
}

/// A tensor's record stands in front of its data, in one block.
static constexpr int64_t RecordBytes = 128;
static_assert(sizeof(DLManagedTensorVersioned) <= RecordBytes);

OwnedTensor::OwnedTensor(DType dtype, std::span<const int64_t> sizes,
                         std::span<const int64_t> strides, int64_t bytes) {
  void *block = Allocator::host().allocate(RecordBytes + bytes);
  if (!block) {
    PyErr_Format(PyExc_MemoryError, "no memory for a result of %lld bytes",
                 static_cast<long long>(bytes));
    throwPythonError();
  }
  Managed = new (block) DLManagedTensorVersioned{};
  Managed->version = {1, 0};
  Managed->deleter = [](DLManagedTensorVersioned *self) {
    Allocator::host().release(self);
  };
  // torch copies sizes and strides and never writes to them.
  Managed->dl_tensor = {static_cast<char *>(block) + RecordBytes,
                        {kDLCPU, 0},
                        int32_t(sizes.size()),
                        toDlpack(dtype),
                        const_cast<int64_t *>(sizes.data()),
                        const_cast<int64_t *>(strides.data()),
                        0};
}

OwnedTensor::~OwnedTensor() {
  if (Managed)
    Managed->deleter(Managed);
}

/// torch.from_dlpack of a capsule, for versions without the table of functions.
static nb::object throughCapsule(DLManagedTensorVersioned *managed) {
  auto *old = new DLManagedTensor{};
  old->dl_tensor = managed->dl_tensor;
  old->manager_ctx = managed;
  old->deleter = [](DLManagedTensor *self) {
    auto *owner = static_cast<DLManagedTensorVersioned *>(self->manager_ctx);
    owner->deleter(owner);
    delete self;
  };
  auto destroy = [](PyObject *capsule) {
    if (!PyCapsule_IsValid(capsule, "dltensor"))
      return; // taken
    auto *unused = static_cast<DLManagedTensor *>(
        PyCapsule_GetPointer(capsule, "dltensor"));
    unused->deleter(unused);
  };
  PyObject *capsule = PyCapsule_New(old, "dltensor", destroy);
  if (!capsule) {
    old->deleter(old);
    throwPythonError();
  }
  return nb::borrow(torch().fromDlpack)(nb::steal(capsule));
}

nb::object OwnedTensor::release() {
  DLManagedTensorVersioned *managed = std::exchange(Managed, nullptr);
  const DLPackExchangeAPI *api = torch().exchange;
  if (!api)
    return throughCapsule(managed);
  void *object = nullptr;
  if (api->managed_tensor_to_py_object_no_sync(managed, &object) != 0) {
    managed->deleter(managed);
    throwPythonError();
  }
  return nb::steal(static_cast<PyObject *>(object));
}

ProfiledRange::ProfiledRange(const std::string &name) {
  if (!isProfiled())
    return;
  Range = nb::handle(torch().range)(name.c_str());
  Range.attr("__enter__")();
}

ProfiledRange::~ProfiledRange() {
  if (Range.is_valid())
    Range.attr("__exit__")(nb::none(), nb::none(), nb::none());
}

nb::object python::viewOfMemory(void *data, DType dtype,
                                std::span<const int64_t> sizes,
                                std::span<const int64_t> strides) {
  auto *managed = new DLManagedTensorVersioned{};
  managed->version = {1, 0};
  managed->deleter = [](DLManagedTensorVersioned *self) { delete self; };
  managed->dl_tensor = {data,
                        {kDLCPU, 0},
                        int32_t(sizes.size()),
                        toDlpack(dtype),
                        const_cast<int64_t *>(sizes.data()),
                        const_cast<int64_t *>(strides.data()),
                        0};
  return throughCapsule(managed);
}

std::optional<DType> python::dtypeOfTorchName(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> Names[] = {
      {"float64", DType::F64}, {"float32", DType::F32},
      {"float16", DType::F16}, {"bfloat16", DType::BF16},
      {"int64", DType::I64},   {"int32", DType::I32},
      {"int8", DType::I8},     {"bool", DType::I1}};
  for (auto [each, dtype] : Names)
    if (each == name)
      return dtype;
  return std::nullopt;
}
