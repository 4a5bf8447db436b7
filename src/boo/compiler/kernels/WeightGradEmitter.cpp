//===- WeightGradEmitter.cpp - The main dispatch of a filter gradient -----===//

#include "boo/compiler/kernels/WeightGradEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/EdgePixels.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

WeightGradEmitter::WeightGradEmitter(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule)
    : Group(group), S(schedule), Nest(makeWeightGradNest(group, schedule)),
      P(Nest.problem), Module(ModuleOp::create(UnknownLoc::get(&context))),
      K(*Module), Stored(K.type(P.dtype)), Compute(K.type(P.accType)),
      Lanes(S.vectorBits / Compute.getIntOrFloatBitWidth()),
      BlockChannels(S.nVectors * Lanes), LaneSide(Nest.lanes(S.lanesOverInput)),
      RowSide(Nest.rows(S.lanesOverInput)), Rows(Nest.rowCount(S)),
      Cut(Nest.cut(S)) {}

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

bool WeightGradEmitter::holdsRowOfTaps() const { return Nest.rowTaps(S) > 1; }

bool WeightGradEmitter::storesDirectly() const {
  return Cut.pieces == 1 && !holdsRowOfTaps() &&
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
  if (S.scratchInput) {
    Result.scratchBytes = scratchBytes();
    LanesAt = inPlace(LaneSide);
    RowsAt = inPlace(RowSide);
  } else if (S.pairs) {
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

std::array<int64_t, 3> WeightGradEmitter::gridTaps() const {
  return Nest.mergesTaps ? std::array<int64_t, 3>{1, 1, 1} : Nest.tapLoops(S);
}

WeightGradEmitter::Place WeightGradEmitter::place(Value tile) {
  std::array<int64_t, 3> taps = gridTaps();
  std::vector<int64_t> grid{
      parts(), Nest.groupLoops(), ceilDiv(blocks(), S.nChunk),  taps[0],
      taps[1], taps[2],           ceilDiv(rowTiles(), S.wChunk)};
  std::vector<Value> c = K.delinearize(tile, grid);
  Place at;
  at.part = c[0];
  at.group = c[1];
  at.firstBlock = K.mul(c[2], S.nChunk);
  at.blocks = S.nChunk == 1 ? K.index(1)
                            : K.min(K.index(S.nChunk),
                                    K.sub(K.index(blocks()), at.firstBlock));
  at.tap = {c[3], c[4], c[5]};
  at.firstTile = K.mul(c[6], S.wChunk);
  at.tiles = K.min(K.index(S.wChunk), K.sub(K.index(rowTiles()), at.firstTile));
  return at;
}

void WeightGradEmitter::enterPiece(Place &at, Value piece) {
  std::array<int64_t, 4> extents = Nest.extents(S);
  std::vector<int64_t> grid;
  for (size_t i = 0; i != 4; ++i)
    grid.push_back(ceilDiv(extents[i], Cut.extent[i]));
  std::vector<Value> c = K.delinearize(piece, grid);
  for (size_t i = 0; i != 4; ++i) {
    at.low[i] = K.mul(c[i], Cut.extent[i]);
    at.end[i] = K.min(K.index(extents[i]), K.add(at.low[i], Cut.extent[i]));
    at.count[i] = K.sub(at.end[i], at.low[i]);
  }
  if (!Nest.mergesTaps)
    meetTap(at);
  at.first = at.low;
}

void WeightGradEmitter::meetTap(Place &at) {
  for (size_t i = 1; i != 4; ++i) {
    // Rows of pairs hold zeros, rows under all of a row's taps have edges.
    bool wholeRow = i == 3 && (S.pairs || holdsRowOfTaps());
    if (wholeRow || Nest.isInside(i - 1))
      continue;
    // Output o meets input o*stride + tap*dilation - pad, in [0, in).
    size_t d = i - 1;
    Value zero = K.sub(K.index(P.padLo[d]), K.mul(at.tap[d], P.dilation[d]));
    at.low[i] = K.max(at.low[i], K.ceilDiv(zero, P.stride[d]));
    at.end[i] = K.min(at.end[i], K.ceilDiv(K.add(zero, P.in[d]), P.stride[d]));
    at.count[i] = K.max(K.index(0), K.sub(at.end[i], at.low[i]));
  }
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

int64_t WeightGradEmitter::pixelStep(const Side &side, const Placed &placed,
                                     size_t i) const {
  if (i == 0)
    return placed.outer;
  bool strided = side.isInput && !(i == 3 && S.pairs);
  return placed.spatial[i - 1] * (strided ? P.stride[i - 1] : 1);
}

bool WeightGradEmitter::isSinglePlace(size_t i) const {
  bool wholeRow = i == 3 && S.pairs;
  return Cut.extent[i] == 1 && (i == 0 || wholeRow || Nest.isInside(i - 1));
}

Value WeightGradEmitter::filterBase(Value group, Value block) {
  int64_t groupStride =
      Nest.depthwise ? 0 : P.outPerGroup() * P.filterStrides.outer;
  return K.add(K.mul(group, groupStride),
               K.mul(block, BlockChannels * LaneSide.filterStride));
}

void WeightGradEmitter::emitMain() {
  std::array<int64_t, 3> taps = gridTaps();
  int64_t tiles = parts() * Nest.groupLoops() * ceilDiv(blocks(), S.nChunk) *
                  taps[0] * taps[1] * taps[2] * ceilDiv(rowTiles(), S.wChunk);
  dispatch("weight_gradient", {tiles}, [&](const std::vector<Value> &c) {
    Place at = place(c[0]);
    auto add = [&](Value piece, bool more) {
      enterPiece(at, piece);
      if (S.scratchInput)
        fillScratch(at);
      forTaps(at, [&](Place tap) {
        if (Nest.mergesTaps)
          meetTap(tap);
        emitTiles(tap, more);
      });
    };
    if (Cut.perPart == 1)
      return add(at.part, false);
    forTaps(at, [&](Place tap) { zeroSums(tap); });
    Value first = K.mul(at.part, Cut.perPart);
    Value end = K.min(K.index(Cut.pieces), K.add(first, Cut.perPart));
    K.loop(first, end, 1, [&](Value piece) { add(piece, true); });
  });
}

void WeightGradEmitter::emitTiles(const Place &at, bool more) {
  int64_t mRest = Rows - (rowTiles() - 1) * S.mTile;
  int64_t nRest = LaneSide.channels - (blocks() - 1) * BlockChannels;
  // Four bodies at most: whole and remaining rows and lanes.
  auto withM = [&](const TilePlace &tile, int64_t n) {
    auto emit = [&](int64_t m) { emitTile(at, tile, {m, n, more}); };
    if (rowTiles() == 1 || mRest == S.mTile)
      return emit(mRest);
    K.ifThen(
        K.equal(K.add(at.firstTile, tile.j), rowTiles() - 1),
        [&] { emit(mRest); }, [&] { emit(S.mTile); });
  };
  K.loop(K.index(0), at.blocks, 1, [&](Value i) {
    Value block = K.add(at.firstBlock, i);
    K.loop(K.index(0), at.tiles, 1, [&](Value j) {
      if (blocks() == 1 || nRest == BlockChannels)
        return withM({i, j}, nRest);
      K.ifThen(
          K.equal(block, blocks() - 1), [&] { withM({i, j}, nRest); },
          [&] { withM({i, j}, BlockChannels); });
    });
  });
}

void WeightGradEmitter::emitTile(const Place &at, const TilePlace &tile,
                                 const Sums &sums) {
  if (!holdsRowOfTaps())
    return emitSums(at, tile, K.mul(K.add(at.firstTile, tile.j), S.mTile),
                    sums);
  // Pixels that meet all taps, and then those at the ends of the row.
  auto [left, right] = edgePixels(P);
  auto add = [&](int64_t pixel, int64_t pixels, int64_t tap, int64_t taps,
                 bool more) {
    Place place = at;
    place.low[3] = K.index(pixel);
    place.tap[2] = K.index(tap);
    emitSums(place, tile, K.index(tap), {taps, sums.n, more, pixels});
  };
  auto oneByOne = [&](int64_t low, int64_t high) {
    for (int64_t pixel = low; pixel != high; ++pixel) {
      auto [tap, taps] = tapsAt(P, pixel);
      add(pixel, 1, tap, taps, true);
    }
  };
  add(left, P.out[2] - left - right, 0, P.filter[2], false);
  oneByOne(0, left);
  oneByOne(P.out[2] - right, P.out[2]);
}

Value WeightGradEmitter::sumsAt(const Place &at, Value block, Value row) {
  std::array<int64_t, 3> taps = Nest.tapLoops(S);
  Value place = K.add(K.mul(at.part, Nest.groupLoops()), at.group);
  place = K.add(K.mul(place, blocks()), block);
  for (size_t d = 0; d != 3; ++d)
    place = K.add(K.mul(place, taps[d]), taps[d] == 1 ? K.index(0) : at.tap[d]);
  return K.mul(K.add(K.mul(place, Rows), row), BlockChannels);
}

WeightGradEmitter::Operand WeightGradEmitter::operand(const Side &side,
                                                      const Place &at,
                                                      const TilePlace &tile,
                                                      Value row) {
  if (copies(side))
    return copied(side, at, tile);
  bool isLanes = &side == &LaneSide;
  const Placed &placed = isLanes ? LanesAt : RowsAt;
  Value first = isLanes || Nest.depthwise
                    ? K.mul(K.add(at.firstBlock, tile.i), placed.block)
                    : K.mul(row, placed.channel);
  Operand result{K.buffer(placed.field, placed.slot, placed.type),
                 K.add(address(side, placed, at), first),
                 placed.channel,
                 {}};
  for (size_t i = 0; i != 4; ++i)
    result.step[i] = pixelStep(side, placed, i);
  return result;
}

void WeightGradEmitter::emitSums(const Place &at, const TilePlace &tile,
                                 Value row, const Sums &sums) {
  Value block = K.add(at.firstBlock, tile.i);
  Operand rows = operand(RowSide, at, tile, row);
  Operand lanes = operand(LaneSide, at, tile, row);
  // Every step of the sum is one of the batch loops, whose counts depend on the
  // tap, but for a pair and for the pixels of a row that are the same under
  // every tap: those are k.
  SmallVector<Value> counts;
  int64_t pixels = holdsRowOfTaps() ? sums.pixels : Nest.pixelsOfRow(S);
  SmallVector<int64_t> aStrides{rows.channel, Nest.depthwise ? 1 : 0, 1};
  SmallVector<int64_t> bStrides{1, BlockChannels};
  if (holdsRowOfTaps())
    aStrides = {P.dilation[2] * RowsAt.spatial[2], 1, 1};
  if (pixels != 0) {
    aStrides[2] = rows.step[3];
    bStrides[1] = lanes.step[3];
  }
  for (size_t i = 0; i != (pixels != 0 ? 3 : 4); ++i) {
    if (isSinglePlace(i))
      continue;
    counts.push_back(at.count[i]);
    aStrides.push_back(rows.step[i]);
    bStrides.push_back(lanes.step[i]);
  }

  Value to, target;
  Type stored = storesDirectly() ? Stored : Compute;
  SmallVector<int64_t> cStrides{BlockChannels, 1};
  if (storesDirectly()) {
    target = K.buffer(ArgField::Out, 0, Stored);
    to = K.add(filterBase(at.group, block), K.mul(row, RowSide.filterStride));
    for (size_t d = 0; d != 3; ++d)
      to = K.add(to, K.mul(at.tap[d], P.filterStrides.spatial[d]));
    cStrides = {RowSide.filterStride, LaneSide.filterStride};
  } else {
    target = K.buffer(ArgField::Workspace, PartialSlot, Compute);
    to = sumsAt(at, block, row);
  }
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), rows.buffer, rows.start, lanes.buffer, lanes.start,
      target, to, counts, ValueRange{}, ValueRange{}, /*staging=*/Value(),
      sums.more ? target : Value(), sums.more ? to : Value(), /*next=*/Value(),
      uint64_t(sums.m), uint64_t(sums.n),
      uint64_t(S.pairs ? 2 : std::max<int64_t>(pixels, 1)), aStrides, bStrides,
      cStrides, ArrayRef<int64_t>{},
      /*exact_b=*/Nest.depthwise, /*dot=*/false, uint64_t(S.kUnroll),
      uint64_t(S.prefetch),
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
