//===- ExpandFloatConversions.cpp - 16-bit floats by integer arithmetic ---===//
//
// The back end's own ways flush subnormals (vcvtneps2bf16, which only kernels
// take whose products flush them, too), round twice or call libgcc. Comparisons
// of magnitudes are signed: SSE2 has no others, and a magnitude has no sign
// bit.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/passes/ExpandMathBuilder.h"
#include "boo/compiler/passes/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace boo::compiler {
#define GEN_PASS_DEF_EXPANDFLOATCONVERSIONS
#include "boo/compiler/passes/Passes.h.inc"

namespace {

constexpr int64_t F32Sign = 0x80000000, F32Magnitude = 0x7fffffff;
constexpr int64_t F32Infinity = 0x7f800000;

/// The conversions, each on scalars or vectors.
struct Conversions : ExpandMathBuilder {
  Conversions(PatternRewriter &rewriter, Location loc)
      : ExpandMathBuilder(rewriter, loc), I16(rewriter.getI16Type()),
        I32(rewriter.getI32Type()), F16(rewriter.getF16Type()),
        BF16(rewriter.getBF16Type()), F32(rewriter.getF32Type()) {}

  /// A bf16 is the upper half of an f32.
  Value bf16ToF32(Value x) {
    Value wide = convert<arith::ExtUIOp>(I32, bits(x));
    return bitcast(F32, shiftLeft(wide, 16));
  }

  Value f32ToBf16(Value x) {
    Value all = bits(x);
    // Half of the last bit, less one when that bit is even: a tie stays below.
    // The carry runs into the exponent, up to infinity, as it should.
    Value odd = bitAnd(shiftRight(all, 16), 1);
    Value rounded = shiftRight(addInt(addInt(all, odd), 0x7fff), 16);
    Value quiet = bitOr(shiftRight(all, 16), 0x40);
    Value isNan = compare(Predicate::UNO, x, x);
    return bitcast(
        BF16, convert<arith::TruncIOp>(I16, select(isNan, quiet, rounded)));
  }

  Value f16ToF32(Value x) {
    Value wide = convert<arith::ExtUIOp>(I32, bits(x));
    Value magnitude = bitAnd(wide, 0x7fff);
    Value moved = shiftLeft(magnitude, 13);
    // The exponent's bias is 127 instead of 15.
    Value normal = addInt(moved, int64_t(127 - 15) << 23);
    Value special = bitOr(moved, F32Infinity);
    // A subnormal's fraction is put behind the hidden bit of 2^-14, which is
    // then taken away: the subtraction normalises it, exactly.
    Value hidden = bitcast(F32, addInt(moved, int64_t(127 - 14) << 23));
    Value subnormal = bits(sub(hidden, 0x1p-14));
    Value result = select(compareInt(IntPredicate::slt, magnitude, 0x0400),
                          subnormal, normal);
    result = select(compareInt(IntPredicate::sgt, magnitude, 0x7bff), special,
                    result);
    Value sign = shiftLeft(bitAnd(wide, 0x8000), 16);
    return bitcast(F32, bitOr(result, sign));
  }

  Value f32ToF16(Value x) {
    Value all = bits(x);
    Value magnitude = bitAnd(all, F32Magnitude);
    Value odd = bitAnd(shiftRight(magnitude, 13), 1);
    Value rebiased = subInt(magnitude, int64_t(127 - 15) << 23);
    Value normal = shiftRight(addInt(addInt(rebiased, odd), 0xfff), 13);
    // In [0.5, 1) an f32 steps by 2^-24 as subnormals of f16 do, so the
    // addition rounds to them.
    Value shifted = bits(add(bitcast(F32, magnitude), 0.5));
    Value subnormal = subInt(shifted, 0x3f000000);
    Value quiet = bitOr(bitAnd(shiftRight(magnitude, 13), 0x7fff), 0x7e00);
    Value result = select(compareInt(IntPredicate::slt, magnitude, 0x38800000),
                          subnormal, normal);
    // From 65520, half a step above the largest f16.
    result = select(compareInt(IntPredicate::sgt, magnitude, 0x477fefff),
                    ci(magnitude.getType(), 0x7c00), result);
    result = select(compareInt(IntPredicate::sgt, magnitude, F32Infinity),
                    quiet, result);
    Value sign = shiftRight(bitAnd(all, F32Sign), 16);
    return bitcast(F16, convert<arith::TruncIOp>(I16, bitOr(result, sign)));
  }

  /// The nearest f32 towards zero, with its last bit set if that was inexact
  /// ("round to odd"): rounding on to a float of at least two bits less then
  /// gives what rounding once would have given.
  Value f64ToOddF32(Value x) {
    Value nearest = convert<arith::TruncFOp>(F32, x);
    Value back = convert<arith::ExtFOp>(x.getType(), nearest);
    // Ordered: a NaN keeps its bits.
    Value inexact = compare(Predicate::ONE, back, x);
    Value away = compare(Predicate::OGT, abs(back), abs(x));
    Value all = bits(nearest);
    Value odd = bitOr(select(away, subInt(all, 1), all), 1);
    return bitcast(F32, select(inexact, odd, all));
  }

  Type I16, I32, F16, BF16, F32;
};

struct ExpandExtF : OpRewritePattern<arith::ExtFOp> {
  ExpandExtF(MLIRContext *context, bool hardwareF16)
      : OpRewritePattern(context), HardwareF16(hardwareF16) {}

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn().getType());
    Type to = getElementTypeOrSelf(op.getType());
    if (!from.isF16() && !from.isBF16())
      return rewriter.notifyMatchFailure(op, "does not widen f16 or bf16");
    if (!to.isF32() && !to.isF64())
      return rewriter.notifyMatchFailure(op, "widens to neither f32 nor f64");
    if (from.isF16() && to.isF32() && HardwareF16)
      return rewriter.notifyMatchFailure(op, "the target has an instruction");
    Conversions by(rewriter, op.getLoc());
    Value x = op.getIn();
    if (from.isBF16())
      x = by.bf16ToF32(x);
    else if (HardwareF16)
      x = by.convert<arith::ExtFOp>(by.F32, x);
    else
      x = by.f16ToF32(x);
    if (to.isF64())
      x = by.convert<arith::ExtFOp>(to, x);
    rewriter.replaceOp(op, x);
    return success();
  }

  bool HardwareF16;
};

/// AVX512-BF16's conversion of a vector, where there is one of its length: the
/// nearest bf16 in one instruction, subnormals as zeros.
Value narrowInHardware(PatternRewriter &rewriter, Location loc, Value x) {
  auto type = dyn_cast<VectorType>(x.getType());
  if (!type || !type.getElementType().isF32() || type.getRank() != 1 ||
      (type.getNumElements() != 16 && type.getNumElements() != 8))
    return {};
  int64_t bits = 32 * type.getNumElements();
  std::string name = "llvm.x86.avx512bf16.cvtneps2bf16." + std::to_string(bits);
  return LLVM::CallIntrinsicOp::create(
             rewriter, loc, type.clone(rewriter.getBF16Type()),
             rewriter.getStringAttr(name), ValueRange{x})
      .getResult(0);
}

struct ExpandTruncF : OpRewritePattern<arith::TruncFOp> {
  ExpandTruncF(MLIRContext *context, bool hardwareF16, bool flushingBf16)
      : OpRewritePattern(context), HardwareF16(hardwareF16),
        FlushingBf16(flushingBf16) {}

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn().getType());
    Type to = getElementTypeOrSelf(op.getType());
    if (!to.isF16() && !to.isBF16())
      return rewriter.notifyMatchFailure(op, "does not narrow to f16 or bf16");
    if (!from.isF32() && !from.isF64())
      return rewriter.notifyMatchFailure(op, "narrows neither f32 nor f64");
    if (op.getRoundingmode().value_or(arith::RoundingMode::to_nearest_even) !=
        arith::RoundingMode::to_nearest_even)
      return rewriter.notifyMatchFailure(op, "does not round to nearest even");
    if (to.isF16() && from.isF32() && HardwareF16)
      return rewriter.notifyMatchFailure(op, "the target has an instruction");
    Conversions by(rewriter, op.getLoc());
    Value x = op.getIn();
    if (from.isF64())
      x = by.f64ToOddF32(x);
    Value narrow;
    if (to.isBF16() && FlushingBf16)
      narrow = narrowInHardware(rewriter, op.getLoc(), x);
    if (narrow)
      x = narrow;
    else if (to.isBF16())
      x = by.f32ToBf16(x);
    else if (HardwareF16)
      x = by.convert<arith::TruncFOp>(by.F16, x);
    else
      x = by.f32ToF16(x);
    rewriter.replaceOp(op, x);
    return success();
  }

  bool HardwareF16, FlushingBf16;
};

struct ExpandFloatConversions
    : impl::ExpandFloatConversionsBase<ExpandFloatConversions> {
  using ExpandFloatConversionsBase::ExpandFloatConversionsBase;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet patterns(context);
    patterns.add<ExpandExtF>(context, hardwareF16);
    patterns.add<ExpandTruncF>(context, hardwareF16, flushingBf16);
    Patterns = std::move(patterns);
    return success();
  }

  void runOnOperation() override {
    walkAndApplyPatterns(getOperation(), Patterns);
    // What is left would flush, round otherwise than asked, or call libgcc.
    WalkResult left = getOperation()->walk([&](Operation *op) {
      if (!isa<arith::ExtFOp, arith::TruncFOp>(op) || isLegal(op))
        return WalkResult::advance();
      op->emitError("boo-expand-float-conversions: no expansion from ")
          << op->getOperand(0).getType() << " to " << op->getResult(0).getType()
          << (op->hasAttr("roundingmode") ? " in this rounding mode" : "");
      return WalkResult::interrupt();
    });
    if (left.wasInterrupted())
      signalPassFailure();
  }

private:
  bool isLegal(Operation *op) const {
    Type from = getElementTypeOrSelf(op->getOperand(0).getType());
    Type to = getElementTypeOrSelf(op->getResult(0).getType());
    unsigned bits = from.getIntOrFloatBitWidth() + to.getIntOrFloatBitWidth();
    if (op->hasAttr("roundingmode") &&
        cast<arith::TruncFOp>(op).getRoundingmode() !=
            arith::RoundingMode::to_nearest_even)
      return false;
    return bits == 32 + 64 ||
           (bits == 16 + 32 && hardwareF16 && (from.isF16() || to.isF16()));
  }

  FrozenRewritePatternSet Patterns;
};

} // namespace
} // namespace boo::compiler
