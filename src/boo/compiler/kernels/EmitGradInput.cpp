//===- EmitGradInput.cpp - Kernels of input gradients ---------------------===//
//
// The nests of an input's gradient one after the other, each a convolution of
// its own pixels. Pixels that no tap meets belong to none of them: then all of
// the gradient is filled with zeros first.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/compiler/strategy/Strategy.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

namespace {
struct FillDim {
  int64_t size, stride;
};
} // namespace

/// Dimensions of `type`, outermost in memory first, neighbours without a gap
/// between them as one.
static std::vector<FillDim> fillDims(const TensorType &type) {
  std::vector<FillDim> dims, merged;
  for (size_t i = 0; i != type.rank(); ++i)
    if (type.sizes[i].size() != 1)
      dims.push_back({type.sizes[i].size(), type.strides[i]});
  llvm::stable_sort(dims, [](const FillDim &a, const FillDim &b) {
    return a.stride > b.stride;
  });
  for (const FillDim &dim : dims)
    if (!merged.empty() && merged.back().stride == dim.size * dim.stride)
      merged.back() = {merged.back().size * dim.size, dim.stride};
    else
      merged.push_back(dim);
  if (merged.empty())
    merged.push_back({1, 1});
  return merged;
}

static void emitZeros(KernelBuilder &k, KernelModule &kernel,
                      const TensorType &type, const Schedule &schedule) {
  // Enough for a grid tile to be worth it.
  constexpr int64_t piece = 4096;
  OpBuilder &b = k.builder();
  Type element = k.type(type.dtype);
  std::vector<FillDim> dims = fillDims(type);
  FillDim run = dims.back();
  dims.pop_back();
  std::vector<int64_t> grid;
  int64_t tiles = ceilDiv(run.size, piece);
  for (const FillDim &dim : dims) {
    grid.push_back(dim.size);
    tiles *= dim.size;
  }
  grid.push_back(ceilDiv(run.size, piece));
  int64_t lanes = schedule.vectorBits / element.getIntOrFloatBitWidth();
  auto zeros = [&](Type type) -> Value {
    return arith::ConstantOp::create(b, k.loc(), b.getZeroAttr(type));
  };
  int64_t number = int64_t(kernel.prepare.size() + kernel.run.size());
  k.dispatch(
      number,
      [&](Value tile) {
        Value out = k.buffer(ArgField::Out, 0, element);
        std::vector<Value> c = k.delinearize(tile, grid);
        Value start = k.index(0);
        for (size_t i = 0; i != dims.size(); ++i)
          start = k.add(k.mul(c[i], dims[i].stride), start);
        Value low = k.mul(c.back(), piece);
        Value high = k.min(k.index(run.size), k.add(low, piece));
        Value rest = low;
        if (run.stride == 1) {
          Value whole = b.createOrFold<arith::DivUIOp>(
              k.loc(), k.sub(high, low), k.index(lanes));
          rest = k.add(low, k.mul(whole, lanes));
          k.loop(low, rest, lanes, [&](Value i) {
            vector::StoreOp::create(b, k.loc(),
                                    zeros(VectorType::get({lanes}, element)),
                                    out, k.add(start, i));
          });
        }
        k.loop(rest, high, 1, [&](Value i) {
          k.store(zeros(element), out, k.add(start, k.mul(i, run.stride)));
        });
      },
      schedule.serial ? std::optional(tiles) : std::nullopt);
  kernel.run.push_back({"boo_dispatch_" + std::to_string(number), "zeros",
                        schedule.serial ? 1 : tiles});
}

StatusOr<KernelModule> emitGradInput(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule,
                                     const EmitOptions &options) {
  bool gaps = false;
  std::vector<ConvNest> nests = makeGradInputNests(group, &gaps);
  KernelModule kernel;
  kernel.module = ModuleOp::create(UnknownLoc::get(&context));
  KernelBuilder builder(*kernel.module);
  if (gaps || nests.empty())
    emitZeros(builder, kernel, group.value(group.outputs().front().value).type,
              schedule);
  for (ConvNest &nest : nests) {
    Schedule own = adaptSchedule(nest, schedule);
    ConvEmitter emitter(builder, group, std::move(nest), own, options);
    BOO_RETURN_IF_ERROR(emitter.checkSizes());
    emitter.emit(kernel);
  }
  return kernel;
}

} // namespace boo::compiler
