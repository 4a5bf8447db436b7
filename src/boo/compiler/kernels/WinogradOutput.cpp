//===- WinogradOutput.cpp - Output tiles of Winograd ----------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"
#include "boo/compiler/kernels/PointwiseBuilder.h"
#include "boo/compiler/kernels/WinogradEmitter.h"

using namespace mlir;

namespace boo::compiler {

void WinogradEmitter::transformOutput(const Strip &strip, Value block,
                                      int64_t n) {
  K.loop(K.index(0), strip.tiles, 1, [&](Value i) {
    TilePlace at = place(K.add(strip.firstTile, i));
    Value source = K.mul(i, BlockChannels);
    Value channel =
        K.add(K.mul(strip.group, P.outPerGroup()), K.mul(block, BlockChannels));
    auto all = [&](int64_t columns) {
      K.loopPieces(n, Lanes, [&](Value v, int64_t lanes) {
        transformOutputVector(K.add(source, v), K.add(channel, v), at, lanes,
                              columns);
      });
    };
    int64_t rest = P.out[2] - (TilesW - 1) * T.tile;
    if (TilesW == 1 || rest == T.tile)
      return all(rest);
    K.ifThen(
        K.equal(at.tileColumn, TilesW - 1), [&] { all(rest); },
        [&] { all(T.tile); });
  });
}

void WinogradEmitter::transformOutputVector(Value source, Value channel,
                                            const TilePlace &at, int64_t lanes,
                                            int64_t columns) {
  Value products = scratch(productsAt()),
        temporaries = scratch(temporariesAt());
  K.loop(K.index(0), K.index(T.size), 1, [&](Value j) {
    Value from = K.add(source, K.mul(j, outputFrequency()));
    std::vector<Value> column;
    for (int64_t i = 0; i != T.size; ++i)
      column.push_back(
          loadVector(products, K.add(from, i * T.size * outputFrequency())));
    std::vector<Value> sums = apply(T.outputT, column);
    for (int64_t i = 0; i != T.tile; ++i)
      storeVector(sums[size_t(i)], temporaries,
                  K.add(K.mul(j, Lanes), i * T.size * Lanes));
  });
  Value rows = K.min(K.index(T.tile), K.sub(K.index(P.out[1]), at.row));
  K.loop(K.index(0), rows, 1, [&](Value i) {
    std::vector<Value> row;
    for (int64_t j = 0; j != T.size; ++j)
      row.push_back(
          loadVector(temporaries, K.add(K.mul(i, T.size * Lanes), j * Lanes)));
    std::vector<Value> pixels = apply(T.outputT, row);
    pixels.resize(size_t(columns));
    storeRow(pixels, K.add(at.row, i), channel, at, lanes);
  });
}

void WinogradEmitter::storeRow(const std::vector<Value> &pixels, Value row,
                               Value channel, const TilePlace &at,
                               int64_t lanes) {
  int64_t columns = int64_t(pixels.size());
  // Channels are counted over all groups.
  auto address = [&](const ConvProblem::Strides &strides) {
    Value base =
        K.add(K.mul(at.batch, strides.outer), K.mul(channel, strides.channel));
    base = K.add(base, K.mul(at.depth, strides.spatial[0]));
    base = K.add(base, K.mul(row, strides.spatial[1]));
    return K.add(base, K.mul(at.column, strides.spatial[2]));
  };
  std::vector<SmallVector<Value>> operands;
  for (const TailOperand &tail : Nest.tail)
    operands.push_back(
        loadOperand(tail, address(tail.strides),
                    {columns, Lanes, lanes, tail.strides.spatial[2],
                     tail.strides.channel}));
  SmallVector<Value> results;
  for (size_t pixel = 0; pixel != pixels.size(); ++pixel) {
    std::map<ValueId, Value> values;
    values[Nest.sum] = pixels[pixel];
    for (size_t i = 0; i != Nest.tail.size(); ++i)
      values[Nest.tail[i].value] = operands[i][pixel];
    results.push_back(
        buildTail(K, Group, Nest.tailNode, Nest.result, DType::F32, values));
  }
  storeBlock(
      K.builder(), K.loc(), results,
      K.buffer(ArgField::Out, 0, K.type(Nest.outType)), address(P.outStrides),
      {columns, Lanes, lanes, P.outStrides.spatial[2], P.outStrides.channel});
}

SmallVector<Value> WinogradEmitter::loadOperand(const TailOperand &tail,
                                                Value from, VectorBlock block) {
  Type type = K.type(tail.dtype);
  Value buffer = K.buffer(ArgField::In, argument(tail.value), type);
  if (block.laneStride > 1 && block.rowStride > 1) {
    // Element by element: a loop by way of scratch is the shorter code.
    Value gathered = K.buffer(ArgField::Scratch, 4 * gatheredAt(), type);
    K.loop(K.index(0), K.index(block.rows), 1, [&](Value row) {
      K.loop(K.index(0), K.index(block.count), 1, [&](Value lane) {
        Value at = K.add(from, K.add(K.mul(row, block.rowStride),
                                     K.mul(lane, block.laneStride)));
        K.store(K.load(buffer, at), gathered, K.add(K.mul(row, Lanes), lane));
      });
    });
    buffer = gathered;
    from = K.index(0);
    block.rowStride = Lanes;
    block.laneStride = 1;
  }
  return loadBlock(K.builder(), K.loc(), buffer, from, block);
}

} // namespace boo::compiler
