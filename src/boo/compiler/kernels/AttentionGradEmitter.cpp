//===- AttentionGradEmitter.cpp - Kernels of attention gradients ----------===//

#include "boo/compiler/kernels/AttentionGradEmitter.h"
#include "boo/base/Math.h"
#include "boo/compiler/dialect/BlockAccess.h"

#include <limits>

using namespace mlir;

namespace boo::compiler {

static constexpr double Inf = std::numeric_limits<double>::infinity();

AttentionGradEmitter::AttentionGradEmitter(MLIRContext &context,
                                           const Graph &group,
                                           const Schedule &schedule)
    : AttentionCode(context, makeAttentionNest(group), schedule,
                    schedule.wChunk *
                        makeAttentionNest(group).lanes(schedule.vectorBits)) {
  int64_t block = S.kChunk * Rows + PaddedRows - Rows;
  FirstAt = room(P.depth * Rows);
  SecondAt = room(P.valueDepth * Rows);
  OutAt = room(P.valueDepth * Rows);
  ScoresAt = room(block);
  GradientsAt = room(block);
  FirstSumsAt = room(PaddedRows * pitch(P.depth));
  SecondSumsAt = room(PaddedRows * pitch(P.valueDepth));
  LseAt = room(Rows);
  DeltaAt = room(Rows);
  if (S.scratchInput) {
    FirstCopyAt = room(S.kChunk * pitch(P.depth));
    SecondCopyAt = room(S.kChunk * pitch(P.valueDepth));
  }
}

KernelModule AttentionGradEmitter::emit() {
  KernelModule kernel;
  addDispatch(K, kernel, "gradient_of_queries", gridOf(Nest.outer, P.queries),
              S.serial, [&](const std::vector<Value> &tile) {
                emitQueries(place(tile, P.queries, Nest.isCausal()));
              });
  // Keys and values are shared by the heads of a group.
  addDispatch(K, kernel, "gradient_of_keys",
              gridOf({Nest.outer[0], Nest.outer[1], 1}, P.keys), S.serial,
              [&](const std::vector<Value> &tile) {
                emitKeys(place(tile, P.keys, Nest.isCausal()));
              });
  int64_t bytes = Element.getIntOrFloatBitWidth() / 8;
  kernel.workspaceBytes =
      ceilDiv(Nest.outerCount() * P.queries * bytes, 64) * 64;
  kernel.scratchBytes = ScratchBytes;
  kernel.module = std::move(Module);
  return kernel;
}

Value AttentionGradEmitter::deltaAt(const Outer &outer, Value query) {
  Value at = outer[0];
  for (size_t i : {1, 2})
    at = K.add(K.mul(at, Nest.outer[i]), outer[i]);
  return K.add(K.mul(at, P.queries), query);
}

Value AttentionGradEmitter::finite(Value lse) {
  auto number = [&](double value) {
    return arith::ConstantOp::create(K.builder(), K.loc(),
                                     K.builder().getFloatAttr(Element, value));
  };
  Value nothing = arith::CmpFOp::create(
      K.builder(), K.loc(), arith::CmpFPredicate::OEQ, lse, number(-Inf));
  return arith::SelectOp::create(K.builder(), K.loc(), nothing, number(Inf),
                                 lse);
}

AttentionGradEmitter::View
AttentionGradEmitter::lines(const Side &side, const Outer &outer,
                            const Block &block, int64_t columns, int64_t to) {
  Value from = K.add(base(side, outer), K.mul(block.first, side.row));
  if (S.scratchInput)
    return copyRows(side, from, block.count, columns, pitch(columns), to);
  return {in(side), from, side.row, 1};
}

//===----------------------------------------------------------------------===//
// Rows are queries
//===----------------------------------------------------------------------===//

void AttentionGradEmitter::readStatistics(const Tile &at) {
  packLanes(Nest.out, at, P.valueDepth, 1, OutAt);
  Value workspace = K.buffer(ArgField::Workspace, 0, Element);
  // Rows past the last have no weights.
  fill(LseAt, Rows, Inf);
  fill(DeltaAt, Rows, 0);
  K.loop(K.index(0), vectors(at), 1, [&](Value number) {
    Value row = K.mul(number, Lanes);
    auto load = [&](int64_t from, Value column) {
      return loadVector(scratch(from), K.add(K.mul(column, Rows), row));
    };
    Value sum = carry(K.index(0), K.index(P.valueDepth), 1, {splat(0)},
                      [&](Value column, ValueRange carried) -> Values {
                        return {fmaF(load(SecondAt, column),
                                     load(OutAt, column), carried[0])};
                      })[0];
    storeVector(sum, scratch(DeltaAt), row);
  });
  Value from = base(Nest.lse, at.outer);
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    Value query = K.add(at.first, row);
    Value lse = K.load(in(Nest.lse), K.add(from, K.mul(query, Nest.lse.row)));
    K.store(finite(lse), scratch(LseAt), row);
    K.store(K.load(scratch(DeltaAt), row), workspace, deltaAt(at.outer, query));
  });
}

void AttentionGradEmitter::emitQueries(const Tile &at) {
  packLanes(Nest.q, at, P.depth, P.scale, FirstAt);
  packLanes(Nest.dout, at, P.valueDepth, 1, SecondAt);
  readStatistics(at);
  fill(FirstSumsAt, PaddedRows * pitch(P.depth), 0);
  Value end = K.index(Nest.keys());
  if (Nest.isCausal())
    end = K.min(end, K.add(at.first, at.count));
  K.loop(K.index(0), end, S.kChunk, [&](Value first) {
    Block block = blockOf(first, end, Nest.keys(), S.mTile);
    View k = lines(Nest.k, at.outer, block, P.depth, FirstCopyAt);
    View v = lines(Nest.v, at.outer, block, P.valueDepth, SecondCopyAt);
    multiplyLanes(at, block, Nest.keys(), k, P.depth, FirstAt, ScoresAt);
    multiplyLanes(at, block, Nest.keys(), v, P.valueDepth, SecondAt,
                  GradientsAt);
    Side keys = Nest.mask;
    keys.row = Nest.mask.column;
    addMask(at, block, keys, Nest.mask);
    if (P.causal)
      hideUnseen(at, block, ScoresAt, /*linesAreKeys=*/true);
    weigh(at, block, false, [&](Value, Value row) {
      return std::pair(loadVector(scratch(LseAt), row),
                       loadVector(scratch(DeltaAt), row));
    });
    addLines(at, block, k, !S.scratchInput, P.depth, GradientsAt, FirstSumsAt,
             pitch(P.depth));
  });
  store(at, Nest.dq, FirstSumsAt, P.depth, P.scale);
}

//===----------------------------------------------------------------------===//
// Rows are keys
//===----------------------------------------------------------------------===//

void AttentionGradEmitter::emitKeys(const Tile &at) {
  packLanes(Nest.k, at, P.depth, P.scale, FirstAt);
  packLanes(Nest.v, at, P.valueDepth, 1, SecondAt);
  fill(FirstSumsAt, PaddedRows * pitch(P.depth), 0);
  fill(SecondSumsAt, PaddedRows * pitch(P.valueDepth), 0);
  Value workspace = K.buffer(ArgField::Workspace, 0, Element);
  // Causal: queries before the tile's first key see none of its keys.
  Value begin = K.index(0);
  if (Nest.isCausal())
    begin = K.mul(K.builder().createOrFold<arith::DivUIOp>(K.loc(), at.first,
                                                           K.index(S.mTile)),
                  S.mTile);
  K.loop(K.index(0), K.index(Nest.outer[2]), 1, [&](Value head) {
    Outer outer{at.outer[0], at.outer[1], head};
    Value lse = base(Nest.lse, outer);
    K.loop(begin, K.index(P.queries), S.kChunk, [&](Value first) {
      Block block = blockOf(first, K.index(P.queries), P.queries, S.mTile);
      View q = lines(Nest.q, outer, block, P.depth, FirstCopyAt);
      View g = lines(Nest.dout, outer, block, P.valueDepth, SecondCopyAt);
      multiplyLanes(at, block, P.queries, q, P.depth, FirstAt, ScoresAt);
      multiplyLanes(at, block, P.queries, g, P.valueDepth, SecondAt,
                    GradientsAt);
      Tile keys = at;
      keys.outer = outer;
      Side rows = Nest.mask;
      rows.row = Nest.mask.column;
      addMask(keys, block, Nest.mask, rows);
      if (P.causal)
        hideUnseen(at, block, ScoresAt, /*linesAreKeys=*/false);
      weigh(at, block, true, [&](Value line, Value) {
        Value query = K.add(block.first, line);
        Value sum =
            K.load(in(Nest.lse), K.add(lse, K.mul(query, Nest.lse.row)));
        return std::pair(broadcast(finite(sum)),
                         broadcast(K.load(workspace, deltaAt(outer, query))));
      });
      addLines(at, block, q, !S.scratchInput, P.depth, GradientsAt, FirstSumsAt,
               pitch(P.depth));
      addLines(at, block, g, !S.scratchInput, P.valueDepth, ScoresAt,
               SecondSumsAt, pitch(P.valueDepth));
    });
  });
  store(at, Nest.dk, FirstSumsAt, P.depth, P.scale);
  store(at, Nest.dv, SecondSumsAt, P.valueDepth, 1);
}

//===----------------------------------------------------------------------===//
// Both
//===----------------------------------------------------------------------===//

void AttentionGradEmitter::addMask(const Tile &at, const Block &block,
                                   const Side &lines, const Side &rows) {
  if (!P.hasMask)
    return;
  Value source =
      K.add(base(Nest.mask, at.outer),
            K.add(K.mul(at.first, rows.row), K.mul(block.first, lines.row)));
  addMaskTo(at, block, ScoresAt, source, lines.row, rows.row);
}

void AttentionGradEmitter::weigh(
    const Tile &at, const Block &block, bool keepWeights,
    const std::function<std::pair<Value, Value>(Value, Value)> &statistics) {
  Value scores = scratch(ScoresAt), gradients = scratch(GradientsAt);
  K.loop(K.index(0), block.count, 1, [&](Value line) {
    K.loop(K.index(0), vectors(at), 1, [&](Value vector) {
      Value row = K.mul(vector, Lanes);
      Value place = K.add(K.mul(line, Rows), row);
      auto [lse, delta] = statistics(line, row);
      Value weight = expF(subF(loadVector(scores, place), lse));
      Value gradient = mulF(weight, subF(loadVector(gradients, place), delta));
      if (keepWeights)
        storeVector(weight, scores, place);
      storeVector(gradient, gradients, place);
    });
  });
}

void AttentionGradEmitter::store(const Tile &at, const Side &side, int64_t sums,
                                 int64_t columns, double scale) {
  Type stored = K.type(P.dtype);
  Value to = K.add(base(side, at.outer), K.mul(at.first, side.row));
  K.loop(K.index(0), at.count, 1, [&](Value row) {
    forVectors(columns, [&](Value column, int64_t lanes) {
      Value value =
          loadVector(scratch(sums), K.add(K.mul(row, pitch(columns)), column));
      if (scale != 1)
        value = mulF(value, splat(scale));
      Value target =
          K.add(K.add(to, K.mul(row, side.row)), K.mul(column, side.column));
      storeBlock(K.builder(), K.loc(), K.convert(value, stored),
                 K.buffer(ArgField::Out, side.slot, stored), target,
                 {1, Lanes, lanes, 0, side.column});
    });
  });
}

StatusOr<KernelModule> emitAttentionGrad(MLIRContext &context,
                                         const Graph &group,
                                         const Schedule &schedule) {
  return AttentionGradEmitter(context, group, schedule).emit();
}

} // namespace boo::compiler
