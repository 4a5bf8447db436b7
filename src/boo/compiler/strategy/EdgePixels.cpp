//===- EdgePixels.cpp - Pixels whose window leaves the input --------------===//

#include "boo/compiler/strategy/EdgePixels.h"
#include "boo/base/Math.h"

#include <algorithm>

using namespace boo;

std::array<int64_t, 2> boo::compiler::edgePixels(const ConvProblem &p) {
  int64_t reach = (p.filter[2] - 1) * p.dilation[2];
  // Pixel o reads columns from o*stride - padLo on.
  int64_t left =
      std::clamp<int64_t>(ceilDiv(p.padLo[2], p.stride[2]), 0, p.out[2]);
  int64_t inside = p.in[2] - reach + p.padLo[2]; // first column beyond
  int64_t end = inside > 0 ? ceilDiv(inside, p.stride[2]) : 0;
  return {left, std::max<int64_t>(0, p.out[2] - std::max(end, left))};
}

bool boo::compiler::hasFewEdges(const ConvProblem &p) {
  auto [left, right] = edgePixels(p);
  // The first and the last pixel have the fewest taps.
  int64_t last = (p.out[2] - 1) * p.stride[2] - p.padLo[2];
  return left + right <= 6 && left + right < p.out[2] &&
         p.padLo[2] <= (p.filter[2] - 1) * p.dilation[2] && last < p.in[2];
}

std::array<int64_t, 2> boo::compiler::tapsAt(const ConvProblem &p,
                                             int64_t pixel) {
  int64_t column = pixel * p.stride[2] - p.padLo[2];
  int64_t low = std::max<int64_t>(0, ceilDiv(-column, p.dilation[2]));
  int64_t high =
      std::min(p.filter[2], ceilDiv(p.in[2] - column, p.dilation[2]));
  return {low, high - low};
}
