//===- ConvTile.cpp - The register tile of an implicit product ------------===//

#include "boo/base/Math.h"
#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"

using namespace mlir;

namespace boo::compiler {

void ConvEmitter::emitTile(const Place &at, const InputView &input,
                           const Pass &pass, Value block, const Strip &strip,
                           int64_t n) {
  // Batches: taps in depth and height, and in width unless a row's taps and
  // channels are one contiguous run.
  int64_t channels = kPadded(), taps = strip.taps;
  int64_t tapColumn = P.dilation[2] * input.column;
  SmallVector<Value> counts;
  SmallVector<int64_t> aBatch, bBatch;
  int64_t tapElements = rowTerms() * BlockChannels;
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
  if (Nest.depthwise && S.prefetchInput && !S.scratchInput)
    prefetchColumns(input, aBase, strip.pixels, n);
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
    sums = scratch(scratchInputBytes(), Compute);
    sumsAt = K.add(K.mul(strip.inPiece, sumsPitch()),
                   K.mul(K.sub(block, at.firstBlock), BlockChannels));
  }
  Value out = sums, outAt = sumsAt;
  SmallVector<int64_t> outStrides{sumsPitch(), 1};
  if (Redirect) {
    out = K.buffer(ArgField::Scratch, 0, Redirect->element);
    outAt = K.add(K.add(Redirect->start, channel),
                  K.mul(strip.first, Redirect->pitch));
    outStrides = {Redirect->pitch, 1};
  } else if (pass.last) {
    out = K.buffer(ArgField::Out, 0, K.type(Nest.outType));
    outAt = address(P.outStrides);
    outStrides = {P.outStrides.spatial[2], P.outStrides.channel};
  }
  Value filter;
  if (S.filterInPlace)
    filter = K.buffer(ArgField::In, argument(Nest.filter), K.type(P.dtype));
  else if (S.packInside)
    filter = scratch(packedAt(), Factor);
  else
    filter = K.buffer(PackedField, PackedOffset, Factor);
  Value staging;
  if (S.amx)
    staging = scratch(scratchInputBytes(), Compute);
  int64_t next = counts.empty() ? nextRows() : 0;
  // Remaining pixels and channels are few: rounds of several steps would take
  // longer to compile than they save.
  bool whole = strip.pixels == S.mTile && n == BlockChannels;
  int64_t unroll = whole || Nest.depthwise ? S.kUnroll : 1;
  auto op = BrgemmOp::create(
      K.builder(), K.loc(), input.buffer, aBase, filter, bBase, out, outAt,
      counts, tail, tailOffsets, staging, sums, sumsAt,
      next != 0 ? nextTile(at, aBase, block) : Value(), uint64_t(strip.pixels),
      uint64_t(n), uint64_t(k), aStrides, bStrides, outStrides, tailStrides,
      S.filterInPlace, S.dot, uint64_t(unroll), uint64_t(S.prefetch),
      uint64_t(sums ? sumsPitch() : 0), uint64_t(next));
  tailRegion(op, pass.last);
}

int64_t ConvEmitter::nextRows() const {
  if (!S.prefetchInput || S.scratchInput || S.dot || Nest.depthwise ||
      isChunked() || S.hChunk != 1 || Nest.taps() != 1 ||
      P.inStrides.channel != 1)
    return 0;
  return ceilDiv(S.mTile, std::min(S.nChunk, blocks()));
}

Value ConvEmitter::nextTile(const Place &at, Value aBase, Value block) {
  int64_t pixel = P.stride[2] * P.inStrides.spatial[2];
  bool wholeRow = S.wChunk >= rowTiles();
  int64_t piece = wholeRow ? P.stride[1] * P.inStrides.spatial[1]
                           : S.wChunk * S.mTile * pixel;
  Value row = K.min(K.mul(K.sub(block, at.firstBlock), nextRows()),
                    K.index(S.mTile - nextRows()));
  return K.add(K.add(aBase, piece), K.mul(row, pixel));
}

void ConvEmitter::prefetchColumns(const InputView &input, Value start,
                                  int64_t pixels, int64_t n) {
  // Of a window, what the one a stride before does not meet.
  auto fresh = [&](size_t d) {
    return std::min(P.stride[d], (P.filter[d] - 1) * P.dilation[d] + 1);
  };
  int64_t columns = fresh(2), rows = fresh(1);
  constexpr int64_t most = 16; // beyond, they outnumber the products
  if (rows * columns > most)
    return;
  int64_t line = 64 / dtypeBytes(P.dtype);
  int64_t row = P.inStrides.spatial[1];
  Value next = K.add(start, (P.filter[0] - 1) * input.tap[0]);
  if (P.out[1] == 1) {
    rows = 1;
    next = K.add(next, S.wChunk * S.mTile * P.stride[2] * input.column);
  } else {
    next = K.add(next, (P.filter[1] - 1) * input.tap[1] +
                           (P.stride[1] - rows + 1) * row);
  }
  for (int64_t r = 0; r != rows; ++r)
    for (int64_t pixel = 0; pixel != pixels; ++pixel)
      for (int64_t c = 0; c != columns; ++c)
        for (int64_t i = 0; i < n; i += line) {
          int64_t column = pixel * P.stride[2] + c;
          K.prefetch(input.buffer,
                     K.add(next, r * row + column * input.column + i),
                     /*level=*/2);
        }
}

Value ConvEmitter::filterStart(const Place &at, Value block) {
  if (S.packInside)
    return K.index(0);
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
  Value result = buildTail(K, Group, Nest.tailNode, Nest.result,
                           Nest.computeType(), values);
  // Rounded, as if it had been stored.
  if (Redirect)
    result = K.convert(result, Redirect->element);
  YieldOp::create(builder, K.loc(), result);
}

} // namespace boo::compiler
