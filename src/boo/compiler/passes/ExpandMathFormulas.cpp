//===- ExpandMathFormulas.cpp - Elementary functions as arithmetic --------===//
//
// The polynomials and why they have this form: fit/fit_math.py. Comparisons are
// ordered and choose the constant, so that a NaN takes the way of the formula
// and comes out as one.
//
//===----------------------------------------------------------------------===//

#include "boo/compiler/passes/ExpandMathFormulas.h"
#include "boo/compiler/passes/ExpandMathCoefficients.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace boo::compiler {

static constexpr double Infinity = std::numeric_limits<double>::infinity();
static constexpr double Log2E = 0x1.71547652b82fep+0;

ExpandMathFormulas::ExpandMathFormulas(OpBuilder &builder, Location loc,
                                       Type element, bool fma, bool scalef)
    : ExpandMathBuilder(builder, loc, fma), Scalef(scalef),
      Table(element.isF32() ? F32Coefficients : F64Coefficients),
      MantissaBits(element.isF32() ? 23 : 52),
      Bias(element.isF32() ? 127 : 1023),
      Magic(element.isF32() ? 0x1.8p+23 : 0x1.8p+52),
      ExpLow(element.isF32() ? -104 : -745.5),
      ExpHigh(element.isF32() ? 89 : 710),
      Expm1Low(element.isF32() ? -18 : -38),
      Expm1High(element.isF32() ? 20 : 40),
      MinNormal(element.isF32() ? 0x1p-126 : 0x1p-1022) {}

/// 2^n by the bits whose lowest ones are n + Bias, the exponent of a normal
/// number.
Value ExpandMathFormulas::powerOfTwo(Type type, Value biased) {
  return bitcast(type, shiftLeft(biased, MantissaBits));
}

Value ExpandMathFormulas::scalef(Value x, Value n) {
  auto vector = dyn_cast<VectorType>(x.getType());
  if (!Scalef || !vector || vector.getRank() != 1 ||
      vector.getNumElements() * vector.getElementTypeBitWidth() != 512)
    return nullptr;
  bool isF32 = vector.getElementType().isF32();
  Type maskType = builder().getIntegerType(unsigned(vector.getNumElements()));
  constexpr int64_t currentRounding = 4;
  Value all = ci(maskType, -1);
  Value rounding = ci(builder().getI32Type(), currentRounding);
  return LLVM::CallIntrinsicOp::create(
             builder(), location(), vector,
             builder().getStringAttr(
                 isF32 ? "llvm.x86.avx512.mask.scalef.ps.512"
                       : "llvm.x86.avx512.mask.scalef.pd.512"),
             ValueRange{x, n, x, all, rounding})
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// exp, expm1, and what they carry: tanh and erf
//===----------------------------------------------------------------------===//

ExpandMathFormulas::Reduced ExpandMathFormulas::reduce(Value x,
                                                       int64_t offset) {
  double magic = Magic + double(offset);
  Value sum = mulAdd(x, Log2E, c(x.getType(), magic));
  Value n = sub(sum, magic);
  Value first = mulAdd(n, -Table.ln2High, x); // exact
  return {n, bits(sum), mulAdd(n, -Table.ln2Low, first), first};
}

Value ExpandMathFormulas::expOfReduced(Value r) {
  Value square = mul(r, r);
  return add(mulAdd(square, polynomial(r, Table.exp), r), 1.0);
}

Value ExpandMathFormulas::exp(Value x) {
  auto [n, biased, r, first] = reduce(clamp(x, ExpLow, ExpHigh), 2 * Bias);
  Value y = expOfReduced(r);
  if (Value scaled = scalef(y, n))
    return scaled;
  // In two steps: 2^n alone may be too large or too small, and only the second
  // may round, to a subnormal.
  Type type = y.getType();
  Value half = shiftRight(biased, 1);
  return mul(mul(y, powerOfTwo(type, half)),
             powerOfTwo(type, subInt(biased, half)));
}

Value ExpandMathFormulas::expOfNonPositive(Value x) {
  constexpr int64_t lift = 64; // the second step, if none is above 1
  auto [n, biased, r, first] = reduce(atLeast(x, ExpLow), Bias + lift);
  Value y = expOfReduced(r);
  if (Value scaled = scalef(y, n))
    return scaled;
  return mul(mul(y, powerOfTwo(y.getType(), biased)),
             std::ldexp(1.0, -int(lift)));
}

/// For ExpLow <= x <= ExpHigh. The sign of a zero is lost.
Value ExpandMathFormulas::expm1InRange(Value x) {
  auto [n, biased, r, first] = reduce(x, Bias - 1);
  // For n = 1 and negative r the result is smaller than the terms: what r's
  // rounding lost would show.
  Value rest = mulAdd(n, -Table.ln2Low, sub(first, r));
  rest = mulAdd(r, rest, rest);
  Value square = mul(r, r);
  Value p = add(r, mulAdd(square, polynomial(r, Table.exp), rest));
  // 2^n * p + 2^n - 1, halved: 2^n itself may be too large.
  Value scale = powerOfTwo(p.getType(), biased);
  Value scaled = mul(mulAdd(scale, p, sub(scale, 0.5)), 2.0);
  // Halving would cost a subnormal its last bit.
  return select(compare(Predicate::OEQ, n, 0.0), p, scaled);
}

Value ExpandMathFormulas::expm1(Value x) {
  Value result = expm1InRange(clamp(x, Expm1Low, ExpHigh));
  return select(compare(Predicate::OEQ, x, 0.0), x, result);
}

/// With e = expm1(2 |x|): e / (e + 2).
Value ExpandMathFormulas::tanh(Value x) {
  Value twice = mul(abs(x), 2.0);
  Value high = c(x.getType(), Expm1High);
  twice = select(compare(Predicate::OGT, twice, high), high, twice);
  Value e = expm1InRange(twice);
  return copySign(div(e, add(e, 2.0)), x);
}

/// -expm1(-(|x| + |x| M(|x|)))
Value ExpandMathFormulas::erf(Value x) {
  Value high = c(x.getType(), Table.erfLimit);
  Value size = abs(x);
  size = select(compare(Predicate::OGT, size, high), high, size);
  Value exponent = mulAdd(size, polynomial(size, Table.erf), size);
  return copySign(expm1InRange(negate(exponent)), x);
}

//===----------------------------------------------------------------------===//
// log and log1p
//===----------------------------------------------------------------------===//

/// For positive, normal x. Nothing is rounded.
ExpandMathFormulas::Split ExpandMathFormulas::split(Value x) {
  const bool isF32 = MantissaBits == 23;
  const int64_t one = Bias << MantissaBits;
  const int64_t sqrtHalf = isF32 ? 0x3f3504f3 : 0x3fe6a09e667f3bcd;
  // Exponents now change at sqrt(1/2) instead of 1.
  Value shifted = addInt(bits(x), one - sqrtHalf);
  Value mantissa = bitAnd(shifted, (int64_t(1) << MantissaBits) - 1);
  mantissa = bitcast(x.getType(), addInt(mantissa, sqrtHalf));
  // As the lowest bits of a float of known exponent: not every ISA converts
  // vectors of 64-bit integers.
  const double base = std::ldexp(1.0, int(MantissaBits));
  Value biased = bitOr(shiftRight(shifted, MantissaBits), (Bias + MantissaBits)
                                                              << MantissaBits);
  return {sub(bitcast(x.getType(), biased), base + double(Bias)),
          sub(mantissa, 1.0)};
}

/// exponent * log(2) + log(1 + f) + rest. With s = f / (2 + f) and h = f^2 / 2,
/// log(1 + f) = 2 s + s z P(z) = f - (h - s (h + z P(z))): f, the largest term,
/// is exact.
Value ExpandMathFormulas::logOf(Split x, Value rest) {
  auto [e, f] = x;
  Value s = div(f, add(f, 2.0));
  Value z = mul(s, s);
  Value h = mul(mul(f, f), 0.5);
  Value sum = mulAdd(z, polynomial(z, Table.log), h);
  rest = mulAdd(e, Table.ln2Low, rest);
  Value fromOne = sub(f, sub(h, mulAdd(s, sum, rest)));
  return mulAdd(e, Table.ln2High, fromOne);
}

Value ExpandMathFormulas::log(Value x) {
  Type type = x.getType();
  Value small = compare(Predicate::OLT, x, MinNormal);
  Value scaled = mul(x, std::ldexp(1.0, int(MantissaBits) + 1));
  Split parts = split(select(small, scaled, x));
  parts.exponent = select(small, sub(parts.exponent, double(MantissaBits + 1)),
                          parts.exponent);
  Value result = logOf(parts, c(type, 0.0));
  // Infinity and NaN are their own logarithms.
  result = select(compare(Predicate::OLT, x, Infinity), result, x);
  result = select(compare(Predicate::OLT, x, 0.0), c(type, NAN), result);
  return select(compare(Predicate::OEQ, x, 0.0), c(type, -Infinity), result);
}

/// log(u) + lost / u, where u + lost is 1 + x without rounding.
Value ExpandMathFormulas::log1p(Value x) {
  Type type = x.getType();
  Value u = add(x, 1.0);
  Value part = sub(u, 1.0);
  Value lost = add(sub(c(type, 1.0), sub(u, part)), sub(x, part));
  Split parts = split(u);
  // Near 0 the fraction is x itself, and nothing is lost.
  Value near = compare(Predicate::OEQ, parts.exponent, 0.0);
  parts.fraction = select(near, x, parts.fraction);
  Value result = logOf(parts, select(near, c(type, 0.0), div(lost, u)));
  result = select(compare(Predicate::OLT, x, Infinity), result, x);
  result = select(compare(Predicate::OEQ, x, 0.0), x, result);
  result = select(compare(Predicate::OLT, x, -1.0), c(type, NAN), result);
  return select(compare(Predicate::OEQ, x, -1.0), c(type, -Infinity), result);
}

} // namespace boo::compiler
