//===- Winograd.h - Minimal filtering of 3x3 convolutions -------*- C++ -*-===//
//
// F(m x m, 3 x 3): a tile of m x m outputs from (m + 2)^2 products instead of
// 9 m^2 (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
// 2015), in height and width: taps in depth are further terms of each sum. What
// strategy, emitter and error bound share of it. Problems are in their forward
// form (ConvProblem.h): so it serves gradients of the input, too.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/ops/conv/ConvProblem.h"

#include <string>
#include <string_view>
#include <vector>

namespace boo {

/// A small matrix of doubles, row by row.
struct SmallMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> elements;
  double operator()(int64_t row, int64_t column) const {
    return elements[size_t(row * columns + column)];
  }
};

/// out = outputT ((filter g filter^T) * (inputT d inputT^T)) outputT^T, the
/// product in the middle element by element, summed over channels.
struct WinogradTransform {
  int64_t tile = 0;    ///< m: outputs of a tile along a dimension
  int64_t size = 0;    ///< m + 2: inputs, and products
  SmallMatrix inputT;  ///< B^T, size x size
  SmallMatrix filter;  ///< G, size x 3
  SmallMatrix outputT; ///< A^T, tile x size

  int64_t products() const { return size * size; }
  /// The largest sum of magnitudes that an output is made of, over that of the
  /// direct sum, for operands of one magnitude.
  double amplification() const;
};

/// For tiles of 2 or 4 outputs. The points are 0, 1, -1 and infinity, or 0,
/// +-5/8, +-3/2 and infinity: all powers that occur are exact in f32, and the
/// amplification is a quarter of that of 0, +-1, +-2 (Barabasz, Anderson,
/// Soodhalter and Gregg, Error Analysis and Improving the Accuracy of Winograd
/// Convolution for Deep Neural Networks, 2020, on choosing points).
const WinogradTransform &winogradTransform(int64_t tile);

/// Outputs of a tile for the manifest's name of an algorithm, "winograd-4x4" or
/// "winograd-2x2"; 0 for any other.
int64_t winogradTile(std::string_view algorithm);

/// Tiles of all outputs.
int64_t winogradTiles(const ConvProblem &problem, int64_t tile);

/// Products that a transformed output is the sum of: the channels of a group,
/// for each tap in depth, in which nothing is transformed.
int64_t winogradTerms(const ConvProblem &problem);

/// Why a convolution cannot be computed so; "" when it can.
std::string refusesWinograd(const ConvProblem &problem);

/// Roundings on the way from operands to an output, at most.
double winogradRoundings(const ConvProblem &problem);

} // namespace boo
