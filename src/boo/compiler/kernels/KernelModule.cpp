//===- KernelModule.cpp - Dispatches and workspace of a kernel ------------===//

#include "boo/compiler/kernels/KernelModule.h"
#include "boo/base/Math.h"
#include "boo/compiler/kernels/KernelBuilder.h"

namespace boo::compiler {

int64_t addWorkspace(KernelModule &kernel, int64_t bytes) {
  int64_t slot = kernel.workspaceBytes;
  kernel.workspaceBytes += boo::ceilDiv(bytes, 64) * 64;
  return slot;
}

void addDispatch(
    KernelBuilder &builder, KernelModule &kernel, const char *name,
    const std::vector<int64_t> &grid, bool serial,
    const std::function<void(const std::vector<mlir::Value> &)> &body) {
  int64_t number = int64_t(kernel.run.size()), tiles = 1;
  for (int64_t size : grid)
    tiles *= size;
  builder.dispatch(
      number, [&](mlir::Value tile) { body(builder.delinearize(tile, grid)); },
      serial ? std::optional(tiles) : std::nullopt);
  kernel.run.push_back(
      {"boo_dispatch_" + std::to_string(number), name, serial ? 1 : tiles});
}

} // namespace boo::compiler
