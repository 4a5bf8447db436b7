//===- Backends.cpp -------------------------------------------------------===//

#include "Backends.h"
#include "Errors.h"
#include "Torch.h"

#include "boo/driver/Backend.h"
#include "boo/driver/commands/Command.h"

#include <cmath>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace boo;
using namespace boo::python;

/// The Status that an exception of Python stands for. The GIL is held.
static Status statusOf(const std::string &backend, nb::python_error &error) {
  std::string type = nb::cast<std::string>(error.type().attr("__name__"));
  std::string text = "backend " + backend + ": " + type + ": " +
                     nb::cast<std::string>(nb::str(error.value()));
  if (error.matches(PyExc_NotImplementedError))
    return unsupported(text);
  if (error.matches(PyExc_MemoryError))
    return Status(StatusCode::OutOfMemory, text);
  return internalError(text);
}

/// Calls `body` with the GIL; exceptions of Python become a Status.
template <typename Body>
static Status inPython(const std::string &backend, Body body) {
  nb::gil_scoped_acquire acquired;
  try {
    body();
    return Status::ok();
  } catch (nb::python_error &error) {
    return statusOf(backend, error);
  } catch (const std::exception &error) { // what nanobind cannot cast
    return internalError("backend " + backend + ": " + error.what());
  }
}

namespace {

class PythonRunner : public Runner {
public:
  PythonRunner(std::string backend, const Graph &graph)
      : Backend(std::move(backend)) {
    for (ValueId id : graph.arguments())
      Inputs.add(graph.value(id).type);
    for (const Output &output : graph.outputs())
      Outputs.add(graph.value(output.value).type);
    for (const Value &value : graph.values())
      if (value.role == Role::Result)
        Bytes += value.type.spanBytes();
  }
  ~PythonRunner() override {
    nb::gil_scoped_acquire acquired;
    Inputs.tensors.reset();
    Outputs.tensors.reset();
    Object.reset();
  }

  Status create(nb::handle factory, const std::string &text) {
    return inPython(Backend, [&] {
      Object = factory(text);
      CanPrepare = nb::hasattr(Object, "prepare");
      auto text = [&](const char *name) {
        return nb::cast<std::string>(nb::getattr(Object, name, nb::str("")));
      };
      Info.algorithm = text("algorithm");
      Info.schedule = text("schedule");
      Info.why = nb::cast<std::vector<std::string>>(
          nb::getattr(Object, "why", nb::list()));
      Info.cache = "off";
      Info.bitsForAnyThreads = false;
      nb::object ms = nb::getattr(Object, "compile_ms", nb::none());
      Info.compileMs = ms.is_none() ? NAN : nb::cast<double>(ms);
      Info.loadMs = NAN;
    });
  }

  const RunnerInfo &info() const override { return Info; }
  int64_t memoryBytes(int) const override { return Bytes; }
  Status prepare(std::span<const void *const> in, int threads) override {
    if (!CanPrepare)
      return Status::ok();
    return inPython(Backend,
                    [&] { Object.attr("prepare")(Inputs.at(in), threads); });
  }
  Status run(std::span<const void *const> in, std::span<void *const>,
             int threads) override {
    return inPython(Backend,
                    [&] { Object.attr("run")(Inputs.at(in), threads); });
  }
  Status deliver(std::span<void *const> out) override {
    return inPython(Backend, [&] { Object.attr("deliver")(Outputs.at(out)); });
  }

private:
  /// Tensors of buffers, as long as those stay where they are.
  struct Tensors {
    std::vector<TensorType> types;
    std::vector<std::vector<int64_t>> sizes;
    std::vector<const void *> places;
    nb::object tensors;

    void add(const TensorType &type) {
      types.push_back(type);
      std::vector<int64_t> &plain = sizes.emplace_back();
      for (const Dim &dim : type.sizes)
        plain.push_back(dim.size());
    }
    template <typename Pointer>
    nb::object at(std::span<Pointer const> buffers) {
      std::vector<const void *> asked(buffers.begin(), buffers.end());
      if (tensors.is_valid() && asked == places)
        return tensors;
      nb::list made;
      for (size_t i = 0; i != asked.size(); ++i)
        made.append(viewOfMemory(const_cast<void *>(asked[i]), types[i].dtype,
                                 sizes[i], types[i].strides));
      places = std::move(asked);
      return tensors = made;
    }
  };

  std::string Backend;
  Tensors Inputs, Outputs;
  nb::object Object;
  RunnerInfo Info;
  int64_t Bytes = 0;
  bool CanPrepare = false;
};

} // namespace

static void registerPython(const std::string &name, nb::object factory) {
  // Never given back: the list of backends outlives the interpreter.
  nb::handle kept = factory.release();
  registerBackend(name,
                  [name, kept](const Graph &graph, const CompileOptions &)
                      -> StatusOr<std::unique_ptr<Runner>> {
                    auto runner = std::make_unique<PythonRunner>(name, graph);
                    BOO_RETURN_IF_ERROR(
                        runner->create(kept, printGraph(graph)));
                    return std::unique_ptr<Runner>(std::move(runner));
                  });
}

static nb::object attributeOf(const Attribute &attribute) {
  return std::visit(
      [](const auto &value) -> nb::object {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, DType>)
          return nb::cast(std::string(torchDType(value)));
        else
          return nb::cast(value);
      },
      attribute);
}

/// A Graph as plain Python values; dtypes by torch's names.
static nb::dict readGraph(const std::string &text) {
  static constexpr const char *roles[] = {"input", "constant", "inout",
                                          "result"};
  Graph graph = valueOrThrow(parseGraph(text));
  nb::list values, nodes, outputs;
  for (const Value &value : graph.values()) {
    nb::list sizes;
    for (const Dim &dim : value.type.sizes)
      sizes.append(dim.isSymbol() ? -1 : dim.size());
    values.append(nb::make_tuple(
        std::string(torchDType(value.type.dtype)), nb::tuple(sizes),
        nb::tuple(nb::cast(value.type.strides)), roles[size_t(value.role)]));
  }
  for (const Node &node : graph.nodes()) {
    nb::dict attributes;
    for (const auto &[name, attribute] : node.attributes)
      attributes[nb::str(name.c_str())] = attributeOf(attribute);
    nodes.append(nb::make_tuple(std::string(opName(node.op)), node.operands,
                                node.results, attributes));
  }
  for (const Output &output : graph.outputs())
    outputs.append(nb::make_tuple(output.value, output.into));
  nb::dict all;
  all["values"] = values;
  all["nodes"] = nodes;
  all["arguments"] = graph.arguments();
  all["outputs"] = outputs;
  return all;
}

void python::addBackends(nb::module_ &module) {
  module.def("register_backend", registerPython, nb::arg("name"),
             nb::arg("factory"));
  module.def("read_graph", readGraph, nb::arg("text"));
}
