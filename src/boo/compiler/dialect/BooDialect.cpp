//===- BooDialect.cpp - Verifiers and effects of BOO's ops ----------------===//

#include "boo/compiler/dialect/BooDialect.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace boo::compiler;

#include "boo/compiler/dialect/BooDialect.cpp.inc"
#include "boo/compiler/dialect/BooEnums.cpp.inc"

#define GET_OP_CLASSES
#include "boo/compiler/dialect/BooOps.cpp.inc"

void BooDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "boo/compiler/dialect/BooOps.cpp.inc"
      >();
  declarePromisedInterface<ConvertToLLVMPatternInterface, BooDialect>();
}

bool BrgemmOp::inPairs() {
  return getA().getType().getElementType().isBF16() && getAStrides()[1] == 0 &&
         getBody().front().getNumArguments() != 0 &&
         getBody().front().getArgument(0).getType().isF32();
}

LogicalResult BrgemmOp::verify() {
  if (int64_t(getM()) < 1 || int64_t(getN()) < 1 || int64_t(getK()) < 1)
    return emitOpError("requires m, n and k of at least 1");
  size_t batches = getBatchCounts().size();
  if (getAStrides().size() != 3 + batches)
    return emitOpError("requires a_strides [m, n, k] and one for each batch "
                       "count, ")
           << 3 + batches << " in all";
  if (getBStrides().size() != 2 + batches)
    return emitOpError("requires b_strides [n, k] and one for each batch "
                       "count, ")
           << 2 + batches << " in all";
  if (getCStrides().size() != 2)
    return emitOpError("requires c_strides [m, n]");
  if (getTailStrides().size() != 2 * getTail().size() ||
      getTailOffsets().size() != getTail().size())
    return emitOpError("requires an offset and strides [m, n] for each tail "
                       "operand");
  if (getAStrides()[1] != 0 && getAStrides()[1] != 1)
    return emitOpError("requires an n stride of A of 0 or 1");
  if (!getDot() && getBStrides()[0] != 1)
    return emitOpError("requires an n stride of B of 1");
  if (getDot() &&
      (getAStrides()[1] != 0 || getAStrides()[2] != 1 || getBStrides()[1] != 1))
    return emitOpError("requires A and B contiguous in k for dot products");
  Type stored = getA().getType().getElementType();
  Type b = getB().getType().getElementType();
  bool depthwise = getAStrides()[1] == 1;
  bool widensA =
      depthwise && b.getIntOrFloatBitWidth() > stored.getIntOrFloatBitWidth();
  if (b != stored && !widensA &&
      (getStaging() ||
       b.getIntOrFloatBitWidth() >= stored.getIntOrFloatBitWidth()))
    return emitOpError("requires A and B of one type, or a narrower B, or, for "
                       "a depthwise tile, a narrower A");
  Block &body = getBody().front();
  if (body.getNumArguments() != 1 + getTail().size())
    return emitOpError("requires a block argument for the sum and one for each "
                       "tail operand");
  Type acc = widensA ? b : stored;
  if (getStaging()) {
    acc = getStaging().getType().getElementType();
    if (!stored.isBF16() || !acc.isF32())
      return emitOpError("requires A and B of bf16 and staging of f32 for a "
                         "matrix unit");
    if (getExactB() || getDot())
      return emitOpError("requires a packed B for a matrix unit");
    if (getK() % 32 != 0 || getAStrides()[1] != 0 || getAStrides()[2] != 1)
      return emitOpError("requires a dense A with k contiguous and a multiple "
                         "of 32 for a matrix unit");
  } else if (inPairs()) {
    acc = body.getArgument(0).getType();
    if (getK() < 2 || getAStrides()[2] != 1)
      return emitOpError("requires an A with k contiguous and at least 2 for "
                         "products in pairs");
  }
  if (bool(getInit()) != bool(getInitOffset()))
    return emitOpError("requires an offset of init");
  if (getInit() &&
      (getDot() || getStaging() || getInit().getType().getElementType() != acc))
    return emitOpError("requires an init of the type of its sums, and no dot "
                       "products or matrix unit");
  if (getNext() && (batches != 0 || getAStrides()[1] != 0 ||
                    getAStrides()[2] != 1 || getDot() || getStaging()))
    return emitOpError("requires a dense A with k contiguous, no batches, no "
                       "dot products and no matrix unit for a next tile");
  if (body.getArgument(0).getType() != acc)
    return emitOpError("requires a first block argument of type ") << acc;
  for (auto [argument, operand] :
       llvm::zip_equal(body.getArguments().drop_front(), getTail()))
    if (argument.getType() !=
        cast<MemRefType>(operand.getType()).getElementType())
      return emitOpError("requires block arguments of the tail operands' "
                         "element types");
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  if (!yield || yield.getValue().getType() != getC().getType().getElementType())
    return emitOpError("requires a region that yields C's element type");
  for (Operation &op : body.without_terminator())
    if (!OpTrait::hasElementwiseMappableTraits(&op) &&
        !op.hasTrait<OpTrait::ConstantLike>())
      return op.emitOpError("is not elementwise and cannot stand in a tile's "
                            "tail");
  return success();
}

void BrgemmOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getAMutable());
  effects.emplace_back(MemoryEffects::Read::get(), &getBMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getCMutable());
  for (OpOperand &operand : getStagingMutable()) {
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
    effects.emplace_back(MemoryEffects::Write::get(), &operand);
  }
  for (OpOperand &operand : getInitMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
  for (OpOperand &operand : getTailMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &operand);
}
