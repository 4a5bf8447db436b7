//===- WeightGradEmitter.cpp - The main dispatch of a filter gradient -----===//

#include "boo/compiler/kernels/WeightGradEmitter.h"
#include "boo/base/Math.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

WeightGradEmitter::WeightGradEmitter(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule)
    : Group(group), S(schedule), Nest(makeWeightGradNest(group)),
      P(Nest.problem), Module(ModuleOp::create(UnknownLoc::get(&context))),
      K(*Module), Stored(K.type(P.dtype)), Compute(K.type(P.accType)),
      Lanes(S.vectorBits / Compute.getIntOrFloatBitWidth()),
      BlockChannels(S.nVectors * Lanes), LaneSide(Nest.lanes(S.lanesOverInput)),
      RowSide(Nest.rows(S.lanesOverInput)),
      Rows(Nest.rowCount(S.lanesOverInput)), Pieces(Nest.pieces(S.kParts)) {}

Status WeightGradEmitter::checkSizes() const {
  double lanes =
      double(Nest.groupLoops()) * double(blocks()) * double(BlockChannels);
  double elements =
      double(Nest.pixels(LaneSide)) * lanes +
      double(Nest.pixels(RowSide)) * double(RowSide.channels) *
          double(P.groups) +
      double(parts()) * double(Nest.taps()) * double(Rows) * lanes;
  // Offsets of tensors are below 2^60: Graphs with larger ones do not verify.
  if (elements * 8 > double(int64_t(1) << 42))
    return unsupported("a gradient that needs more than 4 TiB of workspace");
  return Status::ok();
}

int64_t WeightGradEmitter::argument(ValueId id) const {
  const std::vector<ValueId> &all = Group.arguments();
  return std::find(all.begin(), all.end(), id) - all.begin();
}
int64_t WeightGradEmitter::blocks() const {
  return ceilDiv(LaneSide.channels, BlockChannels);
}
int64_t WeightGradEmitter::rowTiles() const { return ceilDiv(Rows, S.mTile); }

int64_t WeightGradEmitter::parts() const { return Nest.countParts(Pieces); }

bool WeightGradEmitter::storesDirectly() const {
  return parts() == 1 &&
         (LaneSide.filterStride == 1 || RowSide.filterStride == 1);
}

int64_t WeightGradEmitter::partElements() const {
  return Nest.groupLoops() * blocks() * Nest.taps() * Rows * BlockChannels;
}

int64_t WeightGradEmitter::workspace(int64_t elements) {
  return addWorkspace(Result, elements * Compute.getIntOrFloatBitWidth() / 8);
}

void WeightGradEmitter::dispatch(
    const char *name, const std::vector<int64_t> &grid,
    const std::function<void(const std::vector<Value> &)> &body) {
  addDispatch(K, Result, name, grid, S.serial, body);
}

KernelModule WeightGradEmitter::emit() {
  LanesAt = Nest.lanesNeedPack(LaneSide, Lanes).empty() ? inPlace(LaneSide)
                                                        : packLanes(LaneSide);
  if (Nest.rowsNeedPack(RowSide).empty())
    RowsAt = inPlace(RowSide);
  else
    RowsAt = Nest.depthwise ? packLanes(RowSide) : copyRows(RowSide);
  if (!storesDirectly())
    PartialSlot = workspace(parts() * partElements());
  emitMain();
  if (!storesDirectly())
    emitFinish();
  Result.module = std::move(Module);
  return std::move(Result);
}

WeightGradEmitter::Placed WeightGradEmitter::inPlace(const Side &side) const {
  Placed placed;
  placed.field = ArgField::In;
  placed.slot = argument(side.value);
  placed.type = Compute;
  placed.channel = side.strides.channel;
  placed.group = side.channels * side.strides.channel;
  placed.block = BlockChannels * side.strides.channel;
  placed.outer = side.strides.outer;
  placed.spatial = side.strides.spatial;
  return placed;
}

WeightGradEmitter::Place WeightGradEmitter::place(Value tile) {
  std::array<int64_t, 4> extents = Nest.extents();
  std::vector<int64_t> partGrid;
  for (size_t i = 0; i != 4; ++i)
    partGrid.push_back(ceilDiv(extents[i], Pieces[i]));
  std::vector<int64_t> grid{parts(),
                            Nest.groupLoops(),
                            blocks(),
                            P.filter[0],
                            P.filter[1],
                            P.filter[2],
                            ceilDiv(rowTiles(), S.wChunk)};
  std::vector<Value> c = K.delinearize(tile, grid);
  Place at;
  at.part = c[0];
  at.group = c[1];
  at.block = c[2];
  at.tap = {c[3], c[4], c[5]};
  at.firstTile = K.mul(c[6], S.wChunk);
  at.tiles = K.min(K.index(S.wChunk), K.sub(K.index(rowTiles()), at.firstTile));
  std::vector<Value> part = K.delinearize(at.part, partGrid);
  for (size_t i = 0; i != 4; ++i) {
    Value low = K.mul(part[i], Pieces[i]);
    Value high = K.min(K.index(extents[i]), K.add(low, Pieces[i]));
    if (i != 0 && !Nest.isInside(i - 1)) {
      // Output o meets input o*stride + tap*dilation - pad, in [0, in).
      size_t d = i - 1;
      Value zero = K.sub(K.index(P.padLo[d]), K.mul(at.tap[d], P.dilation[d]));
      low = K.max(low, K.ceilDiv(zero, P.stride[d]));
      high = K.min(high, K.ceilDiv(K.add(zero, P.in[d]), P.stride[d]));
    }
    at.low[i] = low;
    at.count[i] = K.max(K.index(0), K.sub(high, low));
  }
  return at;
}

Value WeightGradEmitter::address(const Side &side, const Placed &placed,
                                 const Place &at) {
  Value base =
      K.add(K.mul(at.group, placed.group), K.mul(at.low[0], placed.outer));
  for (size_t d = 0; d != 3; ++d) {
    Value pixel = at.low[d + 1];
    if (side.isInput)
      pixel = K.add(
          K.add(K.mul(pixel, P.stride[d]), K.mul(at.tap[d], P.dilation[d])),
          -P.padLo[d]);
    base = K.add(base, K.mul(pixel, placed.spatial[d]));
  }
  return base;
}

Value WeightGradEmitter::filterBase(Value group, Value block) {
  int64_t groupStride =
      Nest.depthwise ? 0 : P.outPerGroup() * P.filterStrides.outer;
  return K.add(K.mul(group, groupStride),
               K.mul(block, BlockChannels * LaneSide.filterStride));
}

void WeightGradEmitter::emitMain() {
  int64_t tiles = parts() * Nest.groupLoops() * blocks() * Nest.taps() *
                  ceilDiv(rowTiles(), S.wChunk);
  int64_t mRest = Rows - (rowTiles() - 1) * S.mTile;
  int64_t nRest = LaneSide.channels - (blocks() - 1) * BlockChannels;
  dispatch("weight_gradient", {tiles}, [&](const std::vector<Value> &c) {
    Place at = place(c[0]);
    K.loop(K.index(0), at.tiles, 1, [&](Value i) {
      Value tile = K.add(at.firstTile, i);
      // Four bodies at most: whole and remaining rows and lanes.
      auto withN = [&](int64_t n) {
        if (rowTiles() == 1 || mRest == S.mTile)
          return emitTile(at, tile, mRest, n);
        K.ifThen(
            K.equal(tile, rowTiles() - 1),
            [&] { emitTile(at, tile, mRest, n); },
            [&] { emitTile(at, tile, S.mTile, n); });
      };
      if (blocks() == 1 || nRest == BlockChannels)
        return withN(nRest);
      K.ifThen(
          K.equal(at.block, blocks() - 1), [&] { withN(nRest); },
          [&] { withN(BlockChannels); });
    });
  });
}

void WeightGradEmitter::emitTile(const Place &at, Value tile, int64_t m,
                                 int64_t n) {
  Value row = K.mul(tile, S.mTile);
  Value a = address(RowSide, RowsAt, at);
  a = K.add(a, Nest.depthwise ? K.mul(at.block, RowsAt.block)
                              : K.mul(row, RowsAt.channel));
  Value b =
      K.add(address(LaneSide, LanesAt, at), K.mul(at.block, LanesAt.block));
  // Every step of the sum is one of the batch loops: their counts depend on the
  // tap, and k is 1.
  SmallVector<Value> counts;
  SmallVector<int64_t> aStrides{RowsAt.channel, Nest.depthwise ? 1 : 0, 1};
  SmallVector<int64_t> bStrides{1, BlockChannels};
  auto step = [&](const Side &side, const Placed &placed, size_t i) {
    if (i == 0)
      return placed.outer;
    return placed.spatial[i - 1] * (side.isInput ? P.stride[i - 1] : 1);
  };
  for (size_t i = 0; i != 4; ++i) {
    if (Nest.extents()[i] == 1 && (i == 0 || Nest.isInside(i - 1)))
      continue;
    counts.push_back(at.count[i]);
    aStrides.push_back(step(RowSide, RowsAt, i));
    bStrides.push_back(step(LaneSide, LanesAt, i));
  }

  Value to, target;
  Type stored = storesDirectly() ? Stored : Compute;
  SmallVector<int64_t> cStrides{BlockChannels, 1};
  if (storesDirectly()) {
    target = K.buffer(ArgField::Out, 0, Stored);
    to =
        K.add(filterBase(at.group, at.block), K.mul(row, RowSide.filterStride));
    for (size_t d = 0; d != 3; ++d)
      to = K.add(to, K.mul(at.tap[d], P.filterStrides.spatial[d]));
    cStrides = {RowSide.filterStride, LaneSide.filterStride};
  } else {
    target = K.buffer(ArgField::Workspace, PartialSlot, Compute);
    to = K.add(K.mul(at.part, Nest.groupLoops()), at.group);
    to = K.add(K.mul(to, blocks()), at.block);
    for (size_t d = 0; d != 3; ++d)
      to = K.add(K.mul(to, P.filter[d]), at.tap[d]);
    to = K.mul(K.add(K.mul(to, Rows), row), BlockChannels);
  }
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), K.buffer(RowsAt.field, RowsAt.slot, RowsAt.type), a,
      K.buffer(LanesAt.field, LanesAt.slot, LanesAt.type), b, target, to,
      counts, ValueRange{}, ValueRange{}, /*staging=*/Value(),
      /*init=*/Value(), /*init_offset=*/Value(), uint64_t(m), uint64_t(n),
      uint64_t(1), aStrides, bStrides, cStrides, ArrayRef<int64_t>{},
      /*exact_b=*/false, /*dot=*/false, uint64_t(S.kUnroll),
      uint64_t(S.prefetch), /*init_stride=*/uint64_t(0));
  OpBuilder &builder = K.builder();
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(&op.getBody());
  Value sum = body->addArgument(Compute, K.loc());
  YieldOp::create(builder, K.loc(), K.convert(sum, stored));
}

StatusOr<KernelModule> emitWeightGrad(MLIRContext &context, const Graph &group,
                                      const Schedule &schedule) {
  WeightGradEmitter emitter(context, group, schedule);
  BOO_RETURN_IF_ERROR(emitter.checkSizes());
  return emitter.emit();
}

} // namespace boo::compiler
