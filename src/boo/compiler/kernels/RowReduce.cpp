//===- RowReduce.cpp - What reductions compute ----------------------------===//
//
// A row that is folded in parts leaves one value of the compute type for each
// in the workspace, and those are folded in their order: how many there are is
// the Schedule's, so the bits do not depend on threads.
//
//===----------------------------------------------------------------------===//

#include "boo/base/Math.h"
#include "boo/compiler/kernels/RowEmitter.h"
#include "boo/graph/Attributes.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace boo::compiler {

RowEmitter::Fold RowEmitter::reduceFold() const {
  const auto &fn = attribute<std::string>(Anchor, "fn");
  if (fn == "max" || fn == "amax")
    return Fold::Maximum;
  if (fn == "min")
    return Fold::Minimum;
  return fn == "prod" ? Fold::Multiply : Fold::Add;
}

Value RowEmitter::reduceRange(const Unit &unit, const Range &range) {
  const auto &fn = attribute<std::string>(Anchor, "fn");
  auto element = [&](size_t, Value value) -> Value {
    if (fn == "amax" || fn == "norm1")
      return math::AbsFOp::create(K.builder(), K.loc(), value);
    return fn == "norm2" ? mulF(value, value) : value;
  };
  return foldRow(unit, range, reduceFold(), true, element).front();
}

void RowEmitter::finishReduce(const Unit &unit, Value folded) {
  const auto &fn = attribute<std::string>(Anchor, "fn");
  if (fn == "mean")
    folded = divF(folded, splat(double(Nest.length())));
  if (fn == "norm2")
    folded = math::SqrtOp::create(K.builder(), K.loc(), folded);
  finish(unit, statisticPiece(unit), {folded});
}

void RowEmitter::emitReduce(const Unit &unit) {
  finishReduce(unit, reduceRange(unit, whole()));
}

Value RowEmitter::partOffset(Value part, const Unit &unit) {
  return K.mul(K.add(K.mul(part, unitCount()), unit.number), S.dot ? 1 : Lanes);
}

void RowEmitter::emitParts() {
  int64_t parts = Nest.parts(S), length = Nest.partLength(S);
  int64_t rest = Nest.inner.front().size % length;
  VectorBlock block{1, Lanes, S.dot ? 1 : Lanes, Lanes, 1};
  auto workspace = [&] { return K.buffer(ArgField::Workspace, 0, Element); };
  Kernel->workspaceBytes =
      parts * unitCount() * block.count * dtypeBytes(Nest.compute);
  overUnits("reduce", parts, [&](Value part, const Unit &unit) {
    auto emitPart = [&](int64_t steps) {
      Value folded = reduceRange(unit, {K.mul(part, length), steps});
      storeBlock(K.builder(), K.loc(), {folded}, workspace(),
                 partOffset(part, unit), block);
    };
    if (rest == 0)
      return emitPart(length);
    K.ifThen(
        K.equal(part, parts - 1), [&] { emitPart(rest); },
        [&] { emitPart(length); });
  });
  overUnits("join_parts", 1, [&](Value, const Unit &unit) {
    auto load = [&](Value part) {
      return loadBlock(K.builder(), K.loc(), workspace(),
                       partOffset(part, unit), block)
          .front();
    };
    Values folded =
        carry(K.index(1), parts - 1, 1, {load(K.index(0))},
              [&](Value part, ValueRange so) {
                return Values{fold(reduceFold(), so[0], load(part))};
              });
    finishReduce(unit, folded[0]);
  });
}

} // namespace boo::compiler
