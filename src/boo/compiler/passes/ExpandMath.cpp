//===- ExpandMath.cpp - Elementary functions without libm -----------------===//
//
// Kernels import no symbol, so nothing may be left that the back end would turn
// into a call: what has no expansion is an error here, with its name, instead
// of one of the linker's.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/passes/ExpandMathFormulas.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_EXPANDMATH
#include "boo/compiler/passes/Passes.h.inc"

namespace {

bool isF32OrF64(Type type) {
  if (isa<ShapedType>(type) && !isa<VectorType>(type))
    return false;
  Type element = getElementTypeOrSelf(type);
  return element.isF32() || element.isF64();
}

template <typename OpTy> struct Expand : OpRewritePattern<OpTy> {
  using Formula = Value (ExpandMathFormulas::*)(Value);

  Expand(MLIRContext *context, Formula formula, bool fma, bool scalef)
      : OpRewritePattern<OpTy>(context), Function(formula), Fma(fma),
        Scalef(scalef) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!isF32OrF64(op.getType()))
      return rewriter.notifyMatchFailure(
          op, "is no f32 or f64, nor a vector of them");
    ExpandMathFormulas formulas(
        rewriter, op.getLoc(), getElementTypeOrSelf(op.getType()), Fma, Scalef);
    Formula formula = op->hasAttr(nonPositiveAttribute)
                          ? &ExpandMathFormulas::expOfNonPositive
                          : Function;
    rewriter.replaceOp(op, (formulas.*formula)(op.getOperand()));
    return success();
  }

  Formula Function;
  bool Fma, Scalef;
};

struct ExpandMath : impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;

  LogicalResult initialize(MLIRContext *context) override {
    using Formulas = ExpandMathFormulas;
    RewritePatternSet patterns(context);
    addPattern<math::ErfOp>(patterns, &Formulas::erf);
    addPattern<math::ExpOp>(patterns, &Formulas::exp);
    addPattern<math::ExpM1Op>(patterns, &Formulas::expm1);
    addPattern<math::LogOp>(patterns, &Formulas::log);
    addPattern<math::Log1pOp>(patterns, &Formulas::log1p);
    addPattern<math::TanhOp>(patterns, &Formulas::tanh);
    Patterns = std::move(patterns);
    return success();
  }

  void runOnOperation() override {
    walkAndApplyPatterns(getOperation(), Patterns);
    WalkResult left = getOperation()->walk([&](Operation *op) {
      if (!isa<math::MathDialect>(op->getDialect()) || isInstruction(op))
        return WalkResult::advance();
      op->emitError("boo-expand-math: ")
          << op->getName() << " on " << op->getOperand(0).getType()
          << " has no expansion and would call a library";
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }

private:
  template <typename OpTy>
  void addPattern(RewritePatternSet &patterns,
                  typename Expand<OpTy>::Formula formula) {
    patterns.add<Expand<OpTy>>(patterns.getContext(), formula, fma, scalef);
  }
  bool isInstruction(Operation *op) const {
    if (isa<math::FmaOp>(op) && !fma)
      return false;
    return isa<math::AbsFOp, math::CopySignOp, math::FmaOp, math::SqrtOp>(op) &&
           isF32OrF64(op->getResult(0).getType());
  }

  FrozenRewritePatternSet Patterns;
};

} // namespace
} // namespace boo::compiler
