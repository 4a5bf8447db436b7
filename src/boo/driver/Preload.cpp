//===- Preload.cpp --------------------------------------------------------===//

#include "boo/driver/Preload.h"
#include "boo/base/Interrupt.h"
#include "boo/driver/WorkerPool.h"
#include "boo/runtime/Cache.h"

#include <algorithm>
#include <csignal>

using namespace boo;

/// What commands with the same kernels have in common.
static std::string keysOf(const PreloadItem &item) {
  std::string keys;
  for (const NeededKernel &kernel : item.kernels)
    keys += kernel.key + " ";
  return keys;
}

bool Preload::isThere(const PreloadItem &item) const {
  const CompileOptions &options = item.planned.options;
  return !options.recompile &&
         std::all_of(item.kernels.begin(), item.kernels.end(),
                     [&](const NeededKernel &kernel) {
                       return Options.modulesOnly
                                  ? hasModule(Options.cacheDir, kernel.name,
                                              kernel.key)
                                  : isCached(kernel, options);
                     });
}

void Preload::add(PlannedCommand planned) {
  PreloadItem item;
  item.planned = std::move(planned);
  item.planned.options.cacheDir = Options.cacheDir;
  item.status = item.planned.status;
  if (item.status.isOk() && !item.planned.options.useCache)
    item.status = invalidArgument("--no-cache leaves nothing to preload");
  if (item.status.isOk()) {
    auto kernels =
        neededKernels(item.planned.command.graph, item.planned.options);
    item.status = kernels.status();
    if (kernels.isOk())
      item.kernels = std::move(*kernels);
  }
  if (!item.status.isOk()) {
    item.outcome = PreloadOutcome::Failed;
    Items.push_back(std::move(item));
    return;
  }
  auto [first, isNew] = FirstWith.emplace(keysOf(item), Items.size());
  item.sameAs = first->second;
  if (!isNew)
    item.outcome = PreloadOutcome::Same;
  else if (isThere(item))
    item.outcome = PreloadOutcome::Cached;
  Items.push_back(std::move(item));
}

size_t Preload::count(PreloadOutcome outcome) const {
  return size_t(
      std::count_if(Items.begin(), Items.end(), [&](const PreloadItem &item) {
        return item.outcome == outcome;
      }));
}

size_t Preload::numWaiting() const { return count(PreloadOutcome::Waiting); }

Status Preload::compile(const PreloadItem &item) const {
  BOO_ASSIGN_OR_RETURN(auto executable,
                       load(item.planned.command.graph, item.planned.options));
  for (size_t g = 0; g != executable->numGroups(); ++g)
    if (executable->report(g).cache == CacheOutcome::Off)
      return ioError("its kernel could not be stored in " + Options.cacheDir);
  return Status::ok();
}

Status Preload::writeModules(const PreloadItem &item) const {
  BOO_ASSIGN_OR_RETURN(auto modules, emitModules(item.planned.command.graph,
                                                 item.planned.options));
  for (const EmittedModule &module : modules)
    BOO_RETURN_IF_ERROR(publishModule(Options.cacheDir, module.kernel.name,
                                      module.kernel.key, module.mlir));
  return Status::ok();
}

// An answer is the milliseconds, the status code, and the message.
std::string Preload::work(const PreloadItem &item) const {
  setRunning(item.planned.repro);
  double start = nowMs();
  Status status = Options.modulesOnly ? writeModules(item) : compile(item);
  setRunning("");
  return std::to_string(nowMs() - start) + " " +
         std::to_string(int(status.code())) + " " + status.message();
}

static void readAnswer(const std::string &answer, PreloadItem &item) {
  char *rest = nullptr;
  item.ms = std::strtod(answer.c_str(), &rest);
  auto code = StatusCode(std::strtol(rest, &rest, 10));
  item.status = code == StatusCode::Ok ? Status::ok() : Status(code, rest + 1);
}

Status Preload::run(const std::function<void(const PreloadItem &)> &done) {
  std::vector<size_t> jobs;
  for (size_t i = 0; i != Items.size(); ++i)
    if (Items[i].outcome == PreloadOutcome::Waiting)
      jobs.push_back(i);
  WorkerOptions workers;
  workers.workers = int(Options.processes);
  workers.work = [&](size_t job, const WorkerOptions::Send &send) {
    // Ctrl-C reaches the whole group: what is under way is finished.
    std::signal(SIGINT, SIG_IGN);
    send(work(Items[job]));
    return true;
  };
  workers.onMessage = [&](size_t job, std::string_view answer) {
    readAnswer(std::string(answer), Items[job]);
  };
  workers.onEnd = [&](size_t job, const JobEnd &end) {
    PreloadItem &item = Items[job];
    if (!end.returned)
      item.status = internalError("its worker process: " + end.describe());
    item.outcome =
        item.status.isOk() ? PreloadOutcome::Done : PreloadOutcome::Failed;
    done(item);
  };
  Status status = runInWorkers(jobs, workers);
  // What fails fails for all that ask for it.
  for (PreloadItem &item : Items)
    if (item.outcome == PreloadOutcome::Same) {
      const PreloadItem &other = Items[item.sameAs];
      if (other.outcome == PreloadOutcome::Failed) {
        item.outcome = PreloadOutcome::Failed;
        item.status = other.status;
      }
    }
  return status;
}
