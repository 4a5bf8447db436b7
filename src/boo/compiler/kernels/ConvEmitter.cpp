//===- ConvEmitter.cpp - The main dispatch of an implicit product ---------===//

#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

ConvEmitter::ConvEmitter(ModuleOp module, const Graph &group, ConvNest nest,
                         const Schedule &schedule, const EmitOptions &options)
    : Group(group), S(schedule), Nest(std::move(nest)), P(Nest.problem),
      K(module), Compute(K.type(Nest.computeType())),
      Factor(S.keepsBf16() ? K.type(DType::BF16) : Compute),
      Lanes(S.vectorBits / Compute.getIntOrFloatBitWidth()),
      BlockChannels(S.nVectors * (S.dot ? 1 : Lanes)),
      Edges(S.scratchInput ? std::array<int64_t, 2>{} : Nest.edgePixels()),
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
  int64_t pixels = saturatingProduct({S.wChunk, S.mTile});
  int64_t columns = saturatingProduct({pixels, P.stride[2]});
  int64_t span = saturatingProduct({P.filter[2], P.dilation[2]});
  if (__builtin_add_overflow(columns, span, &columns))
    columns = INT64_MAX;
  int64_t scratch = saturatingProduct({taps, columns, scratchPitch(), 8});
  int64_t packed =
      saturatingProduct({Nest.groupLoops(), blocks(), taps, P.filter[2],
                         kPadded(), BlockChannels, 8});
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
  return P.filter[0] * P.filter[1] * P.filter[2] * kPadded() * BlockChannels;
}
int64_t ConvEmitter::kPadded() const {
  // A matrix unit takes 32 steps at a time, a dot product two.
  int64_t steps = S.amx ? 32 : S.pairs ? 2 : 1;
  return ceilDiv(Nest.kChannels(), steps) * steps;
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
      P.filter[0] * P.filter[1] * scratchColumns() * scratchPitch();
  int64_t bytes = elements * Factor.getIntOrFloatBitWidth() / 8;
  return ceilDiv(bytes, 64) * 64;
}

void ConvEmitter::emit(KernelModule &kernel) {
  FirstDispatch = int64_t(kernel.prepare.size() + kernel.run.size());
  auto dispatch = [&](int64_t number, const char *name, int64_t tiles) {
    return Dispatch{"boo_dispatch_" + std::to_string(number), name,
                    S.serial ? 1 : tiles};
  };
  if (!S.filterInPlace) {
    bool ahead = PackedField == ArgField::Constants;
    int64_t &bytes = ahead ? kernel.constantsBytes : kernel.workspaceBytes;
    PackedOffset = ceilDiv(bytes, 64) * 64;
    bytes = PackedOffset + Nest.groupLoops() * blocks() * blockElements() *
                               Factor.getIntOrFloatBitWidth() / 8;
    emitPack();
    (ahead ? kernel.prepare : kernel.run)
        .push_back(dispatch(FirstDispatch, Nest.words.pack, packTiles()));
  }
  int64_t number = FirstDispatch + (S.filterInPlace ? 0 : 1);
  emitMain(number);
  kernel.run.push_back(dispatch(number, Nest.words.main, convTiles()));
  // One nest is at work at a time.
  int64_t scratch = scratchInputBytes();
  if (isChunked())
    scratch += sumsElements() * Compute.getIntOrFloatBitWidth() / 8;
  if (S.amx)
    scratch += S.mTile * BlockChannels * 4;
  kernel.scratchBytes = std::max(kernel.scratchBytes, scratch);
}

int64_t ConvEmitter::packTiles() const {
  return Nest.groupLoops() * blocks() * packPieces();
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
  if (S.filterOuter)
    return {Nest.groupLoops(), chunks, P.batch, P.out[0], P.out[1], pieces};
  return {P.batch, P.out[0], P.out[1], pieces, Nest.groupLoops(), chunks};
}

ConvEmitter::Place ConvEmitter::place(Value tile) {
  std::vector<Value> c = K.delinearize(tile, gridSizes());
  if (!S.filterOuter)
    c = {c[4], c[5], c[0], c[1], c[2], c[3]};
  Place at;
  at.group = c[0];
  at.groups = groupIndex(at.group);
  at.chunk = c[1];
  at.batch = c[2];
  at.row = {c[3], c[4]};
  at.piece = c[5];
  at.firstBlock = K.mul(at.chunk, S.nChunk);
  at.blocks = K.min(K.index(S.nChunk), K.sub(K.index(blocks()), at.firstBlock));
  at.firstTile = K.mul(at.piece, S.wChunk);
  at.tiles = K.min(K.index(S.wChunk), K.sub(K.index(rowTiles()), at.firstTile));
  for (size_t d = 0; d != 2; ++d) {
    // Tap t reads row o*stride - pad + t*dilation, which must be in [0, in).
    Value first = K.add(K.mul(at.row[d], P.stride[d]), -P.padLo[d]);
    Value low =
        K.max(K.index(0), K.ceilDiv(K.sub(K.index(0), first), P.dilation[d]));
    Value high =
        K.min(K.index(P.filter[d]),
              K.ceilDiv(K.sub(K.index(P.in[d]), first), P.dilation[d]));
    bool inside = Nest.isInside(d);
    at.low[d] = inside ? K.index(0) : low;
    at.count[d] =
        inside ? K.index(P.filter[d]) : K.max(K.index(0), K.sub(high, low));
  }
  return at;
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
  view.buffer = K.buffer(ArgField::In, argument(Nest.input), Factor);
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
  Value sums = K.buffer(ArgField::Scratch, scratchInputBytes(), Compute);
  Value zeros = arith::ConstantOp::create(
      b, K.loc(), b.getZeroAttr(VectorType::get({Lanes}, Compute)));
  K.loop(K.index(0), K.index(sumsElements()), Lanes,
         [&](Value i) { vector::StoreOp::create(b, K.loc(), zeros, sums, i); });
}

void ConvEmitter::emitPass(const Place &at, const Pass &pass) {
  InputView input = S.scratchInput ? fillScratch(at, pass) : viewInput(at);
  int64_t mRest = P.out[2] - Edges[0] - Edges[1] - (rowTiles() - 1) * S.mTile;
  K.loop(K.index(0), at.blocks, 1, [&](Value i) {
    Value block = K.add(at.firstBlock, i);
    emitEdges(at, input, pass, block);
    K.loop(K.index(0), at.tiles, 1, [&](Value j) {
      Value index = K.add(at.firstTile, j);
      Value first = K.add(K.mul(index, S.mTile), Edges[0]);
      Value inPiece = K.mul(j, S.mTile);
      // Four bodies at most: whole and remaining pixels and channels.
      withChannels(block, [&](int64_t n) {
        auto withM = [&](int64_t m) {
          emitTile(at, input, pass, block, {first, inPiece, m, 0, P.filter[2]},
                   n);
        };
        if (rowTiles() == 1 || mRest == S.mTile)
          return withM(mRest);
        K.ifThen(
            K.equal(index, rowTiles() - 1), [&] { withM(mRest); },
            [&] { withM(S.mTile); });
      });
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
      int64_t column = pixel * P.stride[2] - P.padLo[2];
      int64_t lowTap =
          std::max<int64_t>(0, boo::ceilDiv(-column, P.dilation[2]));
      int64_t highTap =
          std::min(P.filter[2], boo::ceilDiv(P.in[2] - column, P.dilation[2]));
      withChannels(block, [&](int64_t n) {
        emitTile(at, input, pass, block,
                 {K.index(pixel), K.sub(K.index(pixel), start), 1, lowTap,
                  highTap - lowTap},
                 n);
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

void ConvEmitter::emitTile(const Place &at, const InputView &input,
                           const Pass &pass, Value block, const Strip &strip,
                           int64_t n) {
  // Batches: taps in depth and height, and in width unless a row's taps and
  // channels are one contiguous run.
  int64_t channels = kPadded(), taps = strip.taps;
  int64_t tapColumn = P.dilation[2] * input.column;
  SmallVector<Value> counts;
  SmallVector<int64_t> aBatch, bBatch;
  int64_t tapElements = P.filter[2] * channels * BlockChannels;
  Value bBase =
      K.add(filterStart(at, block), strip.lowTap * channels * BlockChannels);
  for (size_t d = 0; d != 2; ++d) {
    int64_t step = d == 0 ? P.filter[1] * tapElements : tapElements;
    bBase = K.add(bBase, K.mul(at.low[d], step));
    if (P.filter[d] == 1 && Nest.isInside(d))
      continue;
    counts.push_back(at.count[d]);
    aBatch.push_back(input.tap[d]);
    bBatch.push_back(step);
  }
  int64_t k = channels, kStride = input.channel;
  if (channels == 1) {
    k = taps;
    kStride = tapColumn;
  } else if (taps > 1 && tapColumn == channels * input.channel) {
    k = taps * channels;
  } else if (taps > 1) {
    counts.push_back(K.index(taps));
    aBatch.push_back(tapColumn);
    bBatch.push_back(channels * BlockChannels);
  }

  int64_t mStride = P.stride[2] * input.column;
  Value aBase = K.add(input.base, strip.lowTap * tapColumn);
  aBase = K.add(aBase, K.mul(strip.inPiece, mStride));
  if (Nest.depthwise)
    aBase = K.add(aBase, K.mul(K.sub(block, at.firstBlock),
                               BlockChannels * input.channel));
  if (isChunked()) {
    k = pass.steps;
    if (!S.scratchInput)
      aBase = K.add(aBase, K.mul(pass.first, kStride));
    bBase = K.add(
        bBase, K.mul(pass.first, filterStrides()[1] / (S.keepsBf16() ? 2 : 1)));
  }
  SmallVector<int64_t> aStrides{mStride, Nest.depthwise ? 1 : 0, kStride};
  aStrides.append(aBatch);
  std::array<int64_t, 2> filterStep = filterStrides();
  SmallVector<int64_t> bStrides(filterStep.begin(), filterStep.end());
  bStrides.append(bBatch);

  Value channel = K.mul(block, BlockChannels);
  auto address = [&](const ConvProblem::Strides &strides) {
    Value base = groupStart(strides, at.groups);
    base = K.add(base, K.mul(at.batch, strides.outer));
    base = K.add(base, K.mul(channel, strides.channel));
    base = K.add(base, K.mul(at.row[0], strides.spatial[0]));
    base = K.add(base, K.mul(at.row[1], strides.spatial[1]));
    return K.add(base, K.mul(strip.first, strides.spatial[2]));
  };
  SmallVector<Value> tail, tailOffsets;
  SmallVector<int64_t> tailStrides;
  for (const TailOperand &operand : Nest.tail) {
    if (!pass.last)
      break;
    tail.push_back(
        K.buffer(ArgField::In, argument(operand.value), K.type(operand.dtype)));
    tailOffsets.push_back(address(operand.strides));
    tailStrides.append({operand.strides.spatial[2], operand.strides.channel});
  }
  Value sums, sumsAt;
  if (isChunked()) {
    sums = K.buffer(ArgField::Scratch, scratchInputBytes(), Compute);
    sumsAt = K.add(K.mul(strip.inPiece, sumsPitch()),
                   K.mul(K.sub(block, at.firstBlock), BlockChannels));
  }
  Value out = sums, outAt = sumsAt;
  SmallVector<int64_t> outStrides{sumsPitch(), 1};
  if (pass.last) {
    out = K.buffer(ArgField::Out, 0, K.type(Nest.outType));
    outAt = address(P.outStrides);
    outStrides = {P.outStrides.spatial[2], P.outStrides.channel};
  }
  Value filter = S.filterInPlace ? K.buffer(ArgField::In, argument(Nest.filter),
                                            K.type(P.dtype))
                                 : K.buffer(PackedField, PackedOffset, Factor);
  Value staging;
  if (S.amx)
    staging = K.buffer(ArgField::Scratch, scratchInputBytes(), Compute);
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), input.buffer, aBase, filter, bBase, out, outAt,
      counts, tail, tailOffsets, staging, sums, sumsAt, uint64_t(strip.pixels),
      uint64_t(n), uint64_t(k), aStrides, bStrides, outStrides, tailStrides,
      S.filterInPlace, S.dot, uint64_t(S.kUnroll), uint64_t(S.prefetch),
      uint64_t(sums ? sumsPitch() : 0));
  tailRegion(op, pass.last);
}

Value ConvEmitter::filterStart(const Place &at, Value block) {
  if (!S.filterInPlace)
    return K.mul(K.add(K.mul(at.group, blocks()), block), blockElements());
  return K.add(K.mul(block, BlockChannels * P.filterStrides.outer),
               groupStart(P.filterStrides, at.groups));
}

std::array<int64_t, 2> ConvEmitter::filterStrides() const {
  if (S.filterInPlace)
    return {S.dot ? P.filterStrides.outer : 1, P.filterStrides.channel};
  // One step of k, or for pairs of k side by side the next pair.
  return {1, BlockChannels * (S.keepsBf16() ? 2 : 1)};
}

void ConvEmitter::tailRegion(BrgemmOp op, bool last) {
  OpBuilder &builder = K.builder();
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(&op.getBody());
  std::map<ValueId, Value> values;
  values[Nest.sum] = body->addArgument(Compute, K.loc());
  if (!last) {
    YieldOp::create(builder, K.loc(), values[Nest.sum]);
    return;
  }
  for (const TailOperand &operand : Nest.tail)
    values[operand.value] = body->addArgument(K.type(operand.dtype), K.loc());
  Value result = buildTail(K, Group, Nest.tailNode, Nest.computeType(), values);
  YieldOp::create(builder, K.loc(), result);
}

StatusOr<KernelModule> emitConv(MLIRContext &context, const Graph &group,
                                const Schedule &schedule,
                                const EmitOptions &options) {
  KernelModule kernel;
  kernel.module = ModuleOp::create(UnknownLoc::get(&context));
  ConvEmitter emitter(*kernel.module, group, makeConvNest(group), schedule,
                      options);
  BOO_RETURN_IF_ERROR(emitter.checkSizes());
  emitter.emit(kernel);
  return kernel;
}

} // namespace boo::compiler
