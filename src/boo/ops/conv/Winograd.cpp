//===- Winograd.cpp - Minimal filtering of 3x3 convolutions ---------------===//

#include "boo/ops/conv/Winograd.h"
#include "boo/base/Math.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace boo;

/// Coefficients of the product of (x - p) over the points but one, from x^0 on.
static std::vector<double> polynomial(const std::vector<double> &points,
                                      size_t without) {
  std::vector<double> result{1};
  for (size_t i = 0; i != points.size(); ++i) {
    if (i == without)
      continue;
    result.push_back(0);
    for (size_t d = result.size(); d-- > 0;)
      result[d] = (d ? result[d - 1] : 0) - points[i] * result[d];
  }
  return result;
}

/// Toom and Cook's interpolation at `points` and infinity, transposed.
static WinogradTransform makeTransform(const std::vector<double> &points) {
  WinogradTransform t;
  int64_t n = int64_t(points.size()) + 1, last = n - 1;
  t.size = n;
  t.tile = n - 2;
  t.inputT = {n, n, std::vector<double>(size_t(n * n))};
  t.filter = {n, 3, std::vector<double>(size_t(n * 3))};
  t.outputT = {t.tile, n, std::vector<double>(size_t(t.tile * n))};
  auto setInput = [&](int64_t row, const std::vector<double> &coefficients) {
    std::copy(coefficients.begin(), coefficients.end(),
              t.inputT.elements.begin() + row * n);
  };
  for (int64_t j = 0; j != last; ++j) {
    double p = points[size_t(j)], scale = 1;
    for (int64_t i = 0; i != last; ++i)
      if (i != j)
        scale *= p - points[size_t(i)];
    setInput(j, polynomial(points, size_t(j)));
    for (int64_t k = 0; k != 3; ++k)
      t.filter.elements[size_t(j * 3 + k)] = std::pow(p, double(k)) / scale;
    for (int64_t i = 0; i != t.tile; ++i)
      t.outputT.elements[size_t(i * n + j)] = std::pow(p, double(i));
  }
  setInput(last, polynomial(points, points.size()));
  t.filter.elements[size_t(last * 3 + 2)] = 1;
  t.outputT.elements[size_t(t.tile * n - 1)] = 1;
  return t;
}

const WinogradTransform &boo::winogradTransform(int64_t tile) {
  // Points of opposite sign stand side by side: emitters share their sums.
  static const WinogradTransform two = makeTransform({0, 1, -1});
  static const WinogradTransform four =
      makeTransform({0, 0.625, -0.625, 1.5, -1.5});
  assert((tile == 2 || tile == 4) && "other tiles have no points");
  return tile == 2 ? two : four;
}

double WinogradTransform::amplification() const {
  double largest = 0;
  for (int64_t row = 0; row != tile; ++row) {
    double sum = 0;
    for (int64_t f = 0; f != size; ++f) {
      double in = 0, weights = 0;
      for (int64_t i = 0; i != size; ++i)
        in += std::fabs(inputT(f, i));
      for (int64_t i = 0; i != 3; ++i)
        weights += std::fabs(filter(f, i));
      sum += std::fabs(outputT(row, f)) * in * weights;
    }
    largest = std::max(largest, sum);
  }
  return largest * largest / 9;
}

int64_t boo::winogradTile(std::string_view algorithm) {
  return algorithm == "winograd-4x4" ? 4 : algorithm == "winograd-2x2" ? 2 : 0;
}

int64_t boo::winogradTiles(const ConvProblem &p, int64_t tile) {
  return p.batch * p.out[0] * ceilDiv(p.out[1], tile) * ceilDiv(p.out[2], tile);
}

int64_t boo::winogradTerms(const ConvProblem &p) {
  return p.filter[0] * p.inPerGroup();
}

std::string boo::refusesWinograd(const ConvProblem &p) {
  if (p.direction != ConvDirection::Forward)
    return "it is a gradient of the filter, or of a strided convolution";
  if (p.accType != DType::F32)
    return "sums are in " + std::string(dtypeName(p.accType));
  if (p.filter[1] != 3 || p.filter[2] != 3)
    return "the filter is not 3x3";
  if (p.stride[1] != 1 || p.stride[2] != 1)
    return "the stride is not 1";
  if (p.dilation[1] != 1 || p.dilation[2] != 1)
    return "the dilation is not 1";
  if (p.padLo[1] < 0 || p.padLo[2] < 0)
    return "the gradient begins inside of the padding";
  return "";
}

double boo::winogradRoundings(const ConvProblem &p) {
  // Two passes each of the input's, the filter's and the output's transform, of
  // 5, 6 and 6 roundings with those of the coefficients; the products and their
  // sum; two to spare.
  return double(winogradTerms(p)) + 2 * (5 + 6 + 6) + 2;
}
