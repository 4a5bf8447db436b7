//===- LowerElementwise.cpp - Elementwise linalg to vector loops ----------===//
//
// The innermost loop runs along the outputs' contiguous dimension, by whole
// vectors and then by single elements: a masked last vector would cost the ISAs
// without masks more than the few elements do.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/CloneAsVector.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_LOWERELEMENTWISE
#include "boo/compiler/passes/Passes.h.inc"

namespace {

/// Position of loop `dim` among the dimensions of an operand, or none.
std::optional<unsigned> positionOf(AffineMap map, unsigned dim) {
  return map.getResultPosition(getAffineDimExpr(dim, map.getContext()));
}

/// Whether a vector along loop `dim` is contiguous in `operand`.
bool isContiguous(linalg::LinalgOp op, OpOperand &operand, unsigned dim) {
  auto type = cast<MemRefType>(operand.get().getType());
  auto position = positionOf(op.getMatchingIndexingMap(&operand), dim);
  return position && *position + 1 == type.getRank() &&
         type.isLastDimUnitStride();
}

/// Bits of a lane, or 0 for types that no vector register holds.
int64_t laneBits(Type type) {
  if (type.isIndex())
    return 64;
  return type.isIntOrFloat() ? int64_t(type.getIntOrFloatBitWidth()) : 0;
}

/// Bits of the widest element that the body works on; 0 when there is one that
/// cannot be a lane. Truth values take a mask, not a lane.
int64_t widestLane(Block &body) {
  int64_t widest = 8;
  bool fits = true;
  auto look = [&](Type type) {
    fits &= laneBits(type) != 0;
    widest = std::max(widest, laneBits(type));
  };
  for (Type type : body.getArgumentTypes())
    look(type);
  for (Operation &op : body.without_terminator())
    for (Type type : op.getResultTypes())
      look(type);
  return fits ? widest : 0;
}

/// Writes the loops of one op in front of it.
class ElementLoops {
public:
  ElementLoops(linalg::LinalgOp op, RewriterBase &builder, int64_t vectorBits)
      : Op(op), Builder(builder), Loc(op.getLoc()), Body(*op.getBlock()),
        Indices(op.getNumLoops()) {
    for (Range range : op.createLoopRanges(builder, Loc))
      Sizes.push_back(
          getValueOrCreateConstantIndexOp(builder, Loc, range.size));
    chooseVector(vectorBits);
    for (unsigned i = 0; i != op.getNumLoops(); ++i)
      if (i != Along)
        Order.push_back(i);
  }

  void run() { outerLoop(0); }

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(Builder, Loc, value);
  }

  void chooseVector(int64_t vectorBits) {
    int64_t widest = widestLane(Body);
    if (widest == 0 || vectorBits / widest < 2)
      return;
    // A memref of i1 holds bytes, a vector of i1 bits.
    for (Value operand : Op->getOperands())
      if (laneBits(getElementTypeOrSelf(operand.getType())) % 8 != 0)
        return;
    for (unsigned i = Op.getNumLoops(); i-- != 0;) {
      if (!llvm::all_of(Op.getDpsInitsMutable(), [&](OpOperand &output) {
            return isContiguous(Op, output, i);
          }))
        continue;
      std::optional<int64_t> size = getConstantIntValue(Sizes[i]);
      if (!size || *size >= vectorBits / widest) {
        Along = i;
        Lanes = vectorBits / widest;
      }
      return;
    }
  }

  void outerLoop(size_t level) {
    if (level == Order.size())
      return Along ? innermostLoops() : element(nullptr);
    unsigned dim = Order[level];
    loop(index(0), Sizes[dim], 1, dim, [&] { outerLoop(level + 1); });
  }

  void loop(Value from, Value to, int64_t step, unsigned dim,
            function_ref<void()> body) {
    auto loop = scf::ForOp::create(Builder, Loc, from, to, index(step));
    OpBuilder::InsertionGuard guard(Builder);
    Builder.setInsertionPointToStart(loop.getBody());
    Indices[dim] = loop.getInductionVar();
    body();
  }

  void innermostLoops() {
    // What does not change along the vector is loaded once.
    IRMapping invariant;
    for (OpOperand &operand : Op->getOpOperands())
      if (isLoaded(operand) &&
          !positionOf(Op.getMatchingIndexingMap(&operand), *Along))
        invariant.map(Op.getMatchingBlockArgument(&operand), load(operand));
    Value size = Sizes[*Along], whole;
    std::optional<int64_t> known = getConstantIntValue(size);
    if (known) {
      whole = index(*known - *known % Lanes);
    } else {
      Value rest = arith::RemUIOp::create(Builder, Loc, size, index(Lanes));
      whole = arith::SubIOp::create(Builder, Loc, size, rest);
    }
    loop(index(0), whole, Lanes, *Along, [&] { vector(invariant); });
    if (!known || *known % Lanes != 0)
      loop(whole, size, 1, *Along, [&] { element(&invariant); });
  }

  bool isLoaded(OpOperand &operand) {
    return isa<MemRefType>(operand.get().getType()) &&
           Op.payloadUsesValueFromOperand(&operand);
  }

  /// Where the current element of an operand is; `lane` steps along the vector.
  SmallVector<Value> at(OpOperand &operand, int64_t lane = 0) {
    SmallVector<Value> result;
    for (AffineExpr expr : Op.getMatchingIndexingMap(&operand).getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim) // a dimension of size 1
        result.push_back(index(0));
      else if (lane != 0 && dim.getPosition() == Along)
        result.push_back(
            arith::AddIOp::create(Builder, Loc, Indices[*Along], index(lane),
                                  arith::IntegerOverflowFlags::nsw));
      else
        result.push_back(Indices[dim.getPosition()]);
    }
    return result;
  }

  Value load(OpOperand &operand, int64_t lane = 0) {
    return memref::LoadOp::create(Builder, Loc, operand.get(),
                                  at(operand, lane));
  }

  void element(const IRMapping *invariant) {
    IRMapping map = invariant ? *invariant : IRMapping();
    for (OpOperand &operand : Op->getOpOperands()) {
      BlockArgument argument = Op.getMatchingBlockArgument(&operand);
      if (!isa<MemRefType>(operand.get().getType()))
        map.map(argument, operand.get());
      else if (isLoaded(operand) && !map.contains(argument))
        map.map(argument, load(operand));
    }
    for (Operation &op : Body.without_terminator())
      Builder.clone(op, map);
    for (auto [output, yielded] : llvm::zip_equal(
             Op.getDpsInitsMutable(), Body.getTerminator()->getOperands()))
      memref::StoreOp::create(Builder, Loc, map.lookupOrDefault(yielded),
                              output.get(), at(output));
  }

  Value broadcast(Value value) {
    auto type = VectorType::get({Lanes}, value.getType());
    return vector::BroadcastOp::create(Builder, Loc, type, value);
  }

  Value loadLanes(OpOperand &operand) {
    auto type = VectorType::get(
        {Lanes}, cast<MemRefType>(operand.get().getType()).getElementType());
    if (isContiguous(Op, operand, *Along))
      return vector::LoadOp::create(Builder, Loc, type, operand.get(),
                                    at(operand));
    Value lanes = arith::ConstantOp::create(Builder, Loc, type,
                                            Builder.getZeroAttr(type));
    for (int64_t lane = 0; lane != Lanes; ++lane)
      lanes = vector::InsertOp::create(Builder, Loc, load(operand, lane), lanes,
                                       lane);
    return lanes;
  }

  void vector(const IRMapping &invariant) {
    IRMapping map;
    for (OpOperand &operand : Op->getOpOperands()) {
      BlockArgument argument = Op.getMatchingBlockArgument(&operand);
      if (!isa<MemRefType>(operand.get().getType()))
        map.map(argument, broadcast(operand.get()));
      else if (Value value = invariant.lookupOrNull(argument))
        map.map(argument, broadcast(value));
      else if (isLoaded(operand))
        map.map(argument, loadLanes(operand));
    }
    for (Operation &op : Body.without_terminator())
      cloneAsVector(Builder, Loc, op, Lanes, map);
    for (auto [output, yielded] : llvm::zip_equal(
             Op.getDpsInitsMutable(), Body.getTerminator()->getOperands())) {
      Value value = map.lookupOrNull(yielded);
      vector::StoreOp::create(Builder, Loc, value ? value : broadcast(yielded),
                              output.get(), at(output));
    }
  }

  linalg::LinalgOp Op;
  RewriterBase &Builder;
  Location Loc;
  Block &Body;
  SmallVector<Value> Sizes;
  SmallVector<unsigned> Order;   ///< of the loops outside of the vector's
  std::optional<unsigned> Along; ///< the loop that vectors lie along, if any
  int64_t Lanes = 1;
  SmallVector<Value> Indices;
};

struct ElementwiseToLoops : OpInterfaceRewritePattern<linalg::LinalgOp> {
  ElementwiseToLoops(MLIRContext *context, int64_t vectorBits)
      : OpInterfaceRewritePattern(context), VectorBits(vectorBits) {}

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics())
      return rewriter.notifyMatchFailure(op, "works on tensors");
    if (op.getNumParallelLoops() != op.getNumLoops())
      return rewriter.notifyMatchFailure(op, "has a loop that is not parallel");
    if (op.hasIndexSemantics())
      return rewriter.notifyMatchFailure(op, "its body asks for loop indices");
    for (AffineMap map : op.getIndexingMapsArray())
      if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
        return rewriter.notifyMatchFailure(
            op, "an operand's indices are computed from several loops");
    for (Operation &inner : op.getBlock()->without_terminator())
      if (!isCloneableAsVector(inner))
        return rewriter.notifyMatchFailure(
            op, "its body holds an op that is not elementwise");
    ElementLoops(op, rewriter, VectorBits).run();
    rewriter.eraseOp(op);
    return success();
  }

  int64_t VectorBits;
};

/// A copy is the simplest of elementwise ops; its own lowering would call into
/// a runtime library.
struct CopyToLoops : OpRewritePattern<memref::CopyOp> {
  CopyToLoops(MLIRContext *context, int64_t vectorBits)
      : OpRewritePattern(context), VectorBits(vectorBits) {}

  LogicalResult matchAndRewrite(memref::CopyOp op,
                                PatternRewriter &rewriter) const override {
    if (!isa<MemRefType>(op.getSource().getType()) ||
        !isa<MemRefType>(op.getTarget().getType()))
      return rewriter.notifyMatchFailure(op, "copies memory without a rank");
    linalg::GenericOp copy = linalg::makeMemRefCopyOp(
        rewriter, op.getLoc(), op.getSource(), op.getTarget());
    ElementLoops(copy, rewriter, VectorBits).run();
    rewriter.eraseOp(copy);
    rewriter.eraseOp(op);
    return success();
  }

  int64_t VectorBits;
};

struct LowerElementwise : impl::LowerElementwiseBase<LowerElementwise> {
  using LowerElementwiseBase::LowerElementwiseBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ElementwiseToLoops, CopyToLoops>(&getContext(), vectorBits);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
} // namespace boo::compiler
