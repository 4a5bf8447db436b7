//===- PlanExecutable.cpp -------------------------------------------------===//

#include "boo/runtime/PlanExecutable.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>

using namespace boo;

Executable::~Executable() = default;

static constexpr int64_t kNoDims[1] = {0};

static int64_t roundUp(int64_t bytes, int64_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// Everything that one call writes to.
struct PlanExecutable::Context {
  int threads = 0;
  HostBuffer memory; ///< workspace, arena, then each worker's scratch
  char *arena = nullptr, *scratch = nullptr;
  std::vector<boo_args> args; ///< of each group
  std::vector<const void *> in;
  std::vector<void *> out;
  std::vector<Step> steps;
};

PlanExecutable::PlanExecutable(Graph graph, Plan plan,
                               std::vector<CachedArtifact> artifacts)
    : G(std::move(graph)), P(std::move(plan)) {
  NumSymbols = size_t(P.graph.numSymbols());
  int64_t scratch = 0;
  for (size_t i = 0; i < P.groups.size(); ++i) {
    GroupState &group = Groups.emplace_back();
    group.cached = std::move(artifacts[i]);
    for (ValueId value : P.groups[i].arguments)
      group.arguments.push_back(placeOf(value));
    for (ValueId value : P.groups[i].outputs)
      group.outputs.push_back(placeOf(value));
    const Manifest &manifest = group.cached.artifact->manifest();
    WorkspaceBytes = std::max(WorkspaceBytes, manifest.workspaceBytes);
    scratch = std::max(scratch, manifest.scratchBytes);
    ConstantsBytes += roundUp(manifest.constantsBytes, 64);
    if (!manifest.prepare.empty())
      Prepared = false;
  }
  WorkspaceBytes = roundUp(WorkspaceBytes, 64);
  // Two lines apart, because the prefetcher fetches lines in pairs.
  ScratchStride = scratch == 0 ? 0 : roundUp(scratch, 128);
}

PlanExecutable::~PlanExecutable() { delete Spare.load(); }

PlanExecutable::Place PlanExecutable::placeOf(ValueId value) const {
  auto indexOf = [&](ValueId argument) {
    const std::vector<ValueId> &arguments = P.graph.arguments();
    return std::find(arguments.begin(), arguments.end(), argument) -
           arguments.begin();
  };
  if (P.graph.value(value).role != Role::Result)
    return {Place::Argument, indexOf(value)};
  const std::vector<Output> &outputs = P.graph.outputs();
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].value == value) {
      if (outputs[i].into != kNoValue)
        return {Place::Argument, indexOf(outputs[i].into)};
      return {Place::Output, int64_t(i)};
    }
  return {Place::Arena, P.arenaOffsets[size_t(value)]};
}

const Manifest &PlanExecutable::manifest(size_t group) const {
  return Groups[group].cached.artifact->manifest();
}

const LoadReport &PlanExecutable::report(size_t group) const {
  return Groups[group].cached.report;
}

int64_t PlanExecutable::memoryBytes(int threads) const {
  return WorkspaceBytes + P.arenaBytes + ConstantsBytes +
         ScratchStride * threads;
}

StatusOr<std::unique_ptr<PlanExecutable::Context>>
PlanExecutable::makeContext(int threads) const {
  auto context = std::make_unique<Context>();
  context->threads = threads;
  BOO_RETURN_IF_ERROR(checkMemory(memoryBytes(threads), "this plan"));
  BOO_ASSIGN_OR_RETURN(context->memory,
                       HostBuffer::create(WorkspaceBytes + P.arenaBytes +
                                          ScratchStride * threads));
  char *memory = static_cast<char *>(context->memory.data());
  context->arena = memory + WorkspaceBytes;
  context->scratch = ScratchStride ? context->arena + P.arenaBytes : nullptr;

  size_t numIn = 0, numOut = 0;
  for (const GroupState &group : Groups) {
    numIn += group.arguments.size();
    numOut += group.outputs.size();
  }
  // Never empty, so that the kernels' table addresses are never NULL.
  context->in.resize(numIn + 1);
  context->out.resize(numOut + 1);
  context->args.resize(Groups.size());
  numIn = numOut = 0;
  for (size_t i = 0; i < Groups.size(); ++i) {
    context->args[i] = {&context->in[numIn], &context->out[numOut], kNoDims,
                        nullptr, WorkspaceBytes ? memory : nullptr};
    numIn += Groups[i].arguments.size();
    numOut += Groups[i].outputs.size();
    for (const Artifact::Kernel &kernel : Groups[i].cached.artifact->run())
      context->steps.push_back({kernel.fn, kernel.grid, &context->args[i]});
  }
  return context;
}

StatusOr<std::unique_ptr<PlanExecutable::Context>>
PlanExecutable::borrow(int threads) const {
  std::unique_ptr<Context> context(
      Spare.exchange(nullptr, std::memory_order_acquire));
  if (!context) {
    // Never waits: a fresh context is always right.
    std::unique_lock lock(PoolMutex, std::try_to_lock);
    if (lock.owns_lock() && !Pool.empty()) {
      context = std::move(Pool.back());
      Pool.pop_back();
    }
  }
  if (context && context->threads >= threads)
    return context;
  context.reset(); // before its successor is allocated
  return makeContext(threads);
}

void PlanExecutable::giveBack(std::unique_ptr<Context> context) const {
  Context *none = nullptr;
  if (Spare.compare_exchange_strong(none, context.get(),
                                    std::memory_order_release,
                                    std::memory_order_relaxed)) {
    (void)context.release();
    return;
  }
  std::unique_lock lock(PoolMutex, std::try_to_lock);
  if (lock.owns_lock())
    Pool.push_back(std::move(context));
}

void PlanExecutable::bind(Context &context, std::span<const void *const> in,
                          std::span<void *const> out,
                          const int64_t *dims) const {
  // `out` is empty while constants are packed: only arguments are read then.
  auto address = [&](const Place &place) -> void * {
    switch (place.kind) {
    case Place::Argument:
      return const_cast<void *>(in[size_t(place.at)]);
    case Place::Output:
      return out.empty() ? nullptr : out[size_t(place.at)];
    case Place::Arena:
      return context.arena + place.at;
    }
    return nullptr;
  };
  // Workers on other cores read these tables: what stays as it was keeps its
  // place in their caches.
  auto set = [](auto &slot, auto value) {
    if (slot != value)
      slot = value;
  };
  const void **nextIn = context.in.data();
  void **nextOut = context.out.data();
  for (size_t i = 0; i < Groups.size(); ++i) {
    const GroupState &group = Groups[i];
    set(context.args[i].dims, dims);
    set(context.args[i].constants, group.constants.data());
    for (const Place &place : group.arguments)
      set(*nextIn++, address(place));
    for (const Place &place : group.outputs)
      set(*nextOut++, address(place));
  }
}

Status PlanExecutable::checkArguments(std::span<const void *const> in,
                                      int threads) const {
  if (threads < 1)
    return invalidArgument("a run needs at least one thread");
  if (threads > maxThreads())
    return invalidArgument(std::to_string(threads) +
                           " threads are asked for, at most " +
                           std::to_string(maxThreads()) + " are served");
  if (in.size() != P.graph.arguments().size())
    return invalidArgument(
        "the graph has " + std::to_string(P.graph.arguments().size()) +
        " arguments, given are " + std::to_string(in.size()));
  return Status::ok();
}

Status PlanExecutable::kernelError(bool preparing,
                                   const StepError &error) const {
  int64_t step = error.step;
  for (const GroupState &group : Groups) {
    const Manifest &manifest = group.cached.artifact->manifest();
    const auto &dispatches = preparing ? manifest.prepare : manifest.run;
    if (step >= int64_t(dispatches.size())) {
      step -= int64_t(dispatches.size());
      continue;
    }
    size_t index = size_t(error.code) - 1;
    std::string reason = error.code > 0 && index < manifest.errors.size()
                             ? manifest.errors[index]
                             : "code " + std::to_string(error.code);
    return {StatusCode::KernelError, manifest.name + ", dispatch " +
                                         dispatches[size_t(step)].name + ": " +
                                         reason};
  }
  return internalError("a dispatch failed that is in no manifest");
}

Status PlanExecutable::prepare(std::span<const void *const> in, int threads) {
  BOO_RETURN_IF_ERROR(checkArguments(in, threads));
  BOO_ASSIGN_OR_RETURN(std::unique_ptr<Context> context, borrow(threads));
  for (GroupState &group : Groups) {
    int64_t bytes = group.cached.artifact->manifest().constantsBytes;
    if (group.constants.size() < bytes) {
      BOO_ASSIGN_OR_RETURN(group.constants, HostBuffer::create(bytes));
    }
  }
  bind(*context, in, {}, kNoDims);
  std::vector<Step> steps;
  for (size_t i = 0; i < Groups.size(); ++i)
    for (const Artifact::Kernel &kernel : Groups[i].cached.artifact->prepare())
      steps.push_back({kernel.fn, kernel.grid, &context->args[i]});
  StepError error = runSteps(steps, threads, context->scratch, ScratchStride);
  giveBack(std::move(context));
  if (error.code != 0)
    return kernelError(true, error);
  Prepared = true;
  return Status::ok();
}

Status PlanExecutable::run(std::span<const void *const> in,
                           std::span<void *const> out, int threads,
                           std::span<const int64_t> dims, double *us) const {
  BOO_RETURN_IF_ERROR(checkArguments(in, threads));
  if (out.size() != P.graph.outputs().size())
    return invalidArgument("the graph has " +
                           std::to_string(P.graph.outputs().size()) +
                           " outputs, given are " + std::to_string(out.size()));
  if (dims.size() < NumSymbols)
    return invalidArgument("the graph has " + std::to_string(NumSymbols) +
                           " symbols, given are " +
                           std::to_string(dims.size()));
  if (!Prepared)
    return invalidArgument("the constants are not packed: call prepare first");
  BOO_ASSIGN_OR_RETURN(std::unique_ptr<Context> context, borrow(threads));
  bind(*context, in, out, dims.empty() ? kNoDims : dims.data());
  StepError error =
      runSteps(context->steps, threads, context->scratch, ScratchStride, us);
  giveBack(std::move(context));
  return error.code == 0 ? Status::ok() : kernelError(false, error);
}
