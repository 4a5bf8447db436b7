//===- Capi.cpp - include/boo/boo.h on top of the launcher ----------------===//

#include "boo/base/Env.h"
#include "boo/boo.h"
#include "boo/driver/commands/Command.h"
#include "boo/runtime/Launcher.h"
#include "boo/runtime/cpu/CpuInfo.h"
#include "boo/runtime/cpu/Threads.h"

#include <algorithm>
#include <cstring>
#include <new>

using namespace boo;

#define BOO_SAME(dtype) int(DType::dtype) == int(BOO_##dtype)
static_assert(BOO_SAME(F64) && BOO_SAME(F32) && BOO_SAME(F16) &&
              BOO_SAME(BF16) && BOO_SAME(I64) && BOO_SAME(I32) &&
              BOO_SAME(I8) && BOO_SAME(I1));
static_assert(int(StatusCode::Internal) == BOO_INTERNAL &&
              int(StatusCode::KernelError) == BOO_KERNEL_ERROR);

namespace {
struct TensorStorage {
  boo_tensor info;
  std::vector<int64_t> sizes;
};
} // namespace

struct boo_op {
  std::unique_ptr<Executable> executable;
  std::string name;
  std::vector<TensorStorage> arguments, outputs;
};

static thread_local std::string lastError;

static int finish(const Status &status) {
  lastError = status.isOk() ? std::string() : status.message();
  return int(status.code());
}

/// Runs `body`, which returns a Status. C callers must never see an exception.
template <typename Body> static int guarded(Body body) {
  try {
    return finish(body());
  } catch (const std::bad_alloc &) {
    return finish({StatusCode::OutOfMemory, "memory is out"});
  } catch (const std::exception &error) {
    return finish(internalError(error.what()));
  } catch (...) {
    return finish(internalError("an unknown exception"));
  }
}

static StatusOr<CompileOptions> convertOptions(const boo_options *given) {
  BOO_ASSIGN_OR_RETURN(CompileOptions options, defaultCompileOptions());
  if (!given)
    return options;
  boo_options all;
  boo_options_init(&all);
  if (given->struct_size < sizeof(size_t))
    return invalidArgument("boo_options was not set by boo_options_init");
  // An older program knows fewer fields, a newer one more.
  std::memcpy(&all, given, std::min(given->struct_size, sizeof(all)));
  if (all.target) {
    BOO_ASSIGN_OR_RETURN(options.target, targetFor(all.target));
  }
  if (all.math)
    options.math = all.math;
  if (all.cache_dir)
    options.cacheDir = all.cache_dir;
  if (all.use_cache >= 0)
    options.useCache = all.use_cache != 0;
  options.recompile = all.recompile != 0;
  options.constantsPacked = all.pack_constants != 0;
  return options;
}

static std::vector<TensorStorage>
describeAll(const Graph &graph, const std::vector<ValueId> &values) {
  std::vector<TensorStorage> tensors(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const TensorType &type = graph.value(values[i]).type;
    TensorStorage &tensor = tensors[i];
    for (const Dim &dim : type.sizes)
      tensor.sizes.push_back(dim.size());
    tensor.info = {boo_dtype(type.dtype), int32_t(type.rank()),
                   tensor.sizes.data(), type.strides.data(), type.spanBytes()};
  }
  return tensors;
}

static Status create(const Graph &graph, std::string name,
                     const boo_options *given, boo_op **op) {
  BOO_ASSIGN_OR_RETURN(CompileOptions options, convertOptions(given));
  BOO_RETURN_IF_ERROR(graph.verify());
  if (graph.numSymbols() > 0)
    return unsupported("sizes that are symbols cannot be bound through this "
                       "interface");
  options.name = std::move(name);
  auto made = std::make_unique<boo_op>();
  BOO_ASSIGN_OR_RETURN(made->executable, load(graph, options));
  const Executable &executable = *made->executable;
  made->name = options.name;
  if (made->name.empty() && executable.numGroups() > 0)
    made->name = executable.manifest(0).name;
  // The executable's own graph: these tables point into it.
  const Graph &own = executable.graph();
  std::vector<ValueId> outputs;
  for (const Output &output : own.outputs())
    outputs.push_back(output.value);
  made->arguments = describeAll(own, own.arguments());
  made->outputs = describeAll(own, outputs);
  *op = made.release();
  return Status::ok();
}

static Status describe(const std::vector<TensorStorage> &tensors, size_t index,
                       boo_tensor *tensor) {
  if (!tensor)
    return invalidArgument("no place for the tensor's description");
  if (index >= tensors.size())
    return invalidArgument("index " + std::to_string(index) +
                           " is out of range: there are " +
                           std::to_string(tensors.size()));
  *tensor = tensors[index].info;
  return Status::ok();
}

static Status checkBuffers(const char *what, const void *const *buffers,
                           const std::vector<TensorStorage> &tensors) {
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!buffers || (!buffers[i] && tensors[i].info.bytes > 0))
      return invalidArgument("no buffer for " + std::string(what) + " " +
                             std::to_string(i));
  return Status::ok();
}

static int threadsOf(int threads) {
  return threads == 0 ? defaultThreads() : threads;
}

uint32_t boo_api_version(void) { return BOO_API_VERSION; }

const char *boo_last_error(void) { return lastError.c_str(); }

void boo_options_init(boo_options *options) {
  *options = boo_options{};
  options->struct_size = sizeof(boo_options);
  options->use_cache = -1;
}

int boo_create_from_command(const char *command, const boo_options *options,
                            boo_op **op) {
  return guarded([&]() -> Status {
    if (!op || !command)
      return invalidArgument("no command, or no place for the operation");
    *op = nullptr;
    std::string name;
    BOO_ASSIGN_OR_RETURN(Graph graph, graphFromCommand(command, &name));
    return create(graph, std::move(name), options, op);
  });
}

int boo_create_from_graph(const char *graph_text, const char *name,
                          const boo_options *options, boo_op **op) {
  return guarded([&]() -> Status {
    if (!op || !graph_text)
      return invalidArgument("no graph, or no place for the operation");
    *op = nullptr;
    BOO_ASSIGN_OR_RETURN(Graph graph, parseGraph(graph_text));
    return create(graph, name ? name : "", options, op);
  });
}

void boo_destroy(boo_op *op) { delete op; }

const char *boo_name(const boo_op *op) { return op->name.c_str(); }
size_t boo_num_arguments(const boo_op *op) { return op->arguments.size(); }
size_t boo_num_outputs(const boo_op *op) { return op->outputs.size(); }

int boo_argument(const boo_op *op, size_t index, boo_tensor *tensor) {
  return guarded([&] { return describe(op->arguments, index, tensor); });
}

int boo_output(const boo_op *op, size_t index, boo_tensor *tensor) {
  return guarded([&] { return describe(op->outputs, index, tensor); });
}

int64_t boo_memory_bytes(const boo_op *op, int threads) {
  return op->executable->memoryBytes(threadsOf(threads));
}

int boo_default_threads(void) { return defaultThreads(); }

int boo_prepare(boo_op *op, const void *const *in, int threads) {
  return guarded([&]() -> Status {
    BOO_RETURN_IF_ERROR(checkBuffers("argument", in, op->arguments));
    return op->executable->prepare({in, op->arguments.size()},
                                   threadsOf(threads));
  });
}

int boo_run(const boo_op *op, const void *const *in, void *const *out,
            int threads) {
  return guarded([&]() -> Status {
    BOO_RETURN_IF_ERROR(checkBuffers("argument", in, op->arguments));
    BOO_RETURN_IF_ERROR(checkBuffers("output", out, op->outputs));
    return op->executable->run({in, op->arguments.size()},
                               {out, op->outputs.size()}, threadsOf(threads));
  });
}
