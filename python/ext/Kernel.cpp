//===- Kernel.cpp ---------------------------------------------------------===//

#include "Kernel.h"
#include "Errors.h"
#include "Settings.h"

#include "boo/base/Log.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>
#include <cstring>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace boo;
using namespace boo::python;

// libgomp's, which torch.set_num_threads sets.
extern "C" int omp_get_max_threads(void);

Settings &python::settings() {
  static Settings all;
  return all;
}

CompileOptions python::currentOptions() {
  CompileOptions options = valueOrThrow(defaultCompileOptions());
  const Settings &set = settings();
  if (!set.cacheDir.empty())
    options.cacheDir = set.cacheDir;
  if (set.cacheOn >= 0)
    options.useCache = set.cacheOn != 0;
  if (!set.math.empty())
    options.math = set.math;
  return options;
}

static int numThreads() {
  return std::min(omp_get_max_threads(), maxThreads());
}

/// A kernel on less than this does not give the GIL away.
static constexpr int64_t TinyBytes = 32 << 10;

static std::vector<TensorSpec> specsOf(const Graph &graph,
                                       const std::vector<ValueId> &values) {
  std::vector<TensorSpec> specs;
  for (ValueId id : values) {
    const TensorType &type = graph.value(id).type;
    TensorSpec spec{type.dtype, {}, type.strides, type.spanBytes()};
    for (const Dim &dim : type.sizes)
      spec.sizes.push_back(dim.size());
    specs.push_back(std::move(spec));
  }
  return specs;
}

/// `given` stands for `own` if it describes the same memory.
static void replace(std::vector<TensorSpec> &own, const char *what,
                    std::optional<std::vector<TensorSpec>> given) {
  if (!given)
    return;
  if (given->size() != own.size())
    throwIfError(invalidArgument("the Graph has " + std::to_string(own.size()) +
                                 " " + what + "s, and there are " +
                                 std::to_string(given->size()) + " specs"));
  for (size_t i = 0; i != own.size(); ++i)
    if ((*given)[i].dtype != own[i].dtype || (*given)[i].bytes != own[i].bytes)
      throwIfError(invalidArgument(
          std::string(what) + " " + std::to_string(i) + " has " +
          std::to_string(own[i].bytes) + " bytes in the Graph and " +
          std::to_string((*given)[i].bytes) + " in its spec, or another type"));
  own = std::move(*given);
}

/// The name of the first group, and how many more run in the same launch.
static std::string leadName(const Executable &executable) {
  size_t groups = executable.numGroups();
  if (groups == 0)
    return "empty";
  std::string name = executable.manifest(0).name;
  return groups == 1 ? name
                     : name + " and " + std::to_string(groups - 1) + " more";
}

Kernel::Kernel(const std::string &graphText, const CompileOptions &options,
               std::optional<std::vector<TensorSpec>> arguments,
               std::optional<std::vector<TensorSpec>> results) {
  Graph graph = valueOrThrow(parseGraph(graphText));
  if (graph.numSymbols() > 0)
    throwIfError(unsupported("a Graph with sizes that are symbols"));
  {
    nb::gil_scoped_release released;
    auto loaded = load(graph, options);
    nb::gil_scoped_acquire acquired;
    Exe = valueOrThrow(std::move(loaded));
  }
  const Graph &own = Exe->graph();
  std::vector<ValueId> outputs;
  for (const Output &output : own.outputs())
    outputs.push_back(output.value);
  Arguments = specsOf(own, own.arguments());
  Results = specsOf(own, outputs);
  replace(Arguments, "argument", std::move(arguments));
  replace(Results, "result", std::move(results));
  Name = options.name.empty() ? leadName(*Exe) : options.name;
  Fixed.resize(Arguments.size());
  NumFree = Arguments.size();
  int64_t bytes = 0;
  for (const std::vector<TensorSpec> *specs : {&Arguments, &Results})
    for (const TensorSpec &spec : *specs)
      bytes += spec.bytes;
  IsTiny = bytes < TinyBytes;
}

template <typename List> static std::string listText(const List &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  return "(" + text + ")";
}

/// Strides of dimensions with one element mean nothing.
static bool liesAs(const TensorView &view, const TensorSpec &spec) {
  for (size_t i = 0; i != spec.sizes.size(); ++i)
    if (view.strides[i] != spec.strides[i] && spec.sizes[i] > 1)
      return false;
  return true;
}

static bool isEmpty(const TensorSpec &spec) {
  return std::find(spec.sizes.begin(), spec.sizes.end(), 0) != spec.sizes.end();
}

static void checkFits(const TensorView &view, const TensorSpec &spec,
                      const char *what, size_t index) {
  if (view.dtype == spec.dtype && std::ranges::equal(view.sizes, spec.sizes))
    return;
  throwIfError(invalidArgument(
      std::string(what) + " " + std::to_string(index) + " is a tensor of " +
      std::string(dtypeName(view.dtype)) + " with sizes " +
      listText(view.sizes) + "; the kernel was made for " +
      std::string(dtypeName(spec.dtype)) + " with sizes " +
      listText(spec.sizes)));
}

static nb::object copyWithStrides(PyObject *tensor, const TensorSpec &spec) {
  nb::object source = nb::handle(tensor).attr("detach")();
  nb::object made = source.attr("new_empty_strided")(nb::cast(spec.sizes),
                                                     nb::cast(spec.strides));
  made.attr("copy_")(source);
  return made;
}

void Kernel::bindConstants(
    const std::vector<std::pair<size_t, nb::object>> &tensors) {
  Borrowed borrowed(true);
  for (const auto &[number, tensor] : tensors) {
    if (number >= Arguments.size())
      throwIfError(invalidArgument("the kernel has no argument " +
                                   std::to_string(number)));
    Fixed[number] = addressOf(borrowed, tensor.ptr(), number, Constants);
    Constants.push_back(tensor);
  }
  NumFree = size_t(std::count(Fixed.begin(), Fixed.end(), nullptr));
  Status status;
  {
    nb::gil_scoped_release released;
    status = Exe->prepare(Fixed, numThreads());
  }
  throwIfError(status);
}

const void *Kernel::addressOf(Borrowed &borrowed, PyObject *tensor,
                              size_t number,
                              std::vector<nb::object> &copied) const {
  const TensorSpec &spec = Arguments[number];
  TensorView view = borrowed.add(tensor, number);
  checkFits(view, spec, "argument", number);
  if (liesAs(view, spec) || isEmpty(spec))
    return view.data;
  copied.push_back(copyWithStrides(tensor, spec));
  ++Copies;
  CopiedBytes += spec.bytes;
  return borrowed.add(copied.back().ptr(), number).data;
}

void Kernel::bind(Borrowed &borrowed, std::span<PyObject *const> tensors,
                  std::span<const void *> in,
                  std::vector<nb::object> &copied) const {
  if (tensors.size() != NumFree)
    throwIfError(invalidArgument("the kernel takes " + std::to_string(NumFree) +
                                 " tensors, and there are " +
                                 std::to_string(tensors.size())));
  auto next = tensors.begin();
  for (size_t i = 0; i != in.size(); ++i)
    in[i] = Fixed[i] ? Fixed[i] : addressOf(borrowed, *next++, i, copied);
}

void Kernel::run(std::span<const void *const> in,
                 std::span<void *const> out) const {
  ++Calls;
  if (!Line.empty())
    logMessage(LogLevel::Debug, Line);
  ProfiledRange range(Name);
  int threads = numThreads();
  if (IsTiny) {
    throwIfError(Exe->run(in, out, threads));
    return;
  }
  Status status;
  {
    nb::gil_scoped_release released;
    status = Exe->run(in, out, threads);
  }
  throwIfError(status);
}

nb::object Kernel::call(std::span<PyObject *const> tensors) const {
  return callOn(tensors, true);
}

nb::object Kernel::callForTuple(std::span<PyObject *const> tensors) const {
  nb::object made = callOn(tensors, false);
  return Results.size() == 1 ? nb::make_tuple(std::move(made)) : made;
}

nb::object Kernel::callOn(std::span<PyObject *const> tensors,
                          bool checks) const {
  Borrowed borrowed(checks);
  std::vector<nb::object> copied;
  SmallArray<const void *> in(Arguments.size());
  bind(borrowed, tensors, in, copied);
  return callOnFitting(in.span());
}

nb::object Kernel::callOnFitting(std::span<const void *const> in) const {
  if (Results.size() == 1) {
    const TensorSpec &spec = Results.front();
    OwnedTensor made(spec.dtype, spec.sizes, spec.strides, spec.bytes);
    void *out = made.data();
    run(in, {&out, 1});
    return made.release();
  }
  SmallArray<void *> out(Results.size());
  std::vector<OwnedTensor> made;
  made.reserve(Results.size());
  for (size_t i = 0; i != Results.size(); ++i) {
    const TensorSpec &spec = Results[i];
    made.emplace_back(spec.dtype, spec.sizes, spec.strides, spec.bytes);
    out[i] = made.back().data();
  }
  run(in, out.span());
  if (made.empty())
    return nb::none();
  nb::object tuple = nb::steal(PyTuple_New(Py_ssize_t(made.size())));
  for (size_t i = 0; i != made.size(); ++i)
    PyTuple_SET_ITEM(tuple.ptr(), Py_ssize_t(i),
                     made[i].release().release().ptr());
  return tuple;
}

void Kernel::callInto(std::span<PyObject *const> tensors,
                      std::span<PyObject *const> results) const {
  Borrowed borrowed(true);
  std::vector<nb::object> copied;
  SmallArray<const void *> in(Arguments.size());
  SmallArray<void *> out(Results.size());
  bind(borrowed, tensors, in, copied);
  if (results.size() != Results.size())
    throwIfError(invalidArgument(
        "the kernel writes " + std::to_string(Results.size()) +
        " tensors, and there are " + std::to_string(results.size())));
  for (size_t i = 0; i != results.size(); ++i) {
    TensorView view = borrowed.add(results[i], i);
    checkFits(view, Results[i], "result", i);
    if (!liesAs(view, Results[i]))
      throwIfError(invalidArgument("result " + std::to_string(i) +
                                   " has strides " + listText(view.strides) +
                                   "; the kernel writes " +
                                   listText(Results[i].strides)));
    out[i] = view.data;
  }
  run(in.span(), out.span());
}
