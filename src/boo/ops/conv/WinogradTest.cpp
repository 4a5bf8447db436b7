//===- WinogradTest.cpp - Transforms and their error bound ----------------===//
//
// In double the transforms are an identity; played in float they must stay
// within the bound.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/conv/Winograd.h"
#include "boo/ops/Reference.h"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>
#include <random>

using namespace boo;
using List = std::vector<int64_t>;

namespace {

/// matrix x matrix^T in T; `x` is square.
template <typename T>
std::vector<T> sandwich(const SmallMatrix &m, const std::vector<T> &x) {
  std::vector<T> half(size_t(m.rows * m.columns)),
      result(size_t(m.rows * m.rows));
  for (int64_t i = 0; i != m.rows; ++i)
    for (int64_t j = 0; j != m.columns; ++j)
      for (int64_t k = 0; k != m.columns; ++k)
        half[size_t(i * m.columns + j)] +=
            T(m(i, k)) * x[size_t(k * m.columns + j)];
  for (int64_t i = 0; i != m.rows; ++i)
    for (int64_t j = 0; j != m.rows; ++j)
      for (int64_t k = 0; k != m.columns; ++k)
        result[size_t(i * m.rows + j)] +=
            half[size_t(i * m.columns + k)] * T(m(j, k));
  return result;
}

/// Sums over channels of one tile: d[channel][6 x 6], g[channel][3 x 3].
template <typename T>
std::vector<T> tileOutputs(const WinogradTransform &t,
                           const std::vector<std::vector<T>> &d,
                           const std::vector<std::vector<T>> &g) {
  std::vector<T> sums(size_t(t.products()));
  for (size_t c = 0; c != d.size(); ++c) {
    std::vector<T> v = sandwich(t.inputT, d[c]), u = sandwich(t.filter, g[c]);
    for (size_t f = 0; f != sums.size(); ++f)
      sums[f] += v[f] * u[f];
  }
  return sandwich(t.outputT, sums);
}

TEST(Winograd, TransformsGiveTheConvolution) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<> real(-1, 1);
  for (int64_t tile : {2, 4}) {
    const WinogradTransform &t = winogradTransform(tile);
    ASSERT_EQ(t.tile, tile);
    std::vector<double> d(size_t(t.products())), g(9);
    for (double &x : d)
      x = real(engine);
    for (double &x : g)
      x = real(engine);
    std::vector<double> y = tileOutputs<double>(t, {d}, {g});
    for (int64_t i = 0; i != tile * tile; ++i) {
      double sum = 0;
      for (int64_t k = 0; k != 9; ++k)
        sum += d[size_t((i / tile + k / 3) * t.size + i % tile + k % 3)] *
               g[size_t(k)];
      EXPECT_NEAR(y[size_t(i)], sum, 1e-13);
    }
  }
}

TEST(Winograd, CoefficientsOfInputAndOutputAreExactInFloat) {
  for (int64_t tile : {2, 4})
    for (const SmallMatrix *matrix :
         {&winogradTransform(tile).inputT, &winogradTransform(tile).outputT})
      for (double element : matrix->elements)
        EXPECT_EQ(double(float(element)), element);
}

TEST(Winograd, AmplificationIsThatOfThePoints) {
  EXPECT_NEAR(winogradTransform(2).amplification(), 64.0 / 9, 1e-12);
  // 256 for the points 0, +-1, +-2.
  EXPECT_LT(winogradTransform(4).amplification(), 64);
}

/// A 3x3 convolution with padding of 1 and its operands.
struct Problem {
  Graph graph;
  std::vector<float> input, filter;
  int64_t channels, size;

  Problem(int64_t channels, int64_t size, uint64_t seed)
      : channels(channels), size(size) {
    ValueId x = graph.addArgument(
        TensorType::contiguous(DType::F32, {1, channels, size, size}));
    ValueId w = graph.addArgument(
        TensorType::contiguous(DType::F32, {1, channels, 3, 3}));
    AttributeMap attributes{{"stride", List{1, 1}}, {"dilation", List{1, 1}},
                            {"pad_lo", List{1, 1}}, {"pad_hi", List{1, 1}},
                            {"groups", int64_t(1)}, {"acc", DType::F32}};
    graph.addOutput(graph.addNode(
        Op::Conv, {x, w}, attributes,
        {TensorType::contiguous(DType::F32, {1, 1, size, size})})[0]);
    std::mt19937_64 engine(seed);
    std::uniform_real_distribution<float> real(-1, 1);
    input.resize(size_t(channels * size * size));
    filter.resize(size_t(channels * 9));
    for (float &v : input)
      v = real(engine);
    for (float &v : filter)
      v = real(engine);
  }

  ReferenceOutput reference(const char *algorithm) {
    const void *arguments[] = {input.data(), filter.data()};
    auto result = evaluateReference(graph, arguments, algorithm, 1);
    EXPECT_TRUE(result.isOk()) << result.status().message();
    return result->front();
  }

  /// The kernel, played in float.
  std::vector<float> play(int64_t tile) const {
    const WinogradTransform &t = winogradTransform(tile);
    std::vector<float> result(size_t(size * size));
    for (int64_t row = 0; row < size; row += tile)
      for (int64_t column = 0; column < size; column += tile) {
        std::vector<std::vector<float>> d, g;
        for (int64_t c = 0; c != channels; ++c) {
          d.emplace_back();
          for (int64_t i = 0; i != t.products(); ++i) {
            int64_t y = row - 1 + i / t.size, x = column - 1 + i % t.size;
            bool inside = y >= 0 && y < size && x >= 0 && x < size;
            d.back().push_back(inside ? input[size_t((c * size + y) * size + x)]
                                      : 0);
          }
          g.emplace_back(filter.begin() + c * 9, filter.begin() + c * 9 + 9);
        }
        std::vector<float> y = tileOutputs<float>(t, d, g);
        for (int64_t i = 0; i != tile * tile; ++i)
          if (row + i / tile < size && column + i % tile < size)
            result[size_t((row + i / tile) * size + column + i % tile)] =
                y[size_t(i)];
      }
    return result;
  }
};

TEST(WinogradBound, HoldsForTheAlgorithmPlayedInFloat) {
  for (int64_t tile : {2, 4})
    for (int64_t channels : {1, 7, 64}) {
      Problem problem(channels, 11, uint64_t(channels));
      ReferenceOutput expected =
          problem.reference(tile == 4 ? "winograd-4x4" : "winograd-2x2");
      ReferenceOutput direct = problem.reference("direct");
      std::vector<float> got = problem.play(tile);
      for (size_t i = 0; i != got.size(); ++i) {
        EXPECT_LE(std::fabs(double(got[i]) - expected.values[i]),
                  expected.bounds[i]);
        EXPECT_GE(expected.bounds[i], direct.bounds[i]);
        // Loose by design, but not so much that all passes.
        EXPECT_LE(expected.bounds[i], 1e-3 * double(channels + 1));
      }
    }
}

// An output far from a large input shares its tile, and so its rounding errors.
TEST(WinogradBound, CoversTheWholeTile) {
  Problem problem(1, 12, 3);
  problem.input[0] = 1e8f;
  ReferenceOutput expected = problem.reference("winograd-4x4");
  std::vector<float> got = problem.play(4);
  double farthest = 0;
  for (size_t i = 0; i != got.size(); ++i) {
    double error = std::fabs(double(got[i]) - expected.values[i]);
    EXPECT_LE(error, expected.bounds[i]);
    farthest = std::max(farthest, i == 3 * 12 + 3 ? error : 0);
  }
  EXPECT_GT(farthest, 1e-3) << "the direct bound would have done";
}

TEST(WinogradBound, IsInfiniteInATileWithANaN) {
  Problem problem(2, 12, 3);
  problem.input[12 * 5 + 5] = std::numeric_limits<float>::quiet_NaN();
  ReferenceOutput expected = problem.reference("winograd-4x4");
  auto bound = [&](size_t row, size_t column) {
    return expected.bounds[row * 12 + column];
  };
  EXPECT_TRUE(std::isinf(bound(4, 4)));
  EXPECT_TRUE(std::isinf(bound(7, 7)));
  EXPECT_FALSE(std::isinf(bound(0, 0)));
  EXPECT_FALSE(std::isinf(bound(3, 8)));
}

TEST(Winograd, SumsTapsInDepth) {
  ConvProblem p;
  p.filter = {5, 3, 3};
  p.stride[0] = p.dilation[0] = 2;
  p.padLo[0] = p.padHi[0] = 1;
  p.inChannels = 14, p.groups = 2;
  EXPECT_EQ(refusesWinograd(p), "");
  EXPECT_EQ(winogradTerms(p), 35);
}

TEST(Winograd, ServesTheGradientInItsForwardForm) {
  ConvProblem p;
  p.direction = ConvDirection::InputGradient;
  p.filter = {3, 3, 3};
  p.padLo = {0, 1, 2}, p.padHi = {1, 0, 2};
  p.in = {5, 9, 7}, p.out = {4, 8, 9};
  p.inChannels = 4, p.outChannels = 10, p.groups = 2;
  p.filterStrides.outer = 54, p.filterStrides.channel = 27;
  p.filterStrides.spatial = {9, 3, 1};
  ConvProblem q = forwardForm(p);
  EXPECT_EQ(q.direction, ConvDirection::Forward);
  EXPECT_EQ(q.padLo, (std::array<int64_t, 3>{2, 1, 0}));
  EXPECT_EQ(q.padHi, (std::array<int64_t, 3>{1, 2, 0}));
  EXPECT_EQ(q.in, p.out);
  EXPECT_EQ(q.filterStrides.outer, 27);
  EXPECT_EQ(q.filterStrides.base, 26);
  EXPECT_EQ(q.filterStrides.spatial, (std::array<int64_t, 3>{-9, -3, -1}));
  EXPECT_EQ(refusesWinograd(q), "");
  EXPECT_EQ(winogradTerms(q), 15);

  p.padLo[1] = 3;
  EXPECT_EQ(refusesWinograd(forwardForm(p)),
            "the gradient begins inside of the padding");
  p.padLo[1] = 1, p.stride[0] = 2;
  EXPECT_EQ(forwardForm(p).direction, ConvDirection::InputGradient);
  EXPECT_NE(refusesWinograd(forwardForm(p)), "");
}

TEST(Winograd, RefusesWhatItDoesNotCompute) {
  ConvProblem p;
  p.filter = {1, 3, 3};
  EXPECT_EQ(refusesWinograd(p), "");
  p.stride[2] = 2;
  EXPECT_EQ(refusesWinograd(p), "the stride is not 1");
  p.stride[2] = 1, p.dilation[1] = 2;
  EXPECT_EQ(refusesWinograd(p), "the dilation is not 1");
  p.dilation[1] = 1, p.filter[2] = 5;
  EXPECT_EQ(refusesWinograd(p), "the filter is not 3x3");
  p.filter[2] = 3, p.accType = DType::F64;
  EXPECT_EQ(refusesWinograd(p), "sums are in f64");
}

} // namespace
