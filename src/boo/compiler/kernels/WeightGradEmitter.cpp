//===- WeightGradEmitter.cpp - The main dispatch of a filter gradient -----===//

#include "boo/compiler/kernels/WeightGradEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/EdgePixels.h"

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
      RowSide(Nest.rows(S.lanesOverInput)), Rows(Nest.rowCount(S)),
      Pieces(Nest.pieces(S, S.kParts)) {}

Status WeightGradEmitter::checkSizes() const {
  double lanes =
      double(Nest.groupLoops()) * double(blocks()) * double(BlockChannels);
  // Pairs are copied for each tap of a row.
  double copies = S.pairs ? double(P.filter[2]) : 1;
  double elements =
      double(Nest.pixels(LaneSide)) * lanes * copies +
      double(Nest.pixels(RowSide)) * double(RowSide.channels + Lanes) *
          double(P.groups) * copies +
      double(parts()) * double(Nest.taps(S)) * double(Rows) * lanes;
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

int64_t WeightGradEmitter::parts() const { return Nest.countParts(S, Pieces); }

bool WeightGradEmitter::holdsRowOfTaps() const { return Nest.rowTaps(S) > 1; }

bool WeightGradEmitter::storesDirectly() const {
  return parts() == 1 && !holdsRowOfTaps() &&
         (LaneSide.filterStride == 1 || RowSide.filterStride == 1);
}

int64_t WeightGradEmitter::partElements() const {
  return Nest.groupLoops() * blocks() * Nest.taps(S) * Rows * BlockChannels;
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
  if (S.pairs) {
    LanesAt = packPairs(LaneSide, BlockChannels);
    RowsAt = packPairs(RowSide, ceilDiv(RowSide.channels, Lanes) * Lanes);
  } else {
    LanesAt = Nest.lanesNeedPack(LaneSide, Lanes, false).empty()
                  ? inPlace(LaneSide)
                  : packLanes(LaneSide);
    if (Nest.rowsNeedPack(RowSide, false).empty())
      RowsAt = inPlace(RowSide);
    else
      RowsAt = Nest.depthwise ? packLanes(RowSide) : copyRows(RowSide);
  }
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
  placed.type = Stored; // widened by depthwise tiles
  placed.channel = side.strides.channel;
  placed.group = side.channels * side.strides.channel;
  placed.block = BlockChannels * side.strides.channel;
  placed.outer = side.strides.outer;
  placed.spatial = side.strides.spatial;
  return placed;
}

WeightGradEmitter::Place WeightGradEmitter::place(Value tile) {
  std::array<int64_t, 4> extents = Nest.extents(S);
  std::vector<int64_t> partGrid;
  for (size_t i = 0; i != 4; ++i)
    partGrid.push_back(ceilDiv(extents[i], Pieces[i]));
  std::array<int64_t, 3> taps = Nest.tapLoops(S);
  std::vector<int64_t> grid{parts(),
                            Nest.groupLoops(),
                            blocks(),
                            taps[0],
                            taps[1],
                            taps[2],
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
    // Rows of pairs hold zeros, rows under all of a row's taps have edges.
    bool wholeRow = i == 3 && (S.pairs || holdsRowOfTaps());
    if (i != 0 && !wholeRow && !Nest.isInside(i - 1)) {
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
    if (d == 2 && S.pairs)
      base = K.add(base, K.mul(at.tap[d], placed.tap));
    else if (side.isInput)
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
  int64_t tiles = parts() * Nest.groupLoops() * blocks() * Nest.taps(S) *
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
  if (!holdsRowOfTaps())
    return emitSums(at, K.mul(tile, S.mTile), {m, n, false});
  // Pixels that meet all taps, and then those at the ends of the row.
  auto [left, right] = edgePixels(P);
  auto sums = [&](int64_t pixel, int64_t pixels, int64_t tap, int64_t taps,
                  bool more) {
    Place place = at;
    place.low[3] = K.index(pixel);
    place.tap[2] = K.index(tap);
    emitSums(place, K.index(tap), {taps, n, more, pixels});
  };
  auto oneByOne = [&](int64_t low, int64_t high) {
    for (int64_t pixel = low; pixel != high; ++pixel) {
      auto [tap, taps] = tapsAt(P, pixel);
      sums(pixel, 1, tap, taps, true);
    }
  };
  sums(left, P.out[2] - left - right, 0, P.filter[2], false);
  oneByOne(0, left);
  oneByOne(P.out[2] - right, P.out[2]);
}

void WeightGradEmitter::emitSums(const Place &at, Value row, const Sums &sums) {
  Value a = address(RowSide, RowsAt, at);
  a = K.add(a, Nest.depthwise ? K.mul(at.block, RowsAt.block)
                              : K.mul(row, RowsAt.channel));
  Value b =
      K.add(address(LaneSide, LanesAt, at), K.mul(at.block, LanesAt.block));
  // Every step of the sum is one of the batch loops, whose counts depend on the
  // tap, but for a pair and for the pixels under a row of taps: those are k.
  SmallVector<Value> counts;
  SmallVector<int64_t> aStrides{RowsAt.channel, Nest.depthwise ? 1 : 0, 1};
  SmallVector<int64_t> bStrides{1, BlockChannels};
  auto step = [&](const Side &side, const Placed &placed, size_t i) {
    if (i == 0)
      return placed.outer;
    bool strided = side.isInput && !(i == 3 && S.pairs);
    return placed.spatial[i - 1] * (strided ? P.stride[i - 1] : 1);
  };
  if (holdsRowOfTaps()) {
    aStrides = {P.dilation[2] * RowsAt.spatial[2], 1, step(RowSide, RowsAt, 3)};
    bStrides = {1, step(LaneSide, LanesAt, 3)};
  }
  for (size_t i = 0; i != (holdsRowOfTaps() ? 3 : 4); ++i) {
    bool wholeRow = i == 3 && S.pairs;
    if (Nest.extents(S)[i] == 1 && (i == 0 || wholeRow || Nest.isInside(i - 1)))
      continue;
    counts.push_back(at.count[i]);
    aStrides.push_back(step(RowSide, RowsAt, i));
    bStrides.push_back(step(LaneSide, LanesAt, i));
  }

  Value to, target;
  Type stored = storesDirectly() ? Stored : Compute;
  SmallVector<int64_t> cStrides{BlockChannels, 1};
  std::array<int64_t, 3> taps = Nest.tapLoops(S);
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
      to = K.add(K.mul(to, taps[d]), taps[d] == 1 ? K.index(0) : at.tap[d]);
    to = K.mul(K.add(K.mul(to, Rows), row), BlockChannels);
  }
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), K.buffer(RowsAt.field, RowsAt.slot, RowsAt.type), a,
      K.buffer(LanesAt.field, LanesAt.slot, LanesAt.type), b, target, to,
      counts, ValueRange{}, ValueRange{}, /*staging=*/Value(),
      sums.more ? target : Value(), sums.more ? to : Value(), uint64_t(sums.m),
      uint64_t(sums.n), uint64_t(S.pairs ? 2 : sums.pixels), aStrides, bStrides,
      cStrides, ArrayRef<int64_t>{}, /*exact_b=*/Nest.depthwise, /*dot=*/false,
      uint64_t(S.kUnroll), uint64_t(S.prefetch),
      /*init_stride=*/uint64_t(sums.more ? BlockChannels : 0));
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
