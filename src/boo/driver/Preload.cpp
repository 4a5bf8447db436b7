//===- Preload.cpp --------------------------------------------------------===//

#include "boo/driver/Preload.h"
#include "boo/base/Interrupt.h"
#include "boo/base/RunInProcesses.h"
#include "boo/runtime/Cache.h"

#include <algorithm>

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

Status Preload::run(const std::function<void(const PreloadItem &)> &done,
                    const std::function<void()> &tick) {
  std::vector<size_t> jobs;
  for (size_t i = 0; i != Items.size(); ++i)
    if (Items[i].outcome == PreloadOutcome::Waiting)
      jobs.push_back(i);
  ProcessJobs what;
  what.work = [&](size_t job) { return work(Items[job]); };
  what.done = [&](size_t job, StatusOr<std::string> answer) {
    PreloadItem &item = Items[job];
    if (answer.isOk())
      readAnswer(*answer, item);
    else
      item.status = answer.status();
    item.outcome =
        item.status.isOk() ? PreloadOutcome::Done : PreloadOutcome::Failed;
    done(item);
  };
  what.tick = tick;
  BOO_RETURN_IF_ERROR(runInProcesses(jobs, Options.processes, what));
  // What fails fails for all that ask for it.
  for (PreloadItem &item : Items)
    if (item.outcome == PreloadOutcome::Same) {
      const PreloadItem &other = Items[item.sameAs];
      if (other.outcome == PreloadOutcome::Failed) {
        item.outcome = PreloadOutcome::Failed;
        item.status = other.status;
      }
    }
  return Status::ok();
}
