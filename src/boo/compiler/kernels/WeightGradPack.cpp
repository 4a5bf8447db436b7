//===- WeightGradPack.cpp - Operands and sums in the workspace ------------===//
//
// What comes before and after the main dispatch of a filter's gradient.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/PrefixAccess.h"
#include "boo/compiler/dialect/VectorTranspose.h"
#include "boo/compiler/kernels/WeightGradEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

/// Pixels and elements that a grid tile of a pack takes, steps of the last
/// dispatch: enough to be worth a tile, few enough for threads to share.
static constexpr int64_t packPixels = 256, copyElements = 4096,
                         finishSteps = 128;

Value WeightGradEmitter::zeros(Type type) {
  return arith::ConstantOp::create(K.builder(), K.loc(),
                                   K.builder().getZeroAttr(type));
}

WeightGradEmitter::Placed WeightGradEmitter::packLanes(const Side &side) {
  int64_t channels = side.channels, pixels = Nest.pixels(side);
  Placed placed;
  placed.field = ArgField::Workspace;
  placed.slot =
      workspace(Nest.groupLoops() * blocks() * pixels * BlockChannels);
  placed.type = Compute;
  placed.channel = 1;
  placed.block = pixels * BlockChannels;
  placed.group = blocks() * placed.block;
  int64_t stride = BlockChannels;
  for (size_t d = 3; d-- > 0; stride *= side.size[d])
    placed.spatial[d] = stride;
  placed.outer = stride;

  // Spatial dimensions without a gap between them are one run of pixels.
  std::array<int64_t, 3> size = side.size, from = side.strides.spatial;
  for (int round = 0; round != 2; ++round) {
    if (size[1] != 1 && size[2] != 1 && from[1] != size[2] * from[2])
      break;
    if (size[2] == 1)
      from[2] = from[1];
    size = {1, size[0], size[1] * size[2]};
    from = {0, from[0], from[2]};
  }
  int64_t run = size[2], rest = channels % BlockChannels;
  std::vector<int64_t> grid{Nest.groupLoops(), blocks(),
                            P.batch,           size[0],
                            size[1],           ceilDiv(run, packPixels)};
  dispatch(side.isInput ? "pack_input" : "pack_output_gradient", grid,
           [&](const std::vector<Value> &c) {
             Value source = K.mul(c[0], channels * side.strides.channel);
             source = K.add(source,
                            K.mul(c[1], BlockChannels * side.strides.channel));
             source = K.add(source, K.mul(c[2], side.strides.outer));
             source = K.add(source, K.mul(c[3], from[0]));
             source = K.add(source, K.mul(c[4], from[1]));
             Value pixel = c[2];
             for (size_t d = 0; d != 2; ++d)
               pixel = K.add(K.mul(pixel, size[d]), c[3 + d]);
             Value to =
                 K.add(K.mul(c[0], placed.group), K.mul(c[1], placed.block));
             to = K.add(to, K.mul(pixel, run * BlockChannels));
             Value low = K.mul(c[5], packPixels);
             Value high = K.min(K.index(run), K.add(low, packPixels));
             Value target = K.buffer(ArgField::Workspace, placed.slot, Compute);
             auto pack = [&](int64_t count) {
               packRun(side, source, to, low, high, from[2], count, target);
             };
             if (rest == 0)
               return pack(BlockChannels);
             K.ifThen(
                 K.equal(c[1], blocks() - 1), [&] { pack(rest); },
                 [&] { pack(BlockChannels); });
           });
  return placed;
}

void WeightGradEmitter::packRun(const Side &side, Value from, Value to,
                                Value low, Value high, int64_t stride,
                                int64_t channels, Value target) {
  OpBuilder &b = K.builder();
  Value source = K.buffer(ArgField::In, argument(side.value), Stored);
  int64_t channelStride = side.strides.channel;
  auto vectorsOf = [&](auto body) {
    for (int64_t v = 0; v < BlockChannels; v += Lanes)
      body(v, std::clamp<int64_t>(channels - v, 0, Lanes));
  };
  if (channelStride == 1 || channels == 1) {
    K.loop(low, high, 1, [&](Value x) {
      vectorsOf([&](int64_t v, int64_t count) {
        Value row = zeros(VectorType::get({Lanes}, Compute));
        if (count != 0)
          row = K.convert(loadPrefix(b, K.loc(), source,
                                     K.add(K.add(from, K.mul(x, stride)), v),
                                     Lanes, count),
                          Compute);
        vector::StoreOp::create(b, K.loc(), row, target,
                                K.add(K.add(to, K.mul(x, BlockChannels)), v));
      });
    });
    return;
  }
  Value rest = low;
  if (stride == 1) {
    Value length = b.createOrFold<arith::DivUIOp>(K.loc(), K.sub(high, low),
                                                  K.index(Lanes));
    rest = K.add(low, K.mul(length, Lanes));
    K.loop(low, rest, Lanes, [&](Value x) {
      vectorsOf([&](int64_t v, int64_t count) {
        packSquare(source, K.add(K.add(from, x), v * channelStride),
                   channelStride, count, target,
                   K.add(K.add(to, K.mul(x, BlockChannels)), v));
      });
    });
  }
  K.loop(rest, high, 1, [&](Value x) {
    Value pixel = K.add(from, K.mul(x, stride));
    Value place = K.add(to, K.mul(x, BlockChannels));
    K.loop(K.index(0), K.index(channels), 1, [&](Value c) {
      K.store(K.convert(K.load(source, K.add(pixel, K.mul(c, channelStride))),
                        Compute),
              target, K.add(place, c));
    });
    K.loop(K.index(channels), K.index(BlockChannels), 1,
           [&](Value c) { K.store(zeros(Compute), target, K.add(place, c)); });
  });
}

/// Lanes pixels of `channels` channels become Lanes rows of a block.
void WeightGradEmitter::packSquare(Value source, Value from,
                                   int64_t channelStride, int64_t channels,
                                   Value target, Value to) {
  OpBuilder &b = K.builder();
  auto type = VectorType::get({Lanes}, Stored);
  SmallVector<Value> rows;
  for (int64_t c = 0; c != Lanes; ++c)
    rows.push_back(c < channels ? K.convert(vector::LoadOp::create(
                                                b, K.loc(), type, source,
                                                K.add(from, c * channelStride)),
                                            Compute)
                                : zeros(VectorType::get({Lanes}, Compute)));
  SmallVector<Value> columns = transposeSquare(b, K.loc(), rows);
  for (int64_t x = 0; x != Lanes; ++x)
    vector::StoreOp::create(b, K.loc(), columns[size_t(x)], target,
                            K.add(to, x * BlockChannels));
}

WeightGradEmitter::Placed WeightGradEmitter::copyRows(const Side &side) {
  // A dense copy in the order in which the operand lies in memory.
  const ConvProblem::Strides &from = side.strides;
  std::vector<Dim> dims{{P.batch, from.outer, 0},
                        {side.channels * P.groups, from.channel, 0},
                        {side.size[0], from.spatial[0], 0},
                        {side.size[1], from.spatial[1], 0},
                        {side.size[2], from.spatial[2], 0}};
  std::vector<size_t> order{0, 1, 2, 3, 4};
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return dims[a].source > dims[b].source;
  });
  int64_t total = 1;
  for (size_t i = order.size(); i-- > 0; total *= dims[order[i]].size)
    dims[order[i]].target = total;
  Placed placed;
  placed.field = ArgField::Workspace;
  placed.slot = workspace(total);
  placed.type = Compute;
  placed.outer = dims[0].target;
  placed.channel = dims[1].target;
  placed.group = side.channels * placed.channel;
  placed.spatial = {dims[2].target, dims[3].target, dims[4].target};

  std::vector<Dim> walk;
  for (size_t i : order) {
    const Dim &dim = dims[i];
    if (dim.size == 1)
      continue;
    if (!walk.empty() && walk.back().source == dim.size * dim.source)
      walk.back() = {walk.back().size * dim.size, dim.source, dim.target};
    else
      walk.push_back(dim);
  }
  if (walk.empty())
    walk.push_back({1, 1, 1});
  Dim run = walk.back();
  walk.pop_back();
  std::vector<int64_t> grid;
  for (const Dim &dim : walk)
    grid.push_back(dim.size);
  grid.push_back(ceilDiv(run.size, copyElements));
  dispatch(side.isInput ? "widen_input" : "widen_output_gradient", grid,
           [&](const std::vector<Value> &c) {
             OpBuilder &b = K.builder();
             Value source =
                 K.buffer(ArgField::In, argument(side.value), Stored);
             Value target = K.buffer(ArgField::Workspace, placed.slot, Compute);
             Value in = K.index(0), out = K.index(0);
             for (size_t i = 0; i != walk.size(); ++i) {
               in = K.add(in, K.mul(c[i], walk[i].source));
               out = K.add(out, K.mul(c[i], walk[i].target));
             }
             Value low = K.mul(c.back(), copyElements);
             Value high = K.min(K.index(run.size), K.add(low, copyElements));
             Value rest = low;
             if (run.source == 1) {
               Value whole = b.createOrFold<arith::DivUIOp>(
                   K.loc(), K.sub(high, low), K.index(Lanes));
               rest = K.add(low, K.mul(whole, Lanes));
               K.loop(low, rest, Lanes, [&](Value i) {
                 Value row = vector::LoadOp::create(
                     b, K.loc(), VectorType::get({Lanes}, Stored), source,
                     K.add(in, i));
                 vector::StoreOp::create(b, K.loc(), K.convert(row, Compute),
                                         target, K.add(out, i));
               });
             }
             K.loop(rest, high, 1, [&](Value i) {
               Value element = K.load(source, K.add(in, K.mul(i, run.source)));
               K.store(K.convert(element, Compute), target,
                       K.add(out, K.mul(i, run.target)));
             });
           });
  return placed;
}

std::vector<WeightGradEmitter::Dim> WeightGradEmitter::finishDims() const {
  std::vector<Dim> dims;
  int64_t stride = BlockChannels;
  auto add = [&](int64_t size, int64_t target) {
    if (size != 1)
      dims.push_back({size, stride, target});
    stride *= size;
  };
  add(Rows, RowSide.filterStride);
  for (size_t d = 3; d-- > 0;)
    add(Nest.tapLoops(S)[d], P.filterStrides.spatial[d]);
  llvm::stable_sort(
      dims, [](const Dim &a, const Dim &b) { return a.target > b.target; });
  return dims;
}

void WeightGradEmitter::emitFinish() {
  int64_t steps = Nest.taps(S) * Rows;
  int64_t nRest = LaneSide.channels - (blocks() - 1) * BlockChannels;
  std::vector<int64_t> grid{Nest.groupLoops(), blocks(),
                            ceilDiv(steps, boo::compiler::finishSteps)};
  dispatch("add_parts", grid, [&](const std::vector<Value> &c) {
    Value from = K.mul(K.add(K.mul(c[0], blocks()), c[1]),
                       Nest.taps(S) * Rows * BlockChannels);
    Value to = filterBase(c[0], c[1]);
    Value low = K.mul(c[2], boo::compiler::finishSteps);
    Value high = K.min(K.index(steps), K.add(low, boo::compiler::finishSteps));
    if (blocks() == 1 || nRest == BlockChannels)
      return finishSteps(from, to, low, high, nRest);
    K.ifThen(
        K.equal(c[1], blocks() - 1),
        [&] { finishSteps(from, to, low, high, nRest); },
        [&] { finishSteps(from, to, low, high, BlockChannels); });
  });
}

SmallVector<Value> WeightGradEmitter::sumParts(ArrayRef<Value> at) {
  OpBuilder &b = K.builder();
  Value partial = K.buffer(ArgField::Workspace, PartialSlot, Compute);
  auto type = VectorType::get({Lanes}, Compute);
  auto load = [&](Value offset) -> Value {
    return vector::LoadOp::create(b, K.loc(), type, partial, offset);
  };
  SmallVector<Value> sums;
  for (Value offset : at)
    sums.push_back(load(offset));
  if (parts() == 1)
    return sums;
  auto loop = scf::ForOp::create(b, K.loc(), K.index(1), K.index(parts()),
                                 K.index(1), sums);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value distance = K.mul(loop.getInductionVar(), partElements());
  SmallVector<Value> next;
  for (auto [offset, sum] : llvm::zip_equal(at, loop.getRegionIterArgs()))
    next.push_back(
        arith::AddFOp::create(b, K.loc(), sum, load(K.add(offset, distance))));
  scf::YieldOp::create(b, K.loc(), next);
  return SmallVector<Value>(loop.getResults());
}

/// Steps [low, high) of a block: vectors where its lanes are contiguous in the
/// filter, squares where the steps are, else element by element.
void WeightGradEmitter::finishSteps(Value from, Value to, Value low, Value high,
                                    int64_t n) {
  OpBuilder &b = K.builder();
  Value out = K.buffer(ArgField::Out, 0, Stored);
  std::vector<Dim> dims = finishDims();
  std::vector<int64_t> sizes;
  for (const Dim &dim : dims)
    sizes.push_back(dim.size);
  int64_t run = 1;
  bool isRun = !dims.empty();
  for (size_t i = dims.size(); i-- > 0; run *= dims[i].size)
    isRun &= dims[i].target == run;
  auto place = [&](Value q) {
    std::vector<Value> c = K.delinearize(q, sizes);
    Value source = from, target = to;
    for (size_t i = 0; i != dims.size(); ++i) {
      source = K.add(source, K.mul(c[i], dims[i].source));
      target = K.add(target, K.mul(c[i], dims[i].target));
    }
    return std::pair(source, target);
  };
  auto vectorsOf = [&](auto body) {
    for (int64_t v = 0; v < n; v += Lanes)
      body(v, std::min(Lanes, n - v));
  };
  Value rest = low;
  if (LaneSide.filterStride != 1 && isRun && n > 1) {
    Value whole = b.createOrFold<arith::DivUIOp>(K.loc(), K.sub(high, low),
                                                 K.index(Lanes));
    rest = K.add(low, K.mul(whole, Lanes));
    K.loop(low, rest, Lanes, [&](Value q) {
      SmallVector<Value> sources;
      for (int64_t i = 0; i != Lanes; ++i)
        sources.push_back(place(K.add(q, i)).first);
      vectorsOf([&](int64_t v, int64_t count) {
        SmallVector<Value> at;
        for (Value source : sources)
          at.push_back(K.add(source, v));
        SmallVector<Value> columns = transposeSquare(b, K.loc(), sumParts(at));
        for (int64_t lane = 0; lane != count; ++lane)
          vector::StoreOp::create(
              b, K.loc(), K.convert(columns[size_t(lane)], Stored), out,
              K.add(K.add(to, q), (v + lane) * LaneSide.filterStride));
      });
    });
  }
  K.loop(rest, high, 1, [&](Value q) {
    auto [source, target] = place(q);
    vectorsOf([&](int64_t v, int64_t count) {
      Value sum = K.convert(sumParts({K.add(source, v)}).front(), Stored);
      if (LaneSide.filterStride == 1 || count == 1)
        return storePrefix(b, K.loc(), sum, out,
                           K.add(target, v * LaneSide.filterStride), count);
      for (int64_t lane = 0; lane != count; ++lane)
        K.store(vector::ExtractOp::create(b, K.loc(), sum, lane), out,
                K.add(target, (v + lane) * LaneSide.filterStride));
    });
  });
}

} // namespace boo::compiler
