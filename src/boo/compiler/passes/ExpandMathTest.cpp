//===- ExpandMathTest.cpp - Accuracy of what the expansions compute -------===//
//
// Kernels of one op each go the whole road to a shared object, for every ISA of
// this machine, and their results are compared with wider arithmetic of the C
// library (functions) and with base/FloatConvert.h (conversions).
//
//===----------------------------------------------------------------------===//

#include "boo/abi/KernelAbi.h"
#include "boo/base/DynamicLibrary.h"
#include "boo/base/FloatConvert.h"
#include "boo/compiler/dialect/BooDialect.h"
#include "boo/compiler/emit/Emit.h"
#include "boo/compiler/kernels/KernelBuilder.h"
#include "boo/compiler/pipelines/Pipelines.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <random>
#include <stdlib.h>
#include <unistd.h>

using namespace mlir;
using namespace boo;
using namespace boo::compiler;

namespace {

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

using BuildOp = std::function<boo::compiler::Value(
    OpBuilder &, Location, Type result, boo::compiler::Value)>;

struct Kernel {
  std::string name;
  DType from, to;
  BuildOp build;
};

std::vector<Isa> isasHere() {
  std::vector<Isa> isas = {Isa::Generic};
  if (__builtin_cpu_supports("x86-64-v3"))
    isas.push_back(Isa::Avx2);
  if (__builtin_cpu_supports("x86-64-v4"))
    isas.push_back(Isa::Avx512);
  return isas;
}

int64_t vectorBitsOf(Isa isa) {
  return isa == Isa::Generic ? 128 : isa == Isa::Avx2 ? 256 : 512;
}

/// The kernel as code: dispatch 0 works on vectors, dispatch 1 on scalars.
class Compiled {
public:
  Compiled(const Kernel &kernel, Isa isa) { compile(kernel, isa); }

  template <typename In, typename Out>
  void run(std::vector<In> in, std::vector<Out> &out, bool scalars) const {
    int64_t lanes = scalars ? 1 : Lanes;
    int64_t tiles = (int64_t(in.size()) + lanes - 1) / lanes;
    size_t size = in.size();
    in.resize(size_t(tiles * lanes));
    out.assign(in.size(), Out(0));
    const void *inputs[] = {in.data()};
    void *outputs[] = {out.data()};
    boo_args args = {inputs, outputs, nullptr, nullptr, nullptr};
    boo_tile tile = {0, tiles, 0, nullptr};
    boo_dispatch_fn function = scalars ? OnScalars : OnVectors;
    ASSERT_NE(function, nullptr);
    EXPECT_EQ(function(&args, &tile), 0);
    out.resize(size);
  }

private:
  void compile(const Kernel &kernel, Isa isa) {
    DialectRegistry registry;
    registerDialects(registry);
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    context.loadAllAvailableDialects();
    OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
    KernelBuilder builder(*module);
    unsigned widest =
        std::max(builder.type(kernel.from).getIntOrFloatBitWidth(),
                 builder.type(kernel.to).getIntOrFloatBitWidth());
    Lanes = vectorBitsOf(isa) / widest;
    emit(builder, kernel, 0, Lanes);
    emit(builder, kernel, 1, 1);

    LoweringOptions options;
    options.vectorBits = vectorBitsOf(isa);
    options.fma = isa != Isa::Generic;
    options.hardwareF16 = isa != Isa::Generic;
    PassManager passes(&context);
    buildLoweringPipeline(passes, options);
    if (failed(passes.run(*module))) {
      ADD_FAILURE() << kernel.name << " does not lower";
      return;
    }
    auto object = emitObject(*module, Manifest(), Target{.isa = isa}, nullptr);
    ASSERT_TRUE(object.isOk()) << object.status().message();
    std::string path = testing::TempDir() + "boo-expand-XXXXXX";
    int file = mkstemp(path.data());
    ASSERT_GE(file, 0) << path;
    close(file);
    Status linked = linkShared(*object, path);
    auto library = DynamicLibrary::open(path);
    unlink(path.c_str());
    ASSERT_TRUE(linked.isOk()) << linked.message();
    ASSERT_TRUE(library.isOk()) << library.status().message();
    Library = std::move(*library);
    OnVectors =
        reinterpret_cast<boo_dispatch_fn>(Library.find("boo_dispatch_0"));
    OnScalars =
        reinterpret_cast<boo_dispatch_fn>(Library.find("boo_dispatch_1"));
  }

  static void emit(KernelBuilder &kernel, const Kernel &what, int64_t number,
                   int64_t lanes) {
    Type from = kernel.type(what.from), to = kernel.type(what.to);
    kernel.dispatch(number, [&](boo::compiler::Value tile) {
      OpBuilder &b = kernel.builder();
      Location loc = kernel.loc();
      auto in = kernel.buffer(ArgField::In, 0, from);
      auto out = kernel.buffer(ArgField::Out, 0, to);
      auto at = kernel.mul(tile, lanes);
      if (lanes == 1) {
        kernel.store(what.build(b, loc, to, kernel.load(in, at)), out, at);
        return;
      }
      auto x = vector::LoadOp::create(b, loc, VectorType::get({lanes}, from),
                                      in, at);
      auto y = what.build(b, loc, VectorType::get({lanes}, to), x);
      vector::StoreOp::create(b, loc, y, out, at);
    });
  }

  int64_t Lanes = 1;
  DynamicLibrary Library;
  boo_dispatch_fn OnVectors = nullptr, OnScalars = nullptr;
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

template <typename OpTy> BuildOp mathOp() {
  return [](OpBuilder &b, Location loc, Type, boo::compiler::Value x) {
    return boo::compiler::Value(OpTy::create(b, loc, x));
  };
}

struct Function {
  const char *name;
  BuildOp build;
  double (*forF32)(double);
  long double (*forF64)(long double);
  /// Interesting arguments lie within +-range.
  double range;
  double limitF32, limitF64;
};

[[maybe_unused]] void PrintTo(const Function &function, std::ostream *out) {
  *out << function.name;
}

/// exp(-|x|), which is told that its operand is not above 0.
boo::compiler::Value decay(OpBuilder &b, Location loc, Type,
                           boo::compiler::Value x) {
  Value size = math::AbsFOp::create(b, loc, x);
  auto exp = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, size));
  exp->setAttr(nonPositiveAttribute, b.getUnitAttr());
  return exp;
}

const Function Functions[] = {
    {"decay", decay, [](double x) { return std::exp(-std::fabs(x)); },
     [](long double x) { return std::exp(-std::fabs(x)); }, 750, 2, 4},
    {"erf", mathOp<math::ErfOp>(), erf, erfl, 7, 3, 4},
    {"exp", mathOp<math::ExpOp>(), exp, expl, 750, 2, 4},
    {"expm1", mathOp<math::ExpM1Op>(), expm1, expm1l, 750, 2, 4},
    {"log", mathOp<math::LogOp>(), log, logl, 4, 2, 4},
    {"log1p", mathOp<math::Log1pOp>(), log1p, log1pl, 4, 2, 4},
    {"tanh", mathOp<math::TanhOp>(), tanh, tanhl, 21, 3, 4}};

/// Distance in units of the last place that `T` has at the exact value; where
/// that overflows, infinity counts as the next power of two. Infinite when one
/// is a NaN, or a zero of the wrong sign.
template <typename T> double ulps(T got, long double exact) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(got))
    return std::isnan(exact) == std::isnan(got) ? 0 : INFINITY;
  if (std::signbit(got) != std::signbit(exact))
    return INFINITY;
  long double top = std::ldexp(1.0L, Limits::max_exponent);
  long double a = std::fmin(std::fabs((long double)(got)), top);
  long double b = std::fmin(std::fabs(exact), top);
  int exponent = b > 0 ? std::ilogb(std::fmin(b, (long double)(Limits::max())))
                       : Limits::min_exponent - 1;
  exponent = std::max(exponent, Limits::min_exponent - 1);
  return double(std::fabs(a - b) /
                std::ldexp(1.0L, exponent - Limits::digits + 1));
}

template <typename T> std::vector<T> specialValues() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values = {T(0),
                           Limits::infinity(),
                           Limits::quiet_NaN(),
                           Limits::denorm_min(),
                           Limits::denorm_min() * 3,
                           std::nextafter(Limits::min(), T(0)),
                           Limits::min(),
                           Limits::max(),
                           Limits::epsilon(),
                           T(1),
                           std::nextafter(T(1), T(0)),
                           std::nextafter(T(1), T(2)),
                           T(0.5),
                           T(2),
                           T(M_SQRT1_2),
                           T(M_SQRT2),
                           T(M_LN2),
                           T(M_LN2 / 2)};
  // Where exp overflows, becomes subnormal, and becomes 0.
  for (T edge :
       {std::log(Limits::max()), std::log(Limits::min()),
        std::log(Limits::denorm_min()), std::log(Limits::denorm_min() / 2)})
    for (T x = edge, i = 0; i < 9; ++i, x = std::nextafter(x, T(-9999)))
      values.push_back(x + (x - std::nextafter(x, T(9999))) * 4);
  size_t count = values.size();
  for (size_t i = 0; i != count; ++i)
    values.push_back(-values[i]);
  return values;
}

std::vector<float> f32Inputs() {
  std::vector<float> inputs = specialValues<float>();
  // Through all bit patterns; a prime stride meets every low part.
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 2003)
    inputs.push_back(std::bit_cast<float>(uint32_t(bits)));
  return inputs;
}

std::vector<double> f64Inputs(double range) {
  std::vector<double> inputs = specialValues<double>();
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> within(-range, range);
  for (int i = 0; i != 300000; ++i) {
    inputs.push_back(within(random));
    inputs.push_back(std::bit_cast<double>(random()));
    // From 2^-60 up to the range.
    inputs.push_back(within(random) * std::exp2(-double(random() % 60)));
  }
  return inputs;
}

template <typename T> struct Worst {
  double ulps = 0;
  T at = 0, got = 0;
};

template <typename T>
Worst<T> measure(const Compiled &code, const std::vector<T> &inputs,
                 const std::vector<long double> &exact, bool scalars) {
  Worst<T> worst;
  std::vector<T> outputs;
  code.run(inputs, outputs, scalars);
  for (size_t i = 0; i != outputs.size(); ++i)
    if (double distance = ulps(outputs[i], exact[i]); distance > worst.ulps)
      worst = {distance, inputs[i], outputs[i]};
  return worst;
}

template <typename T>
void check(const Function &function, DType type, double limit,
           const std::vector<T> &inputs,
           const std::vector<long double> &exact) {
  for (Isa isa : isasHere()) {
    Compiled code({function.name, type, type, function.build}, isa);
    for (bool scalars : {false, true}) {
      Worst<T> worst = measure(code, inputs, exact, scalars);
      std::string label = std::string(isaName(isa)) +
                          (scalars ? " scalar" : " vector") + " " +
                          std::string(dtypeName(type));
      printf("%-6s %-20s %.2f ulp at %a\n", function.name, label.c_str(),
             worst.ulps, double(worst.at));
      EXPECT_LE(worst.ulps, limit)
          << function.name << " " << label << " of " << double(worst.at)
          << " is " << double(worst.got);
    }
  }
}

class ExpandMathTest : public testing::TestWithParam<Function> {};

TEST_P(ExpandMathTest, F32) {
  const Function &function = GetParam();
  std::vector<float> inputs = f32Inputs();
  std::vector<long double> exact;
  for (float x : inputs)
    exact.push_back(function.forF32(x));
  check(function, DType::F32, function.limitF32, inputs, exact);
}

TEST_P(ExpandMathTest, F64) {
  const Function &function = GetParam();
  std::vector<double> inputs = f64Inputs(function.range);
  std::vector<long double> exact;
  for (double x : inputs)
    exact.push_back(function.forF64(x));
  check(function, DType::F64, function.limitF64, inputs, exact);
}

INSTANTIATE_TEST_SUITE_P(All, ExpandMathTest, testing::ValuesIn(Functions),
                         [](const auto &info) { return info.param.name; });

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

struct Format {
  const char *name;
  DType type;
  uint16_t (*narrow)(double);
  double (*widen)(uint16_t);
};

// What ctest calls a case.
[[maybe_unused]] void PrintTo(const Format &format, std::ostream *out) {
  *out << format.name;
}

class ExpandFloatConversionsTest : public testing::TestWithParam<Format> {};

BuildOp castOp(bool widen) {
  return [widen](OpBuilder &b, Location loc, Type to, boo::compiler::Value x) {
    if (widen)
      return boo::compiler::Value(arith::ExtFOp::create(b, loc, to, x));
    return boo::compiler::Value(arith::TruncFOp::create(b, loc, to, x));
  };
}

template <typename T> void checkWidening(const Format &format, DType to) {
  std::vector<uint16_t> inputs;
  for (uint32_t bits = 0; bits != 1u << 16; ++bits)
    inputs.push_back(uint16_t(bits));
  for (Isa isa : isasHere()) {
    Compiled code({"widen", format.type, to, castOp(true)}, isa);
    for (bool scalars : {false, true}) {
      std::vector<T> outputs;
      code.run(inputs, outputs, scalars);
      for (size_t i = 0; i != outputs.size(); ++i) {
        double exact = format.widen(inputs[i]);
        ASSERT_EQ(std::signbit(outputs[i]), std::signbit(exact)) << i;
        ASSERT_TRUE(outputs[i] == exact ||
                    (std::isnan(outputs[i]) && std::isnan(exact)))
            << isaName(isa) << " " << std::hex << inputs[i] << " became "
            << double(outputs[i]);
      }
    }
  }
}

/// Values between neighbours of the format: ties, what lies next to them by a
/// bit of T or less, the neighbours themselves, and random ones.
template <typename T> std::vector<T> betweenNeighbours(const Format &format) {
  std::vector<T> values = specialValues<T>();
  std::mt19937_64 random(2);
  for (uint32_t bits = 0; bits != 1u << 16; ++bits) {
    double low = format.widen(uint16_t(bits));
    double high = format.widen(uint16_t(bits + 1));
    if (std::isnan(low))
      continue;
    // Above the largest finite value: as if there were one more.
    if (std::isinf(high))
      high = 2 * low - format.widen(uint16_t(bits - 1));
    T tie = T(low / 2 + high / 2);
    T share = T(random() >> 11) * T(0x1p-53);
    for (T value :
         {T(low), tie, std::nextafter(tie, T(low)),
          std::nextafter(tie, T(high)),
          // Beside the tie by less than an f32 shows, but not by a last bit.
          T(double(tie) + (high - low) * 0x1p-30),
          T(double(tie) - (high - low) * 0x1p-30),
          T(low + double(share) * (high - low))})
      values.push_back(value);
  }
  for (int i = 0; i != 100000; ++i) {
    uint64_t raw = random();
    if constexpr (sizeof(T) == 4)
      values.push_back(std::bit_cast<T>(uint32_t(raw)));
    else
      values.push_back(std::bit_cast<T>(raw));
  }
  return values;
}

template <typename T> void checkNarrowing(const Format &format, DType from) {
  std::vector<T> inputs = betweenNeighbours<T>(format);
  for (Isa isa : isasHere()) {
    Compiled code({"narrow", from, format.type, castOp(false)}, isa);
    for (bool scalars : {false, true}) {
      std::vector<uint16_t> outputs;
      code.run(inputs, outputs, scalars);
      for (size_t i = 0; i != outputs.size(); ++i)
        ASSERT_EQ(outputs[i], format.narrow(double(inputs[i])))
            << isaName(isa) << (scalars ? " scalar " : " vector ")
            << double(inputs[i]);
    }
  }
}

TEST_P(ExpandFloatConversionsTest, WidensToF32) {
  checkWidening<float>(GetParam(), DType::F32);
}
TEST_P(ExpandFloatConversionsTest, WidensToF64) {
  checkWidening<double>(GetParam(), DType::F64);
}
TEST_P(ExpandFloatConversionsTest, NarrowsF32) {
  checkNarrowing<float>(GetParam(), DType::F32);
}
TEST_P(ExpandFloatConversionsTest, NarrowsF64Once) {
  checkNarrowing<double>(GetParam(), DType::F64);
}

INSTANTIATE_TEST_SUITE_P(
    All, ExpandFloatConversionsTest,
    testing::Values(Format{"f16", DType::F16, toFloat16Bits, fromFloat16Bits},
                    Format{"bf16", DType::BF16, toBfloat16Bits,
                           fromBfloat16Bits}),
    [](const auto &info) { return info.param.name; });

} // namespace
