//===- FunctionsTest.cpp - Values and error bounds of each function -------===//

#include "boo/ops/pointwise/Pointwise.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace boo;

namespace {

constexpr double NaN = std::numeric_limits<double>::quiet_NaN();
constexpr double Inf = std::numeric_limits<double>::infinity();

double value(PointwiseFn fn, std::vector<double> x,
             std::vector<double> p = {}) {
  return pointwiseValue(fn, x.data(), p.data());
}

std::vector<PointwiseFn> allFns() {
  return {
#define BOO_POINTWISE(name, spelling, operands, parameters) PointwiseFn::name,
#include "boo/graph/PointwiseFns.inc"
  };
}

TEST(PointwiseFunctions, Values) {
  using enum PointwiseFn;
  EXPECT_EQ(value(Add, {1, 2}), 3);
  EXPECT_EQ(value(Sub, {1, 2}), -1);
  EXPECT_EQ(value(Mul, {3, 2}), 6);
  EXPECT_EQ(value(Div, {3, 2}), 1.5);
  EXPECT_EQ(value(Maximum, {3, 2}), 3);
  EXPECT_EQ(value(Minimum, {3, 2}), 2);
  EXPECT_EQ(value(Neg, {3}), -3);
  EXPECT_EQ(value(Abs, {-3}), 3);
  EXPECT_EQ(value(Sqrt, {9}), 3);
  EXPECT_DOUBLE_EQ(value(Exp, {1}), M_E);
  EXPECT_DOUBLE_EQ(value(Log, {M_E}), 1);
  EXPECT_EQ(value(Relu, {-1}), 0);
  EXPECT_EQ(value(Relu6, {7}), 6);
  EXPECT_EQ(value(LeakyRelu, {-2}, {0.25}), -0.5);
  EXPECT_DOUBLE_EQ(value(Elu, {-1}, {2}), 2 * (1 / M_E - 1));
  EXPECT_EQ(value(Clamp, {5}, {-1, 2}), 2);
  EXPECT_DOUBLE_EQ(value(Sigmoid, {1}), 1 / (1 + 1 / M_E));
  EXPECT_EQ(value(Sigmoid, {-1000}), 0);
  EXPECT_DOUBLE_EQ(value(Tanh, {1}), std::tanh(1));
  // torch.nn.functional.gelu(torch.tensor([1., -2.]).double())
  EXPECT_NEAR(value(Gelu, {1}), 0.8413447460685429, 1e-15);
  EXPECT_NEAR(value(Gelu, {-2}), -0.04550026389635842, 1e-16);
  EXPECT_NEAR(value(GeluTanh, {1}), 0.8411919906082768, 1e-15);
  EXPECT_DOUBLE_EQ(value(Silu, {2}), 2 / (1 + std::exp(-2)));
  EXPECT_DOUBLE_EQ(value(Softplus, {0}), std::log(2));
  EXPECT_EQ(value(Softplus, {1000}), 1000);
  EXPECT_EQ(value(HardSigmoid, {0}), 0.5);
  EXPECT_EQ(value(HardSwish, {-3}), 0);
  EXPECT_EQ(value(HardSwish, {1}), 4.0 / 6);
  EXPECT_EQ(value(Scale, {3}, {2, 1}), 7);
  EXPECT_EQ(value(Pow, {-3}, {3}), -27);
  EXPECT_EQ(value(Pow, {4}, {-0.5}), 0.5);
  EXPECT_EQ(value(Pow, {0}, {0}), 1);
  EXPECT_EQ(value(Pow, {0}, {-1}), Inf);
  EXPECT_TRUE(std::isnan(value(Pow, {-3}, {0.5})));
  EXPECT_TRUE(std::isnan(value(Pow, {-Inf}, {2.5})));
}

TEST(PointwiseFunctions, GateIsOpenBetweenItsEnds) {
  auto gate = [](double x, double min, double max) {
    return value(PointwiseFn::Gate, {5, x}, {min, max});
  };
  EXPECT_EQ(gate(0, 0, 1), 0);
  EXPECT_EQ(gate(0.5, 0, 1), 5);
  EXPECT_EQ(gate(1, 0, 1), 5);
  EXPECT_EQ(gate(2, 0, 1), 0);
  EXPECT_EQ(gate(Inf, 0, Inf), 5);
  EXPECT_EQ(gate(-Inf, -Inf, 0), 5);
  EXPECT_TRUE(std::isnan(gate(NaN, 0, 1)));
  // What is shut out is no NaN.
  EXPECT_EQ(value(PointwiseFn::Gate, {NaN, -1}, {0, 1}), 0);
  // Near an end either may come out.
  double x[2] = {5, 0.25}, e[2] = {0, 0.5}, p[2] = {0, 1};
  EXPECT_GE(pointwiseError(PointwiseFn::Gate, x, e, p, 5, DType::F32), 5);
  e[1] = 0.125;
  EXPECT_LT(pointwiseError(PointwiseFn::Gate, x, e, p, 5, DType::F32), 1e-6);
}

TEST(PointwiseFunctions, NaNsPropagateFromEveryOperand) {
  for (PointwiseFn fn : allFns())
    for (int i = 0; i != pointwiseFnOperands(fn); ++i) {
      std::vector<double> x = {1, 1}, p = {0.5, 2}, e = {0, 0};
      x[size_t(i)] = NaN;
      double v = value(fn, x, p);
      EXPECT_TRUE(std::isnan(v)) << pointwiseFnName(fn);
      // Certain, so a kernel is held to it.
      EXPECT_EQ(pointwiseError(fn, x.data(), e.data(), p.data(), v, DType::F32),
                0)
          << pointwiseFnName(fn);
    }
}

/// What a kernel in f32 computes from operands within the errors is within the
/// bound.
TEST(PointwiseFunctions, BoundsHoldForPerturbedOperands) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (PointwiseFn fn : allFns()) {
    int known = 0;
    for (int round = 0; round != 20000; ++round) {
      double range = std::pow(10.0, 2.5 * unit(random));
      double x[2], e[2], y[2], p[2] = {unit(random), unit(random)};
      if (fn == PointwiseFn::Clamp && p[0] > p[1])
        std::swap(p[0], p[1]);
      for (int i = 0; i != 2; ++i) {
        x[i] = float(range * unit(random));
        e[i] = round % 2 ? 0
                         : std::fabs(x[i]) * std::pow(10, 4 * unit(random) - 4);
        // What a kernel has is an f32 too.
        y[i] = float(x[i] + e[i] * unit(random));
        e[i] = std::max(e[i], std::fabs(y[i] - x[i]));
      }
      double v = pointwiseValue(fn, x, p);
      double error = pointwiseError(fn, x, e, p, v, DType::F32);
      ASSERT_FALSE(std::isnan(error)) << pointwiseFnName(fn);
      if (std::isinf(error))
        continue;
      ++known;
      double kernel = float(pointwiseValue(fn, y, p));
      if (!std::isfinite(v)) {
        EXPECT_EQ(std::isnan(v), std::isnan(kernel)) << pointwiseFnName(fn);
        continue;
      }
      ASSERT_LE(std::fabs(kernel - v), error)
          << pointwiseFnName(fn) << " of " << x[0] << ", " << x[1];
      // And it is no blank cheque.
      if (e[0] == 0) {
        double scale = std::fabs(v) + std::fabs(x[0]) + std::fabs(x[1]) + 1;
        EXPECT_LE(error, 1e-5 * scale) << pointwiseFnName(fn);
      }
    }
    EXPECT_GT(known, 5000) << pointwiseFnName(fn);
  }
}

TEST(PointwiseFunctions, NothingIsKnownOutsideTheDomain) {
  auto error = [](PointwiseFn fn, double x, double e) {
    return pointwiseError(fn, &x, &e, nullptr, pointwiseValue(fn, &x, nullptr),
                          DType::F32);
  };
  EXPECT_EQ(error(PointwiseFn::Log, 1e-9, 1e-8), Inf);
  EXPECT_EQ(error(PointwiseFn::Log, -1e-9, 1e-8), Inf);
  EXPECT_EQ(error(PointwiseFn::Sqrt, 1e-9, 1e-8), Inf);
  // Surely NaN, surely infinite.
  EXPECT_EQ(error(PointwiseFn::Log, -1, 0.5), 0);
  EXPECT_EQ(error(PointwiseFn::Log, 0, 0), 0);
  EXPECT_EQ(error(PointwiseFn::Exp, Inf, 0), 0);
  // Fits an f64, not the f32 it is computed in.
  EXPECT_EQ(error(PointwiseFn::Exp, 100, 0), Inf);
  double x[2] = {1, 0.1}, e[2] = {0, 0.2};
  EXPECT_EQ(pointwiseError(PointwiseFn::Div, x, e, nullptr, 10, DType::F32),
            Inf);
  EXPECT_EQ(error(PointwiseFn::Relu, 1, Inf), Inf);
}

} // namespace
