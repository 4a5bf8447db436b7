//===- Backend.cpp --------------------------------------------------------===//

#include "boo/driver/Backend.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/commands/Nearest.h"
#include "boo/ops/Reference.h"

#include <cmath>
#include <map>

using namespace boo;

Runner::~Runner() = default;
Status Runner::deliver(std::span<void *const>) { return Status::ok(); }
StatusOr<std::vector<DispatchTime>>
Runner::profile(std::span<const void *const>, std::span<void *const>, int) {
  return unsupported("only runs of the backend boo are made of dispatches");
}

namespace {

class BooRunner : public Runner {
public:
  explicit BooRunner(std::unique_ptr<Executable> executable)
      : Exe(std::move(executable)) {
    bool hit = true, off = false;
    for (size_t g = 0; g != Exe->numGroups(); ++g) {
      const Manifest &manifest = Exe->manifest(g);
      const LoadReport &report = Exe->report(g);
      append(&Info.algorithm, manifest.algorithm);
      append(&Info.schedule, manifest.schedule);
      append(&Info.artifact, report.artifact);
      // The first group with arithmetic worth a peak of its own tells it.
      if (Info.instruction.empty())
        Info.instruction = manifest.instruction;
      if (auto target = parseTarget(manifest.target); target.isOk())
        Info.isa = target->isa;
      Info.why.insert(Info.why.end(), manifest.why.begin(), manifest.why.end());
      Info.compileMs += report.compileMs;
      Info.loadMs += report.loadMs;
      Info.workspaceBytes += manifest.workspaceBytes;
      hit = hit && report.cache == CacheOutcome::Hit;
      off = off || report.cache == CacheOutcome::Off;
    }
    Info.cache = off ? "off" : hit ? "hit" : "miss";
    if (hit && !off)
      Info.compileMs = NAN;
  }

  const RunnerInfo &info() const override { return Info; }
  int64_t memoryBytes(int threads) const override {
    return Exe->memoryBytes(threads);
  }
  Status prepare(std::span<const void *const> in, int threads) override {
    return Exe->prepare(in, threads);
  }
  Status run(std::span<const void *const> in, std::span<void *const> out,
             int threads) override {
    return Exe->run(in, out, threads);
  }
  StatusOr<std::vector<DispatchTime>> profile(std::span<const void *const> in,
                                              std::span<void *const> out,
                                              int threads) override {
    std::vector<DispatchTime> times;
    for (size_t g = 0; g != Exe->numGroups(); ++g) {
      const Manifest &manifest = Exe->manifest(g);
      for (const Dispatch &dispatch : manifest.run)
        times.push_back({manifest.name, dispatch.name, dispatch.grid, 0});
    }
    std::vector<double> us(times.size());
    BOO_RETURN_IF_ERROR(Exe->run(in, out, threads, {}, us.data()));
    for (size_t i = 0; i != times.size(); ++i)
      times[i].us = us[i];
    return times;
  }

private:
  static void append(std::string *list, const std::string &item) {
    *list += (list->empty() || item.empty() ? "" : " + ") + item;
  }

  std::unique_ptr<Executable> Exe;
  RunnerInfo Info;
};

/// The float64 reference as if it were a kernel: a judge to look at, and a way
/// to run every command where no compiler is at hand.
class ReferenceRunner : public Runner {
public:
  explicit ReferenceRunner(const Graph &graph) : TheGraph(graph) {
    Info.algorithm = "direct";
    Info.schedule = "float64";
    Info.cache = "off";
    Info.why.push_back("the reference: float64 throughout, rounded once");
    Info.compileMs = Info.loadMs = NAN;
  }
  const RunnerInfo &info() const override { return Info; }
  int64_t memoryBytes(int) const override {
    int64_t bytes = 0;
    for (const Value &value : TheGraph.values())
      bytes += 16 * value.type.numElements();
    return bytes;
  }
  Status prepare(std::span<const void *const>, int) override {
    return Status::ok();
  }
  Status run(std::span<const void *const> in, std::span<void *const> out,
             int threads) override {
    BOO_ASSIGN_OR_RETURN(
        auto results,
        evaluateReference(TheGraph, in, "direct", {threads, interrupted}));
    for (size_t i = 0; i != results.size(); ++i)
      store(TheGraph.value(TheGraph.outputs()[i].value).type, results[i].values,
            out[i]);
    return Status::ok();
  }

private:
  static void store(const TensorType &type, const std::vector<double> &values,
                    void *out) {
    std::vector<int64_t> at(type.rank(), 0);
    for (double value : values) {
      int64_t offset = 0;
      for (size_t d = 0; d != at.size(); ++d)
        offset += at[d] * type.strides[d];
      storeElement(out, type.dtype, offset, value);
      for (size_t d = at.size(); d-- != 0;) {
        if (++at[d] != type.sizes[d].size())
          break;
        at[d] = 0;
      }
    }
  }

  Graph TheGraph;
  RunnerInfo Info;
};

} // namespace

static StatusOr<std::unique_ptr<Runner>>
makeBoo(const Graph &graph, const CompileOptions &options) {
  BOO_ASSIGN_OR_RETURN(auto executable, load(graph, options));
  return std::unique_ptr<Runner>(
      std::make_unique<BooRunner>(std::move(executable)));
}

static StatusOr<std::unique_ptr<Runner>> makeReference(const Graph &graph,
                                                       const CompileOptions &) {
  return std::unique_ptr<Runner>(std::make_unique<ReferenceRunner>(graph));
}

static std::map<std::string, BackendFactory> &backends() {
  static std::map<std::string, BackendFactory> all = {
#define BOO_BACKEND(name, factory) {name, factory},
#include "boo/driver/Backends.inc"
  };
  return all;
}

std::vector<std::string> boo::backendNames() {
  std::vector<std::string> names;
  for (const auto &[name, factory] : backends())
    names.push_back(name);
  return names;
}

void boo::registerBackend(std::string name, BackendFactory factory) {
  backends()[std::move(name)] = std::move(factory);
}

Status boo::checkBackend(const std::string &name) {
  if (backends().count(name))
    return Status::ok();
  static constexpr std::string_view python[] = {
#define BOO_PYTHON_BACKEND(name) name,
#include "boo/driver/Backends.inc"
  };
  for (std::string_view known : python)
    if (name == known)
      return unsupported("--backend " + name +
                         " needs PyTorch: install the Python package "
                         "(pip install .) and use its boo command");
  std::vector<std::string> present = backendNames();
  std::vector<std::string_view> names(present.begin(), present.end());
  std::string list, more;
  for (const std::string &each : present)
    list += (list.empty() ? "" : ", ") + each;
  for (std::string_view each : python)
    if (!backends().count(std::string(each))) {
      names.push_back(each);
      more += (more.empty() ? "; the Python package adds " : ", ") +
              std::string(each);
    }
  return invalidArgument("--backend: there is no backend '" +
                         name.substr(0, 60) + "'" + didYouMean(name, names) +
                         " (there are " + list + more + ")");
}

StatusOr<std::unique_ptr<Runner>>
boo::makeRunner(const std::string &backend, const Graph &graph,
                const CompileOptions &options) {
  BOO_RETURN_IF_ERROR(checkBackend(backend));
  return backends()[backend](graph, options);
}
