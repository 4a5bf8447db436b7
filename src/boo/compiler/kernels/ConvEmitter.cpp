//===- ConvEmitter.cpp - The main dispatch of a convolution ---------------===//

#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"

#include <algorithm>

using namespace mlir;

namespace boo::compiler {

ConvEmitter::ConvEmitter(MLIRContext &context, const Graph &group,
                         const Schedule &schedule, const EmitOptions &options)
    : Group(group), S(schedule), Nest(makeConvNest(group)), P(Nest.problem),
      Module(ModuleOp::create(UnknownLoc::get(&context))), K(*Module),
      Compute(K.type(Nest.computeType())),
      Factor(S.pairs() ? K.type(DType::BF16) : Compute),
      Lanes(S.vectorBits / Compute.getIntOrFloatBitWidth()),
      BlockChannels(S.nVectors * Lanes),
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
  // Offsets of tensors are below 2^60: Graphs with larger ones do not verify.
  constexpr int64_t most = int64_t(1) << 42;
  if ((S.scratchInput && scratch > most) || packed > most)
    return unsupported("a convolution that needs more than 4 TiB of scratch or "
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
  int64_t steps = S.amx ? 32 : S.dot ? 2 : 1;
  return ceilDiv(Nest.kChannels(), steps) * steps;
}
int64_t ConvEmitter::rowTiles() const { return ceilDiv(P.out[2], S.mTile); }
int64_t ConvEmitter::scratchColumns() const {
  // A matrix unit reads whole tiles: columns past the last pixel have memory.
  int64_t pixels = S.wChunk * S.mTile;
  if (!S.amx)
    pixels = std::min(pixels, P.out[2]);
  return (pixels - 1) * P.stride[2] + (P.filter[2] - 1) * P.dilation[2] + 1;
}
int64_t ConvEmitter::scratchChannels() const {
  return Nest.depthwise ? std::min(S.nChunk * BlockChannels, Nest.nExtent())
                        : Nest.kChannels();
}

int64_t ConvEmitter::scratchPitch() const {
  // Columns a page apart fall into one set of the L1 cache: a few elements of
  // slack spread them.
  int64_t channels = Nest.depthwise ? scratchChannels() : kPadded();
  int64_t bytes = Factor.getIntOrFloatBitWidth() / 8;
  bool aliases = channels * P.stride[2] * bytes % 4096 == 0;
  return channels + (aliases ? 64 / bytes : 0);
}

int64_t ConvEmitter::scratchInputBytes() const {
  int64_t elements =
      P.filter[0] * P.filter[1] * scratchColumns() * scratchPitch();
  int64_t bytes = elements * Factor.getIntOrFloatBitWidth() / 8;
  return ceilDiv(bytes, 64) * 64;
}

KernelModule ConvEmitter::emit() {
  KernelModule kernel;
  int64_t packedBytes = Nest.groupLoops() * blocks() * blockElements() *
                        Factor.getIntOrFloatBitWidth() / 8;
  emitPack();
  emitConv();
  bool ahead = PackedField == ArgField::Constants;
  (ahead ? kernel.constantsBytes : kernel.workspaceBytes) = packedBytes;
  if (S.scratchInput)
    kernel.scratchBytes = scratchInputBytes();
  if (S.amx)
    kernel.scratchBytes += S.mTile * BlockChannels * 4;
  Dispatch pack{"boo_dispatch_0", "pack_filter", S.serial ? 1 : packTiles()};
  (ahead ? kernel.prepare : kernel.run).push_back(pack);
  kernel.run.push_back({"boo_dispatch_1", "conv", S.serial ? 1 : convTiles()});
  kernel.module = std::move(Module);
  return kernel;
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
    bool inside = P.padLo[d] == 0 && (P.out[d] - 1) * P.stride[d] +
                                             (P.filter[d] - 1) * P.dilation[d] <
                                         P.in[d];
    at.low[d] = inside ? K.index(0) : low;
    at.count[d] =
        inside ? K.index(P.filter[d]) : K.max(K.index(0), K.sub(high, low));
  }
  return at;
}

Value ConvEmitter::inputRow(const Place &at) {
  Value base = K.mul(at.batch, P.inStrides.outer);
  if (!Nest.depthwise)
    base = K.add(base, K.mul(at.group, P.inPerGroup() * P.inStrides.channel));
  for (size_t d = 0; d != 2; ++d) {
    Value row = K.add(K.mul(at.row[d], P.stride[d]), -P.padLo[d]);
    row = K.add(row, K.mul(at.low[d], P.dilation[d]));
    base = K.add(base, K.mul(row, P.inStrides.spatial[d]));
  }
  return base;
}

ConvEmitter::InputView ConvEmitter::viewInput(const Place &at) {
  Value column = K.add(K.mul(at.firstTile, S.mTile * P.stride[2]), -P.padLo[2]);
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

void ConvEmitter::emitConv() {
  K.dispatch(
      1,
      [&](Value tile) {
        Place at = place(tile);
        InputView input = S.scratchInput ? fillScratch(at) : viewInput(at);
        int64_t mRest = P.out[2] - (rowTiles() - 1) * S.mTile;
        int64_t nRest = Nest.nExtent() - (blocks() - 1) * BlockChannels;
        K.loop(K.index(0), at.blocks, 1, [&](Value i) {
          Value block = K.add(at.firstBlock, i);
          K.loop(K.index(0), at.tiles, 1, [&](Value j) {
            Value index = K.add(at.firstTile, j);
            // Four bodies at most: whole and remaining pixels and channels.
            auto withN = [&](int64_t n) {
              auto withM = [&](int64_t m) {
                emitTile(at, input, block, j, m, n);
              };
              if (rowTiles() == 1 || mRest == S.mTile)
                return withM(mRest);
              K.ifThen(
                  K.equal(index, rowTiles() - 1), [&] { withM(mRest); },
                  [&] { withM(S.mTile); });
            };
            if (blocks() == 1 || nRest == BlockChannels)
              return withN(nRest);
            K.ifThen(
                K.equal(block, blocks() - 1), [&] { withN(nRest); },
                [&] { withN(BlockChannels); });
          });
        });
      },
      serialTiles(convTiles()));
}

void ConvEmitter::emitTile(const Place &at, const InputView &input, Value block,
                           Value tile, int64_t m, int64_t n) {
  // Batches: taps in depth and height, and in width unless a row's taps and
  // channels are one contiguous run.
  int64_t channels = kPadded(), taps = P.filter[2];
  int64_t tapColumn = P.dilation[2] * input.column;
  SmallVector<Value> counts;
  SmallVector<int64_t> aBatch, bBatch;
  int64_t tapElements = taps * channels * BlockChannels;
  Value bBase = K.mul(K.add(K.mul(at.group, blocks()), block), blockElements());
  for (size_t d = 0; d != 2; ++d) {
    int64_t step = d == 0 ? P.filter[1] * tapElements : tapElements;
    bBase = K.add(bBase, K.mul(at.low[d], step));
    if (P.filter[d] == 1 && P.padLo[d] == 0 && P.padHi[d] == 0)
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
  Value aBase = K.add(input.base, K.mul(tile, S.mTile * mStride));
  if (Nest.depthwise)
    aBase = K.add(aBase, K.mul(K.sub(block, at.firstBlock),
                               BlockChannels * input.channel));
  SmallVector<int64_t> aStrides{mStride, Nest.depthwise ? 1 : 0, kStride};
  aStrides.append(aBatch);
  // One step of k, or for pairs of k side by side the next pair.
  SmallVector<int64_t> bStrides{1, BlockChannels * (S.pairs() ? 2 : 1)};
  bStrides.append(bBatch);

  Value pixel = K.mul(K.add(at.firstTile, tile), S.mTile);
  Value channel = K.mul(block, BlockChannels);
  if (!Nest.depthwise)
    channel = K.add(channel, K.mul(at.group, P.outPerGroup()));
  auto address = [&](int64_t outer, int64_t channelStride,
                     const std::array<int64_t, 3> &spatial) {
    Value base = K.add(K.mul(at.batch, outer), K.mul(channel, channelStride));
    base = K.add(base, K.mul(at.row[0], spatial[0]));
    base = K.add(base, K.mul(at.row[1], spatial[1]));
    return K.add(base, K.mul(pixel, spatial[2]));
  };
  SmallVector<Value> tail, tailOffsets;
  SmallVector<int64_t> tailStrides;
  for (const TailOperand &operand : Nest.tail) {
    tail.push_back(
        K.buffer(ArgField::In, argument(operand.value), K.type(operand.dtype)));
    tailOffsets.push_back(
        address(operand.batch, operand.channel, operand.spatial));
    tailStrides.append({operand.spatial[2], operand.channel});
  }
  Value out = K.buffer(ArgField::Out, 0, K.type(Nest.outType));
  Value packed = K.buffer(PackedField, 0, Factor);
  Value staging;
  if (S.amx)
    staging = K.buffer(ArgField::Scratch, scratchInputBytes(), Compute);
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), input.buffer, aBase, packed, bBase, out,
      address(P.outStrides.outer, P.outStrides.channel, P.outStrides.spatial),
      counts, tail, tailOffsets, staging, uint64_t(m), uint64_t(n), uint64_t(k),
      aStrides, bStrides,
      ArrayRef<int64_t>{P.outStrides.spatial[2], P.outStrides.channel},
      tailStrides, uint64_t(S.kUnroll), uint64_t(S.prefetch));
  tailRegion(op);
}

void ConvEmitter::tailRegion(BrgemmOp op) {
  OpBuilder &builder = K.builder();
  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(&op.getBody());
  std::map<ValueId, Value> values;
  values[Group.nodes().front().results[0]] =
      body->addArgument(Compute, K.loc());
  for (const TailOperand &operand : Nest.tail)
    values[operand.value] = body->addArgument(K.type(operand.dtype), K.loc());
  Value result = buildTail(K, Group, 1, Nest.computeType(), values);
  YieldOp::create(builder, K.loc(), result);
}

StatusOr<KernelModule> emitConv(MLIRContext &context, const Graph &group,
                                const Schedule &schedule,
                                const EmitOptions &options) {
  ConvEmitter emitter(context, group, schedule, options);
  BOO_RETURN_IF_ERROR(emitter.checkSizes());
  return emitter.emit();
}

} // namespace boo::compiler
