//===- ExpandMath.cpp - Elementary functions without libm -----------------===//
//
// Kernels import no symbol, so nothing may be left that the back end would turn
// into a call: what has no expansion is an error here, with its name, instead
// of one of the linker's.
//
//===----------------------------------------------------------------------===//

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

  Expand(MLIRContext *context, Formula formula, bool fma)
      : OpRewritePattern<OpTy>(context), Function(formula), Fma(fma) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!isF32OrF64(op.getType()))
      return rewriter.notifyMatchFailure(
          op, "is no f32 or f64, nor a vector of them");
    ExpandMathFormulas formulas(rewriter, op.getLoc(),
                                getElementTypeOrSelf(op.getType()), Fma);
    rewriter.replaceOp(op, (formulas.*Function)(op.getOperand()));
    return success();
  }

  Formula Function;
  bool Fma;
};

struct ExpandMath : impl::ExpandMathBase<ExpandMath> {
  using ExpandMathBase::ExpandMathBase;

  LogicalResult initialize(MLIRContext *context) override {
    using Formulas = ExpandMathFormulas;
    RewritePatternSet patterns(context);
    patterns.add<Expand<math::ErfOp>>(context, &Formulas::erf, fma);
    patterns.add<Expand<math::ExpOp>>(context, &Formulas::exp, fma);
    patterns.add<Expand<math::ExpM1Op>>(context, &Formulas::expm1, fma);
    patterns.add<Expand<math::LogOp>>(context, &Formulas::log, fma);
    patterns.add<Expand<math::Log1pOp>>(context, &Formulas::log1p, fma);
    patterns.add<Expand<math::TanhOp>>(context, &Formulas::tanh, fma);
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
