//===- SeparableEmitter.cpp - Depthwise rows for a 1x1 convolution --------===//
//
// The main dispatch is that of the 1x1 convolution. Where it would copy a row
// of its input to scratch, the depthwise convolution computes that row there:
// its register tiles, its edges, its own scratch copies of padded rows and its
// tail are those of a depthwise kernel, but they write scratch.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/kernels/ConvEmitter.h"
#include "boo/compiler/strategy/SeparableNest.h"

using namespace mlir;

namespace boo::compiler {

void ConvEmitter::feedFrom(ConvEmitter &first, int64_t rows) {
  First = &first;
  RowsAtOnce = rows;
  first.Redirect = RowTarget{scratchPitch(), Factor, {}};
  first.ScratchStart = scratchBytes();
}

void ConvEmitter::computeScratch(const Place &at) {
  int64_t pixels = First->P.out[2];
  Value row = K.add(K.mul(at.row[0], P.out[1]), at.row[1]);
  Value firstRow = K.mul(row, RowsAtOnce);
  K.loop(K.index(0), K.index(RowsAtOnce), 1, [&](Value i) {
    First->Redirect->start = K.mul(i, pixels * scratchPitch());
    First->computeRow(at.batch, K.add(firstRow, i));
  });
  if (kPadded() != Nest.kChannels())
    zeroPadding(K.index(0), K.index(0), K.index(P.out[2]));
}

void ConvEmitter::computeRow(Value batch, Value row) {
  std::vector<Value> place = K.delinearize(row, {P.out[0], P.out[1]});
  std::vector<int64_t> sizes = gridSizes();
  // Of one group, all chunks of channels and all pieces of the row.
  int64_t chunks = S.filterOuter ? sizes[1] : sizes[5];
  int64_t pieces = S.filterOuter ? sizes[5] : sizes[3];
  K.loop(K.index(0), K.index(chunks), 1, [&](Value chunk) {
    K.loop(K.index(0), K.index(pieces), 1, [&](Value piece) {
      Place at = placeAt({K.index(0), chunk, batch, place[0], place[1], piece});
      emitPass(at, {K.index(0), Nest.kChannels(), true});
    });
  });
}

StatusOr<KernelModule> emitSeparable(MLIRContext &context, const Graph &group,
                                     const Schedule &schedule,
                                     const EmitOptions &options) {
  KernelModule kernel;
  kernel.module = ModuleOp::create(UnknownLoc::get(&context));
  KernelBuilder builder(*kernel.module);
  SeparableNests nests = makeSeparableNests(group, schedule.rows);
  ConvEmitter first(builder, group, std::move(nests.depthwise),
                    depthwiseSchedule(schedule), options);
  ConvEmitter second(builder, group, std::move(nests.pointwise), schedule,
                     options);
  BOO_RETURN_IF_ERROR(first.checkSizes());
  BOO_RETURN_IF_ERROR(second.checkSizes());
  second.feedFrom(first, schedule.rows);
  second.emit(kernel);
  return kernel;
}

} // namespace boo::compiler
