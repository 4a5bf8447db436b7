//===- Launcher.cpp - From a Graph to loaded artifacts --------------------===//

#include "boo/runtime/Launcher.h"
#include "boo/base/Log.h"
#include "boo/base/RunOnThreads.h"
#include "boo/runtime/CompilerPlugin.h"
#include "boo/runtime/Files.h"
#include "boo/runtime/Key.h"
#include "boo/runtime/PlanExecutable.h"
#include "boo/runtime/Temporary.h"
#include "boo/runtime/Tuning.h"
#include "boo/runtime/cpu/CpuInfo.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <pthread.h>
#include <unistd.h>

using namespace boo;

StatusOr<CompileOptions> boo::defaultCompileOptions() {
  BOO_RETURN_IF_ERROR(envStatus());
  CompileOptions options;
  options.target = hostTarget();
  options.math = env().math;
  options.useCache = env().cacheOn;
  options.dumpDir = env().dumpDir;
  return options;
}

namespace {
/// One artifact to be had; equal groups share it.
struct Job {
  std::string key, name, graph, tuning;
  std::optional<CachedArtifact> result;
  Status error;
};

/// Artifacts that are loaded in this process, by cache folder and key.
class LoadedTable {
public:
  static std::shared_ptr<const Artifact> find(const std::string &id) {
    std::lock_guard lock(Mutex);
    auto entry = entries().find(id);
    return entry == entries().end() ? nullptr : entry->second.lock();
  }
  static void add(const std::string &id,
                  const std::shared_ptr<const Artifact> &artifact) {
    std::lock_guard lock(Mutex);
    std::erase_if(entries(),
                  [](const auto &entry) { return entry.second.expired(); });
    entries()[id] = artifact;
  }

private:
  using Entries = std::map<std::string, std::weak_ptr<const Artifact>>;
  static Entries &entries() {
    static auto *table = new Entries;
    return *table;
  }
  static inline std::mutex Mutex;
  // A child of fork() must not find the mutex held by a thread that does not
  // exist there.
  [[maybe_unused]] static inline const int ForkHandler = ::pthread_atfork(
      [] { Mutex.lock(); }, [] { Mutex.unlock(); }, [] { Mutex.unlock(); });
};

/// Gets the artifacts of one load().
class Loader {
public:
  /// `tuned` outlives it.
  Loader(const CompileOptions &options, const TuningTable &tuned)
      : Options(options), Tuned(tuned),
        Dir(options.cacheDir.empty() ? env().cacheDir : options.cacheDir),
        DumpDir(options.dumpDir.empty() ? env().dumpDir : options.dumpDir),
        TargetText(printTarget(options.target)), Store(Dir, env().cachePath) {}

  std::string keyOf(const std::string &graph, const std::string &tuning) const {
    return computeKey({graph, Options.target, Options.math,
                       Options.constantsPacked, tuning, Tuned.transforms(),
                       compilerBuilds()});
  }

  /// A job for each distinct key; `jobOfGroup` gets each group's.
  std::vector<Job> jobsOf(const Plan &plan,
                          std::vector<size_t> *jobOfGroup) const;
  /// True when the job is done without compiling.
  bool findLoaded(Job &job) const;
  bool isCached(const Job &job) const {
    return Store.contains(job.key, job.name);
  }
  void compile(Job &job) const;
  /// The module alone.
  StatusOr<std::string> emit(const Job &job, bool toTheEnd) const;
  StatusOr<std::vector<std::string>> neighbours(const Job &job) const;

private:
  /// Points into the arguments.
  boo_compile_request requestOf(const Job &job, const std::string &output,
                                const std::string &mlir) const;
  Status callCompiler(const Job &job, const std::string &output,
                      const std::string &mlir) const;

  const CompileOptions &Options;
  const TuningTable &Tuned;
  std::string Dir, DumpDir, TargetText;
  Cache Store;
};
} // namespace

std::vector<Job> Loader::jobsOf(const Plan &plan,
                                std::vector<size_t> *jobOfGroup) const {
  bool named = !Options.name.empty();
  std::vector<Job> jobs;
  std::map<std::string, size_t> jobOfKey;
  for (const Group &group : plan.groups) {
    std::string text = printGraph(group.graph);
    std::string tuning = Options.tuningEntry;
    if (tuning.empty())
      tuning = Tuned.find(text, Options.target.isa, Options.math);
    std::string key = keyOf(text, tuning);
    auto [entry, isNew] = jobOfKey.emplace(key, jobs.size());
    if (isNew)
      jobs.push_back({key,
                      named && jobs.empty() ? safeName(Options.name)
                                            : deriveName(group.graph),
                      std::move(text),
                      std::move(tuning),
                      {},
                      {}});
    jobOfGroup->push_back(entry->second);
  }
  return jobs;
}

bool Loader::findLoaded(Job &job) const {
  if (!Options.useCache || Options.recompile)
    return false;
  std::string id = Dir + '\n' + job.key;
  if (auto artifact = LoadedTable::find(id)) {
    std::string path = artifact->path();
    job.result = {std::move(artifact), {CacheOutcome::Hit, 0, 0, path}};
  } else {
    job.result = Store.find(job.key, job.name);
    if (job.result)
      LoadedTable::add(id, job.result->artifact);
  }
  if (job.result && !DumpDir.empty())
    warnOnce("nothing dumped",
             "nothing is dumped to " + DumpDir + " for " + job.name +
                 ": it came from the cache (--recompile compiles again)");
  return job.result.has_value();
}

boo_compile_request Loader::requestOf(const Job &job, const std::string &output,
                                      const std::string &mlir) const {
  boo_compile_request request{};
  request.struct_size = sizeof(request);
  request.graph_text = job.graph.c_str();
  request.target_text = TargetText.c_str();
  request.math = Options.math.c_str();
  request.tuning_entry = job.tuning.c_str();
  request.transforms = Tuned.transforms().c_str();
  request.key = job.key.c_str();
  request.name = job.name.c_str();
  request.builds = compilerBuilds().c_str();
  request.constants_packed = Options.constantsPacked;
  request.dump_dir = DumpDir.c_str();
  request.output_path = output.c_str();
  request.mlir_path = mlir.c_str();
  return request;
}

Status Loader::callCompiler(const Job &job, const std::string &output,
                            const std::string &mlir) const {
  return compileArtifact(requestOf(job, output, mlir));
}

StatusOr<std::vector<std::string>> Loader::neighbours(const Job &job) const {
  std::string none;
  return compilerNeighbours(requestOf(job, none, none));
}

StatusOr<std::string> Loader::emit(const Job &job, bool toTheEnd) const {
  // A folder of its own: in one that strangers can write to, a name may be
  // theirs.
  std::string folder = env().tmpDir + "/" + temporaryName() + "-XXXXXX";
  if (!::mkdtemp(folder.data()))
    return systemError("create a folder in", env().tmpDir);
  std::string path = folder + "/module.mlir";
  Status status =
      callCompiler(job, toTheEnd ? folder + "/kernel.so" : "", path);
  StatusOr<std::string> text =
      status.isOk() ? readFile(path) : StatusOr<std::string>(status);
  removeFlatDirectory(folder);
  return text;
}

void Loader::compile(Job &job) const {
  auto call = [&](const std::string &output, const std::string &mlir) {
    return callCompiler(job, output, mlir);
  };
  auto made = Options.useCache
                  ? Store.obtain(job.key, job.name, call, Options.recompile)
                  : compileUncached(job.key, call);
  if (!made.isOk()) {
    job.error = made.status().withContext(job.name);
    return;
  }
  if (Options.useCache)
    LoadedTable::add(Dir + '\n' + job.key, made->artifact);
  job.result = std::move(*made);
}

/// BOO_DUMP_GRAPHS: each launched Graph as a file that `boo driver graph FILE`
/// takes. Debugging must not stop a program: failure is a warning.
static void dumpGraph(const Graph &graph, const std::string &name) {
  const std::string &dir = env().dumpGraphs;
  std::string file = dir + "/" + name + ".graph";
  std::string temporary = dir + "/" + temporaryName();
  Status status = makeDirectories(dir);
  if (status.isOk())
    status = writeFile(temporary, printGraph(graph));
  if (status.isOk() && ::rename(temporary.c_str(), file.c_str()) != 0)
    status = systemError("rename to", file);
  if (!status.isOk())
    warnOnce("BOO_DUMP_GRAPHS", "BOO_DUMP_GRAPHS: " + status.message());
}

static void runJobs(const Loader &loader, std::vector<Job *> jobs) {
  std::atomic<size_t> next{0};
  runOnThreads(std::min<int64_t>(std::ssize(jobs), cpuInfo().affinityCpus),
               [&] {
                 for (size_t i; (i = next++) < jobs.size();)
                   loader.compile(*jobs[i]);
               });
}

static const TuningTable &noTuning() {
  static const auto *none = new TuningTable;
  return *none;
}

/// What a load() goes by.
static StatusOr<const TuningTable *> tuningOf(const CompileOptions &options) {
  if (!options.useTuning)
    return &noTuning();
  BOO_RETURN_IF_ERROR(environmentTuning().status());
  return &*environmentTuning();
}

StatusOr<std::unique_ptr<Executable>> boo::load(const Graph &graph,
                                                const CompileOptions &options) {
  BOO_RETURN_IF_ERROR(envStatus());
  BOO_ASSIGN_OR_RETURN(const TuningTable *tuned, tuningOf(options));
  BOO_RETURN_IF_ERROR(checkMath("math", options.math));
  BOO_RETURN_IF_ERROR(canRun(options.target));
  BOO_ASSIGN_OR_RETURN(Plan plan, makePlan(graph));
  if (!env().dumpGraphs.empty())
    dumpGraph(graph, options.name.empty() ? deriveName(plan.graph)
                                          : safeName(options.name));

  Loader loader(options, *tuned);
  std::vector<size_t> jobOfGroup;
  std::vector<Job> jobs = loader.jobsOf(plan, &jobOfGroup);
  std::vector<Job *> missing;
  for (Job &job : jobs)
    if (!loader.findLoaded(job))
      missing.push_back(&job);
  runJobs(loader, missing);

  std::vector<CachedArtifact> artifacts;
  for (size_t index : jobOfGroup) {
    if (!jobs[index].result)
      return jobs[index].error;
    artifacts.push_back(*jobs[index].result);
  }
  return std::unique_ptr<Executable>(std::make_unique<PlanExecutable>(
      graph, std::move(plan), std::move(artifacts)));
}

/// The jobs of a Graph that is not to be run here.
static StatusOr<std::vector<Job>> findJobs(const Graph &graph,
                                           const CompileOptions &options) {
  BOO_RETURN_IF_ERROR(envStatus());
  BOO_ASSIGN_OR_RETURN(const TuningTable *tuned, tuningOf(options));
  BOO_RETURN_IF_ERROR(checkMath("math", options.math));
  BOO_ASSIGN_OR_RETURN(Plan plan, makePlan(graph));
  std::vector<size_t> jobOfGroup;
  return Loader(options, *tuned).jobsOf(plan, &jobOfGroup);
}

StatusOr<std::vector<NeededKernel>>
boo::neededKernels(const Graph &graph, const CompileOptions &options) {
  BOO_ASSIGN_OR_RETURN(std::vector<Job> jobs, findJobs(graph, options));
  std::vector<NeededKernel> kernels;
  for (Job &job : jobs)
    kernels.push_back({job.key, job.name, std::move(job.graph)});
  return kernels;
}

bool boo::isCached(const NeededKernel &kernel, const CompileOptions &options) {
  return Loader(options, noTuning())
      .isCached({kernel.key, kernel.name, {}, {}, {}, {}});
}

StatusOr<std::vector<EmittedModule>>
boo::emitModules(const Graph &graph, const CompileOptions &options,
                 bool toTheEnd) {
  BOO_ASSIGN_OR_RETURN(std::vector<Job> jobs, findJobs(graph, options));
  BOO_ASSIGN_OR_RETURN(const TuningTable *tuned, tuningOf(options));
  Loader loader(options, *tuned);
  std::vector<EmittedModule> modules;
  for (Job &job : jobs) {
    auto text = loader.emit(job, toTheEnd);
    if (!text.isOk())
      return text.status().withContext(job.name);
    modules.push_back(
        {{job.key, job.name, std::move(job.graph)}, std::move(*text)});
  }
  return modules;
}

StatusOr<ScheduleSteps> boo::scheduleSteps(const std::string &group,
                                           const CompileOptions &options) {
  BOO_RETURN_IF_ERROR(checkMath("math", options.math));
  BOO_ASSIGN_OR_RETURN(
      auto lines,
      Loader(options, noTuning())
          .neighbours({"", "", group, options.tuningEntry, {}, {}}));
  ScheduleSteps steps;
  steps.from = std::move(lines.front());
  steps.steps.assign(lines.begin() + 1, lines.end());
  return steps;
}
