//===- Module.cpp - boo._boo ----------------------------------------------===//
//
// What the Python package is made of: kernels, the dispatcher of eager calls,
// the cache's settings, and the boo command. Docstrings are those of _boo.pyi.
//
//===----------------------------------------------------------------------===//

#include "Backends.h"
#include "Dispatcher.h"
#include "Errors.h"
#include "Frozen.h"
#include "Import.h"
#include "Settings.h"

#include "boo/base/Env.h"
#include "boo/driver/BooCommand.h"
#include "boo/driver/commands/Command.h"
#include "boo/runtime/Allocator.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace boo;
using namespace boo::python;

/// (dtype as torch names it, sizes, strides)
using SpecTuple =
    std::tuple<std::string, std::vector<int64_t>, std::vector<int64_t>>;

static std::optional<std::vector<TensorSpec>>
specsOf(const std::optional<std::vector<SpecTuple>> &given) {
  if (!given)
    return std::nullopt;
  std::vector<TensorSpec> specs;
  for (const auto &[name, sizes, strides] : *given) {
    std::optional<DType> dtype = dtypeOfTorchName(name);
    if (!dtype || sizes.size() != strides.size())
      throwIfError(invalidArgument("no tensor type: " + name));
    TensorType type{*dtype, {sizes.begin(), sizes.end()}, strides};
    specs.push_back({*dtype, sizes, strides, type.spanBytes()});
  }
  return specs;
}

static std::vector<SpecTuple> tuplesOf(const std::vector<TensorSpec> &specs) {
  std::vector<SpecTuple> tuples;
  for (const TensorSpec &spec : specs)
    tuples.emplace_back(torchDType(spec.dtype), spec.sizes, spec.strides);
  return tuples;
}

static const char *outcomeName(CacheOutcome outcome) {
  return outcome == CacheOutcome::Hit    ? "hit"
         : outcome == CacheOutcome::Miss ? "miss"
                                         : "off";
}

static nb::list groupsOf(const Kernel &kernel) {
  nb::list groups;
  const Executable &executable = kernel.executable();
  for (size_t g = 0; g != executable.numGroups(); ++g) {
    const Manifest &manifest = executable.manifest(g);
    const LoadReport &report = executable.report(g);
    nb::dict each;
    each["name"] = manifest.name;
    each["key"] = manifest.key;
    each["algorithm"] = manifest.algorithm;
    each["schedule"] = manifest.schedule;
    each["why"] = nb::cast(manifest.why);
    each["graph"] = manifest.graph;
    each["cache"] = outcomeName(report.cache);
    each["compile_ms"] = report.compileMs;
    each["load_ms"] = report.loadMs;
    each["artifact"] = report.artifact;
    groups.append(each);
  }
  return groups;
}

static void addKernel(nb::module_ &module) {
  nb::class_<Kernel>(module, "Kernel", nb::is_weak_referenceable())
      .def(
          "__init__",
          [](Kernel *self, const std::string &graph, const std::string &name,
             std::optional<std::vector<SpecTuple>> arguments,
             std::optional<std::vector<SpecTuple>> results, bool recompile,
             bool constants, const std::string &math) {
            CompileOptions options = currentOptions();
            options.name = name;
            if (!math.empty())
              options.math = math;
            options.recompile = recompile;
            options.constantsPacked = constants;
            new (self)
                Kernel(graph, options, specsOf(arguments), specsOf(results));
          },
          nb::arg("graph"), nb::kw_only(), nb::arg("name") = "",
          nb::arg("arguments") = nb::none(), nb::arg("results") = nb::none(),
          nb::arg("recompile") = false, nb::arg("constants") = false,
          nb::arg("math") = "")
      .def("bind_constants", &Kernel::bindConstants)
      .def("log_launches", &Kernel::logLaunches)
      .def("__call__", [](const Kernel &self,
                          nb::args args) { return self.call(itemsOf(args)); })
      .def("call_for_tuple",
           [](const Kernel &self, nb::args args) {
             return self.callForTuple(itemsOf(args));
           })
      .def(
          "call_into",
          [](const Kernel &self, nb::tuple tensors, nb::tuple results) {
            self.callInto(itemsOf(tensors), itemsOf(results));
          },
          nb::arg("tensors"), nb::arg("results"))
      .def_prop_ro("name", &Kernel::name)
      .def_prop_ro("graph",
                   [](const Kernel &self) {
                     return printGraph(self.executable().graph());
                   })
      .def_prop_ro(
          "arguments",
          [](const Kernel &self) { return tuplesOf(self.arguments()); })
      .def_prop_ro("results",
                   [](const Kernel &self) { return tuplesOf(self.results()); })
      .def_prop_ro("groups", groupsOf)
      .def_prop_ro("calls", &Kernel::calls)
      .def_prop_ro("copies", &Kernel::copies)
      .def_prop_ro("copied_bytes", &Kernel::copiedBytes);
}

static void addDispatcher(nb::module_ &module) {
  nb::class_<Dispatcher>(module, "Dispatcher")
      .def(nb::init<nb::object>(), nb::arg("build"))
      .def("call", &Dispatcher::call)
      .def("direct", &Dispatcher::callDirectly)
      .def("kernel", &Dispatcher::kernel)
      .def("clear", &Dispatcher::clear)
      .def("__len__", &Dispatcher::size);
}

static void addSettings(nb::module_ &module) {
  module.def("set_cache_dir",
             [](const std::string &dir) { settings().cacheDir = dir; });
  module.def("cache_dir", [] {
    const std::string &set = settings().cacheDir;
    return set.empty() ? env().cacheDir : set;
  });
  module.def("set_cache_on", [](bool on) { settings().cacheOn = on; });
  module.def("is_cache_on", [] { return currentOptions().useCache; });
  module.def("set_math", [](const std::string &math) {
    throwIfError(checkMath("math", math));
    settings().math = math;
  });
  module.def("math", [] { return currentOptions().math; });
  module.def("use_backward_kernels", [] {
    throwIfError(envStatus());
    return env().useBackwardKernels;
  });
  module.def("log_level", [] {
    static constexpr const char *names[] = {"ERROR", "WARNING", "INFO",
                                            "DEBUG"};
    return names[int(env().logLevel)];
  });
  module.def("use_exchange_api", useExchangeApi);
  module.def("has_exchange_api", hasExchangeApi);
}

static void addGraphs(nb::module_ &module) {
  module.def("graph_of_command", [](const std::string &command) {
    std::string name;
    Graph graph = valueOrThrow(graphFromCommand(command, &name));
    return std::pair(printGraph(graph), name);
  });
  module.def("canonical", [](const std::string &text) {
    return printGraph(canonicalize(valueOrThrow(parseGraph(text))));
  });
  module.def("needed_kernels",
             [](const std::string &text, const std::string &name) {
               CompileOptions options = currentOptions();
               options.name = name;
               Graph graph = valueOrThrow(parseGraph(text));
               nb::list all;
               for (const NeededKernel &each :
                    valueOrThrow(neededKernels(graph, options))) {
                 nb::dict kernel;
                 kernel["key"] = each.key;
                 kernel["name"] = each.name;
                 kernel["graph"] = each.graph;
                 kernel["cached"] = isCached(each, options);
                 all.append(kernel);
               }
               return all;
             });
  module.def("emit", [](const std::string &text, const std::string &name) {
    CompileOptions options = currentOptions();
    options.name = name;
    Graph graph = valueOrThrow(parseGraph(text));
    std::vector<std::string> modules;
    for (EmittedModule &each : valueOrThrow(emitModules(graph, options)))
      modules.push_back(std::move(each.mlir));
    return modules;
  });
}

NB_MODULE(_boo, module) {
  nb::set_leak_warnings(false); // torch keeps kernels until the very end
  addErrors(module);
  addKernel(module);
  addDispatcher(module);
  addSettings(module);
  addGraphs(module);
  addImport(module);
  addFrozen(module);
  addBackends(module);
  module.def("main", [](const std::vector<std::string> &arguments) {
    nb::gil_scoped_release released;
    return booCommand(arguments);
  });
}
