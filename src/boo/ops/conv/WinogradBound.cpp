//===- WinogradBound.cpp - Rounding errors of Winograd tiles --------------===//

#include "boo/ops/conv/WinogradBound.h"
#include "boo/base/Math.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/conv/Winograd.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace boo;

namespace {

/// |matrix| x |matrix|^T for a square x of matrix.columns^2 elements.
void sandwich(const SmallMatrix &matrix, const double *x, double *result) {
  double half[6 * 6];
  for (int64_t i = 0; i != matrix.rows; ++i)
    for (int64_t j = 0; j != matrix.columns; ++j) {
      double sum = 0;
      for (int64_t k = 0; k != matrix.columns; ++k)
        sum += std::fabs(matrix(i, k)) * x[k * matrix.columns + j];
      half[i * matrix.columns + j] = sum;
    }
  for (int64_t i = 0; i != matrix.rows; ++i)
    for (int64_t j = 0; j != matrix.rows; ++j) {
      double sum = 0;
      for (int64_t k = 0; k != matrix.columns; ++k)
        sum += half[i * matrix.columns + k] * std::fabs(matrix(j, k));
      result[i * matrix.rows + j] = sum;
    }
}

class TileErrors {
public:
  TileErrors(const ConvProblem &problem, const TensorView &input,
             const TensorView &filter, int64_t tile, Workers workers)
      : P(forwardForm(problem)), Input(input), Filter(filter),
        T(winogradTransform(tile)), TheWorkers(workers),
        Factor(winogradRoundings(P) * floatLimits(DType::F32).unit),
        TilesH(ceilDiv(P.out[1], tile)), TilesW(ceilDiv(P.out[2], tile)),
        Tiles(winogradTiles(P, tile)),
        Flipped(problem.direction == ConvDirection::InputGradient) {}

  void raise(std::vector<double> &errors) {
    transformFilter();
    transformInput();
    multiply();
    parallelFor(Tiles, 1, TheWorkers, [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile != end; ++tile)
        for (int64_t k = 0; k != P.outChannels; ++k)
          raiseTile(tile, k, errors);
    });
  }

private:
  struct Coordinates {
    int64_t batch, depth, row, column;
  };
  Coordinates coordinates(int64_t tile) const {
    int64_t plane = tile / (TilesH * TilesW);
    return {plane / P.out[0], plane % P.out[0], tile / TilesW % TilesH * T.tile,
            tile % TilesW * T.tile};
  }

  /// With the operand's own error, and what is lost when its transform leaves
  /// the normal numbers, as part of it.
  double magnitude(const TensorView &view, int64_t index) const {
    return std::fabs(view.value(index)) +
           (view.error(index) + 8 * floatLimits(DType::F32).subnormal) / Factor;
  }

  /// Where the filter has the first of the 3x3 taps at `depth`, and how far it
  /// is to the next row and column.
  struct Taps {
    int64_t first, row, column;
  };
  Taps tapsOf(int64_t k, int64_t c, int64_t depth) const {
    size_t rank = Filter.rank();
    Taps taps{0, Filter.stride(rank - 2), Filter.stride(rank - 1)};
    int64_t plane = rank == 5 ? Filter.stride(2) : 0;
    if (!Flipped)
      taps.first = k * Filter.stride(0) + c * Filter.stride(1) + depth * plane;
    else
      // The filter's out channels are those that are summed here.
      taps = {(k / P.outPerGroup() * P.inPerGroup() + c) * Filter.stride(0) +
                  k % P.outPerGroup() * Filter.stride(1) +
                  (P.filter[0] - 1 - depth) * plane + 2 * taps.row +
                  2 * taps.column,
              -taps.row, -taps.column};
    return taps;
  }

  /// U[f][group][depth tap, channel of the group][out channel of the group]
  void transformFilter() {
    int64_t channels = P.inPerGroup(), terms = winogradTerms(P);
    U.resize(size_t(T.products() * P.outChannels * terms));
    parallelFor(P.outChannels, 1, TheWorkers, [&](int64_t begin, int64_t end) {
      double taps[9], result[36];
      for (int64_t k = begin; k != end; ++k)
        for (int64_t c = 0; c != terms; ++c) {
          Taps at = tapsOf(k, c % channels, c / channels);
          for (int64_t i = 0; i != 9; ++i)
            taps[i] = magnitude(Filter,
                                at.first + i / 3 * at.row + i % 3 * at.column);
          sandwich(T.filter, taps, result);
          int64_t group = k / P.outPerGroup(), lane = k % P.outPerGroup();
          for (int64_t f = 0; f != T.products(); ++f)
            U[size_t(((f * P.groups + group) * terms + c) * P.outPerGroup() +
                     lane)] = float(result[f]);
        }
    });
  }

  /// V[f][tile][group][depth tap, channel of the group]
  void transformInput() {
    int64_t terms = winogradTerms(P), channels = P.inPerGroup();
    V.resize(size_t(T.products() * Tiles * P.groups * terms));
    size_t rank = Input.rank();
    parallelFor(Tiles, 1, TheWorkers, [&](int64_t begin, int64_t end) {
      double patch[36], result[36];
      for (int64_t tile = begin; tile != end; ++tile)
        for (int64_t c = 0; c != P.groups * terms; ++c) {
          Coordinates at = coordinates(tile);
          int64_t channel = c / terms * channels + c % channels;
          int64_t depth = at.depth * P.stride[0] - P.padLo[0] +
                          c % terms / channels * P.dilation[0];
          int64_t base = at.batch * Input.stride(0) +
                         channel * Input.stride(1) +
                         (rank == 5 ? depth * Input.stride(2) : 0);
          for (int64_t i = 0; i != T.products(); ++i) {
            int64_t row = at.row - P.padLo[1] + i / T.size;
            int64_t column = at.column - P.padLo[2] + i % T.size;
            bool inside = depth >= 0 && depth < P.in[0] && row >= 0 &&
                          row < P.in[1] && column >= 0 && column < P.in[2];
            patch[i] =
                inside ? magnitude(Input, base + row * Input.stride(rank - 2) +
                                              column * Input.stride(rank - 1))
                       : 0;
          }
          sandwich(T.inputT, patch, result);
          for (int64_t f = 0; f != T.products(); ++f)
            V[size_t((f * Tiles + tile) * P.groups * terms + c)] =
                float(result[f]);
        }
    });
  }

  /// M[f][tile][out channel]
  void multiply() {
    M.resize(size_t(T.products() * Tiles * P.outChannels));
    int64_t terms = winogradTerms(P), outs = P.outPerGroup();
    parallelFor(T.products() * Tiles, 8, TheWorkers,
                [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i != end; ++i)
                    for (int64_t g = 0; g != P.groups; ++g) {
                      const float *v = &V[size_t((i * P.groups + g) * terms)];
                      const float *u =
                          &U[size_t((i / Tiles * P.groups + g) * terms * outs)];
                      float *m = &M[size_t(i * P.outChannels)] + g * outs;
                      for (int64_t c = 0; c != terms; ++c, u += outs)
                        for (int64_t k = 0; k != outs; ++k)
                          m[k] += v[c] * u[k];
                    }
                });
  }

  void raiseTile(int64_t tile, int64_t k, std::vector<double> &errors) const {
    double sums[36], result[16], ones[36];
    for (int64_t f = 0; f != T.products(); ++f) {
      sums[f] = M[size_t((f * Tiles + tile) * P.outChannels + k)];
      ones[f] = 1;
    }
    sandwich(T.outputT, sums, result);
    double amplified[16];
    sandwich(T.outputT, ones, amplified);
    FloatLimits limits = floatLimits(DType::F32);
    double terms = double(winogradTerms(P));
    // The sums above were rounded too.
    double slack = 1 + 4 * Factor;
    Coordinates at = coordinates(tile);
    for (int64_t i = 0; i != T.tile * T.tile; ++i) {
      int64_t row = at.row + i / T.tile, column = at.column + i % T.tile;
      if (row >= P.out[1] || column >= P.out[2])
        continue;
      double bound = result[i] * slack;
      double lost = (terms + 8) * limits.subnormal * amplified[i];
      bound = bound <= limits.largest ? bound * Factor + lost
                                      : std::numeric_limits<double>::infinity();
      int64_t plane = (at.batch * P.outChannels + k) * P.out[0] + at.depth;
      double &error =
          errors[size_t((plane * P.out[1] + row) * P.out[2] + column)];
      error = std::max(error, bound);
    }
  }

  ConvProblem P; ///< in forward form
  const TensorView &Input, &Filter;
  const WinogradTransform &T;
  Workers TheWorkers;
  double Factor;
  int64_t TilesH, TilesW, Tiles;
  bool Flipped; ///< a gradient of the input: taps in reverse
  std::vector<float> U, V, M;
};

} // namespace

void boo::raiseWinogradErrors(const ConvProblem &problem,
                              const TensorView &input, const TensorView &filter,
                              int64_t tile, Workers workers,
                              std::vector<double> &errors) {
  TileErrors(problem, input, filter, tile, workers).raise(errors);
}
