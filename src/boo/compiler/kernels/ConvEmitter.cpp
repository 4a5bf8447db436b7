//===- ConvEmitter.cpp - The main dispatch of an implicit product ---------===//

#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/strategy/EdgePixels.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

ConvEmitter::ConvEmitter(KernelBuilder &builder, const Graph &group,
                         ConvNest nest, const Schedule &schedule,
                         const EmitOptions &options)
    : Group(group), S(schedule), Nest(std::move(nest)), P(Nest.problem),
      K(builder), Compute(K.type(Nest.computeType())),
      Factor(S.keepsBf16() ? K.type(DType::BF16) : Compute),
      Lanes(S.vectorBits / Compute.getIntOrFloatBitWidth()),
      BlockChannels(S.nVectors * (S.dot ? 1 : Lanes)),
      Edges(S.scratchInput ? std::array<int64_t, 2>{} : edgePixels(P)),
      PackedField(options.constantsPacked &&
                          group.value(Nest.filter).role == Role::Constant
                      ? ArgField::Constants
                      : ArgField::Workspace) {}

/// The product, or a number beyond every memory if it does not fit 64 bits.
static int64_t saturatingProduct(std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (int64_t factor : factors)
    if (__builtin_mul_overflow(product, factor, &product))
      return INT64_MAX;
  return product;
}

Status ConvEmitter::checkSizes() const {
  int64_t taps = P.filter[0] * P.filter[1];
  int64_t rows = saturatingProduct({S.hChunk, Nest.freshRows()});
  if (__builtin_add_overflow(rows, P.filter[1], &rows))
    rows = INT64_MAX;
  int64_t pixels = saturatingProduct({S.wChunk, S.mTile});
  int64_t columns = saturatingProduct({pixels, P.stride[2]});
  int64_t span = saturatingProduct({P.filter[2], P.dilation[2]});
  if (__builtin_add_overflow(columns, span, &columns))
    columns = INT64_MAX;
  int64_t scratch =
      saturatingProduct({P.filter[0], rows, columns, scratchPitch(), 8});
  int64_t packed =
      saturatingProduct({Nest.groupLoops(), blocks(), taps, P.filter[2],
                         kPadded() + 1, BlockChannels, 8});
  if (isChunked())
    scratch = std::max(scratch,
                       saturatingProduct({pixels, S.nChunk, BlockChannels, 8}));
  // Offsets of tensors are below 2^60: Graphs with larger ones do not verify.
  constexpr int64_t most = int64_t(1) << 42;
  if (((S.scratchInput || isChunked()) && scratch > most) ||
      (!S.filterInPlace && packed > most))
    return unsupported(
        "sums of products that need more than 4 TiB of scratch or "
        "workspace");
  return Status::ok();
}

int64_t ConvEmitter::argument(ValueId id) const {
  const std::vector<ValueId> &all = Group.arguments();
  return std::find(all.begin(), all.end(), id) - all.begin();
}
int64_t ConvEmitter::blocks() const {
  return ceilDiv(Nest.nExtent(), BlockChannels);
}
int64_t ConvEmitter::blockElements() const {
  return P.filter[0] * P.filter[1] * rowTerms() * BlockChannels;
}
int64_t ConvEmitter::kPadded() const {
  // A matrix unit takes 32 steps at a time, a dot product two.
  int64_t steps = S.amx ? 32 : S.pairs && !mergesTaps() ? 2 : 1;
  return ceilDiv(Nest.kChannels(), steps) * steps;
}
bool ConvEmitter::mergesTaps() const {
  // Strides of a page keep columns apart in scratch.
  return S.pairs && Nest.kChannels() % 2 != 0 && P.filter[2] > 1 &&
         P.dilation[2] == 1 && P.stride[2] < 1024;
}
int64_t ConvEmitter::rowTerms() const {
  int64_t terms = P.filter[2] * kPadded();
  return mergesTaps() ? ceilDiv(terms, 2) * 2 : terms;
}
int64_t ConvEmitter::rowTiles() const {
  return ceilDiv(P.out[2] - Edges[0] - Edges[1], S.mTile);
}
int64_t ConvEmitter::scratchColumns() const {
  // A matrix unit reads whole tiles: columns past the last pixel have memory.
  int64_t pixels = S.wChunk * S.mTile;
  if (!S.amx)
    pixels = std::min(pixels, P.out[2]);
  return (pixels - 1) * P.stride[2] + (P.filter[2] - 1) * P.dilation[2] + 1;
}
int64_t ConvEmitter::scratchRows() const {
  return (S.hChunk - 1) * Nest.freshRows() + P.filter[1];
}
int64_t ConvEmitter::scratchChannels() const {
  if (isChunked())
    return S.kChunk;
  return Nest.depthwise ? std::min(S.nChunk * BlockChannels, Nest.nExtent())
                        : Nest.kChannels();
}

int64_t ConvEmitter::scratchPitch() const {
  // Columns a page apart fall into one set of the L1 cache: a few elements of
  // slack spread them.
  int64_t channels =
      Nest.depthwise || isChunked() ? scratchChannels() : kPadded();
  int64_t bytes = Factor.getIntOrFloatBitWidth() / 8;
  bool aliases = channels * P.stride[2] * bytes % 4096 == 0;
  return channels + (aliases ? 64 / bytes : 0);
}

bool ConvEmitter::isChunked() const {
  return S.kChunk != 0 && S.kChunk < Nest.kChannels();
}
int64_t ConvEmitter::sumsPitch() const { return S.nChunk * BlockChannels; }
int64_t ConvEmitter::sumsElements() const {
  return S.wChunk * S.mTile * sumsPitch();
}

int64_t ConvEmitter::scratchInputBytes() const {
  if (!S.scratchInput)
    return 0;
  int64_t elements =
      P.filter[0] * scratchRows() * scratchColumns() * scratchPitch();
  int64_t bytes = elements * Factor.getIntOrFloatBitWidth() / 8;
  return ceilDiv(bytes, 64) * 64;
}

void ConvEmitter::emit(KernelModule &kernel) {
  if (First)
    First->addPack(kernel);
  addPack(kernel);
  auto number = int64_t(kernel.prepare.size() + kernel.run.size());
  emitMain(number);
  kernel.run.push_back(dispatch(number, Nest.words.main, convTiles()));
  // One nest is at work at a time, or two.
  int64_t scratch = scratchBytes() + (First ? First->scratchBytes() : 0);
  kernel.scratchBytes = std::max(kernel.scratchBytes, scratch);
}

Dispatch ConvEmitter::dispatch(int64_t number, const char *name,
                               int64_t tiles) const {
  return {"boo_dispatch_" + std::to_string(number), name, S.serial ? 1 : tiles};
}

void ConvEmitter::addPack(KernelModule &kernel) {
  if (S.filterInPlace || S.packInside)
    return;
  bool ahead = PackedField == ArgField::Constants;
  int64_t &bytes = ahead ? kernel.constantsBytes : kernel.workspaceBytes;
  PackedOffset = ceilDiv(bytes, 64) * 64;
  bytes = PackedOffset + Nest.groupLoops() * blocks() * blockElements() *
                             Factor.getIntOrFloatBitWidth() / 8;
  FirstDispatch = int64_t(kernel.prepare.size() + kernel.run.size());
  emitPack();
  kernel.scratchBytes = std::max(kernel.scratchBytes, packScratchBytes());
  (ahead ? kernel.prepare : kernel.run)
      .push_back(dispatch(FirstDispatch, Nest.words.pack, packTiles()));
}

int64_t ConvEmitter::blockBytes() const {
  int64_t bytes = blockElements() * Factor.getIntOrFloatBitWidth() / 8;
  return ceilDiv(bytes, 64) * 64;
}

int64_t ConvEmitter::scratchBytes() const {
  return packedAt() + (S.packInside ? blockBytes() + packScratchBytes() : 0);
}

int64_t ConvEmitter::packedAt() const {
  int64_t bytes = scratchInputBytes();
  if (isChunked())
    bytes += sumsElements() * Compute.getIntOrFloatBitWidth() / 8;
  if (S.amx)
    bytes += S.mTile * BlockChannels * 4;
  return ceilDiv(bytes, 64) * 64;
}

Value ConvEmitter::scratch(int64_t bytes, Type type) {
  return K.buffer(ArgField::Scratch, ScratchStart + bytes, type);
}

int64_t ConvEmitter::packTiles() const {
  return Nest.groupLoops() * ceilDiv(blocks(), blocksOfPiece()) *
         ceilDiv(packSteps(), stepsOfPiece());
}

int64_t ConvEmitter::convTiles() const {
  int64_t tiles = 1;
  for (int64_t size : gridSizes())
    tiles *= size;
  return tiles;
}

std::optional<int64_t> ConvEmitter::serialTiles(int64_t tiles) const {
  return S.serial ? std::optional(tiles) : std::nullopt;
}

std::vector<int64_t> ConvEmitter::gridSizes() const {
  int64_t chunks = ceilDiv(blocks(), S.nChunk);
  int64_t pieces = ceilDiv(rowTiles(), S.wChunk);
  int64_t rows = ceilDiv(P.out[1], S.hChunk);
  if (S.filterOuter)
    return {Nest.groupLoops(), chunks, P.batch, P.out[0], rows, pieces};
  return {P.batch, P.out[0], rows, pieces, Nest.groupLoops(), chunks};
}

ConvEmitter::Place ConvEmitter::place(Value tile) {
  std::vector<Value> c = K.delinearize(tile, gridSizes());
  if (!S.filterOuter)
    c = {c[4], c[5], c[0], c[1], c[2], c[3]};
  return placeAt(c);
}

ConvEmitter::Place ConvEmitter::placeAt(const std::vector<Value> &c) {
  Place at;
  at.group = c[0];
  at.groups = groupIndex(at.group);
  at.chunk = c[1];
  at.batch = c[2];
  at.piece = c[5];
  at.firstBlock = K.mul(at.chunk, S.nChunk);
  at.blocks = K.min(K.index(S.nChunk), K.sub(K.index(blocks()), at.firstBlock));
  at.firstTile = K.mul(at.piece, S.wChunk);
  at.tiles = K.min(K.index(S.wChunk), K.sub(K.index(rowTiles()), at.firstTile));
  at.firstRow = K.mul(c[4], S.hChunk);
  at.rows = K.min(K.index(S.hChunk), K.sub(K.index(P.out[1]), at.firstRow));
  setRow(at, 0, c[3]);
  setRow(at, 1, at.firstRow);
  return at;
}

void ConvEmitter::setRow(Place &at, size_t d, Value row) {
  at.row[d] = row;
  // Tap t reads row o*stride - pad + t*dilation, which must be in [0, in).
  Value first = K.add(K.mul(row, P.stride[d]), -P.padLo[d]);
  Value low =
      K.max(K.index(0), K.ceilDiv(K.sub(K.index(0), first), P.dilation[d]));
  Value high = K.min(K.index(P.filter[d]),
                     K.ceilDiv(K.sub(K.index(P.in[d]), first), P.dilation[d]));
  bool inside = Nest.isInside(d);
  at.low[d] = inside ? K.index(0) : low;
  at.count[d] =
      inside ? K.index(P.filter[d]) : K.max(K.index(0), K.sub(high, low));
}

void ConvEmitter::withRows(
    const Place &at, const std::function<void(const Place &, Value)> &body) {
  if (S.hChunk == 1)
    return body(at, K.index(0));
  K.loop(K.index(0), at.rows, 1, [&](Value row) {
    Place here = at;
    setRow(here, 1, K.add(at.firstRow, row));
    body(here, row);
  });
}

std::vector<Value> ConvEmitter::groupIndex(Value group) {
  if (Nest.depthwise)
    return {};
  return K.delinearize(group, Nest.groupSizes);
}

Value ConvEmitter::groupStart(const ConvProblem::Strides &strides,
                              const std::vector<Value> &groups) {
  // Constants go to the right, where they fold.
  Value start = K.index(0);
  for (size_t i = 0; i != groups.size(); ++i)
    start = K.add(K.mul(groups[i], strides.group[i]), start);
  return K.add(start, strides.base);
}

Value ConvEmitter::inputRow(const Place &at) {
  Value base = K.add(K.mul(at.batch, P.inStrides.outer),
                     groupStart(P.inStrides, at.groups));
  for (size_t d = 0; d != 2; ++d) {
    Value row = K.add(K.mul(at.row[d], P.stride[d]), -P.padLo[d]);
    row = K.add(row, K.mul(at.low[d], P.dilation[d]));
    base = K.add(base, K.mul(row, P.inStrides.spatial[d]));
  }
  return base;
}

ConvEmitter::InputView ConvEmitter::viewInput(const Place &at) {
  Value column = K.add(K.mul(at.firstTile, S.mTile * P.stride[2]),
                       Edges[0] * P.stride[2] - P.padLo[2]);
  InputView view;
  // Depthwise tiles widen what they read.
  view.buffer = K.buffer(ArgField::In, argument(Nest.input),
                         Nest.depthwise ? K.type(P.dtype) : Factor);
  view.base = K.add(inputRow(at), K.mul(column, P.inStrides.spatial[2]));
  if (Nest.depthwise)
    view.base = K.add(
        view.base, K.mul(at.firstBlock, BlockChannels * P.inStrides.channel));
  view.tap = {P.dilation[0] * P.inStrides.spatial[0],
              P.dilation[1] * P.inStrides.spatial[1]};
  view.column = P.inStrides.spatial[2];
  view.channel = P.inStrides.channel;
  return view;
}

void ConvEmitter::emitMain(int64_t number) {
  K.dispatch(
      number,
      [&](Value tile) {
        Place at = place(tile);
        int64_t steps = Nest.kChannels();
        if (!isChunked())
          return emitPass(at, {K.index(0), steps, true});
        int64_t before = (steps - 1) / S.kChunk * S.kChunk;
        zeroSums();
        K.loop(K.index(0), K.index(before), S.kChunk,
               [&](Value first) { emitPass(at, {first, S.kChunk, false}); });
        emitPass(at, {K.index(before), steps - before, true});
      },
      serialTiles(convTiles()));
}

void ConvEmitter::zeroSums() {
  OpBuilder &b = K.builder();
  Value sums = scratch(scratchInputBytes(), Compute);
  Value zeros = arith::ConstantOp::create(
      b, K.loc(), b.getZeroAttr(VectorType::get({Lanes}, Compute)));
  K.loop(K.index(0), K.index(sumsElements()), Lanes,
         [&](Value i) { vector::StoreOp::create(b, K.loc(), zeros, sums, i); });
}

void ConvEmitter::emitPass(const Place &at, const Pass &pass) {
  if (S.scratchInput)
    fillScratch(at, pass);
  int64_t mRest = P.out[2] - Edges[0] - Edges[1] - (rowTiles() - 1) * S.mTile;
  auto withBlocks = [&](const std::function<void(Value block)> &body) {
    K.loop(K.index(0), at.blocks, 1,
           [&](Value i) { body(K.add(at.firstBlock, i)); });
  };
  auto withTiles = [&](const std::function<void(Value tile)> &body) {
    K.loop(K.index(0), at.tiles, 1, body);
  };
  auto view = [&](const Place &here, Value row) {
    return S.scratchInput ? scratchView(here, row) : viewInput(here);
  };
  auto tile = [&](const Place &here, const InputView &input, Value block,
                  Value j) {
    Value index = K.add(at.firstTile, j);
    Value first = K.add(K.mul(index, S.mTile), Edges[0]);
    Value inPiece = K.mul(j, S.mTile);
    // Four bodies at most: whole and remaining pixels and channels.
    withChannels(block, [&](int64_t n) {
      auto withM = [&](int64_t m) {
        emitTile(here, input, pass, block, {first, inPiece, m, 0, P.filter[2]},
                 n);
      };
      if (rowTiles() == 1 || mRest == S.mTile)
        return withM(mRest);
      K.ifThen(
          K.equal(index, rowTiles() - 1), [&] { withM(mRest); },
          [&] { withM(S.mTile); });
    });
  };
  if (Nest.depthwise) {
    // As their filters stay in the L1 cache, all blocks pass over a few pixels.
    InputView input = view(at, K.index(0));
    withBlocks([&](Value block) { emitEdges(at, input, pass, block); });
    withTiles([&](Value j) {
      withBlocks([&](Value block) { tile(at, input, block, j); });
    });
    return;
  }
  withBlocks([&](Value block) {
    if (S.packInside)
      packInside(at, block);
    withRows(at, [&](const Place &here, Value row) {
      InputView input = view(here, row);
      withTiles([&](Value j) { tile(here, input, block, j); });
    });
  });
}

void ConvEmitter::withChannels(Value block,
                               const std::function<void(int64_t)> &body) {
  int64_t rest = Nest.nExtent() - (blocks() - 1) * BlockChannels;
  if (blocks() == 1 || rest == BlockChannels)
    return body(rest);
  K.ifThen(
      K.equal(block, blocks() - 1), [&] { body(rest); },
      [&] { body(BlockChannels); });
}

void ConvEmitter::emitEdges(const Place &at, const InputView &input,
                            const Pass &pass, Value block) {
  auto pixels = [&](int64_t low, int64_t high) {
    Value start = K.add(K.mul(at.firstTile, S.mTile), Edges[0]);
    for (int64_t pixel = low; pixel != high; ++pixel) {
      auto [lowTap, taps] = tapsAt(P, pixel);
      Strip strip{K.index(pixel), K.sub(K.index(pixel), start), 1, lowTap,
                  taps};
      withChannels(block, [&](int64_t n) {
        emitTile(at, input, pass, block, strip, n);
      });
    }
  };
  int64_t pieces = boo::ceilDiv(rowTiles(), S.wChunk);
  if (Edges[0] != 0)
    K.ifThen(K.equal(at.piece, 0), [&] { pixels(0, Edges[0]); });
  if (Edges[1] != 0)
    K.ifThen(K.equal(at.piece, pieces - 1),
             [&] { pixels(P.out[2] - Edges[1], P.out[2]); });
}

StatusOr<KernelModule> emitConv(MLIRContext &context, const Graph &group,
                                const Schedule &schedule,
                                const EmitOptions &options) {
  KernelModule kernel;
  kernel.module = ModuleOp::create(UnknownLoc::get(&context));
  KernelBuilder builder(*kernel.module);
  ConvEmitter emitter(builder, group, makeConvNest(group), schedule, options);
  BOO_RETURN_IF_ERROR(emitter.checkSizes());
  emitter.emit(kernel);
  return kernel;
}

} // namespace boo::compiler
