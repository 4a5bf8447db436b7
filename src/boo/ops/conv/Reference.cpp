//===- Reference.cpp - Convolution nodes in float64 -----------------------===//
//
// Every direction is brought into the form of a forward convolution. Both
// operands are first copied to dense channel-last arrays of doubles; then
// a small tile of outputs (pixels x channels) runs over all taps, in a loop
// that any compiler vectorises. The bound needs the same sum over magnitudes,
// for which floats do.
//
//===----------------------------------------------------------------------===//

#include "boo/ops/conv/Reference.h"
#include "boo/ops/ErrorBound.h"
#include "boo/ops/conv/ErrorBound.h"
#include "boo/ops/conv/Winograd.h"
#include "boo/ops/conv/WinogradBound.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

using namespace boo;

namespace {

/// Pixels and channels of a tile: for 16 vector registers of 16 bytes, of which
/// the accumulators take 8.
constexpr int64_t TilePixels = 4;
template <typename T> constexpr int64_t TileChannels = 32 / sizeof(T);
using Vec3 = std::array<int64_t, 3>;

int64_t volume(const Vec3 &sizes) { return sizes[0] * sizes[1] * sizes[2]; }

Vec3 unravel(int64_t index, const Vec3 &sizes) {
  return {index / (sizes[1] * sizes[2]), index / sizes[2] % sizes[1],
          index % sizes[2]};
}

/// Where elements lie, by group, pixel or tap, and the two other indices.
struct Strides {
  int64_t group = 0;
  int64_t outer = 0;   ///< batch of input and output, out channel of filter
  int64_t channel = 0; ///< channel of input and output, in channel of filter
  Vec3 spatial{0, 0, 0};
};

Vec3 spatialStrides(const TensorView &view) {
  Vec3 strides{0, 0, 0};
  for (size_t i = 2; i != view.rank(); ++i)
    strides[3 - view.rank() + i] = view.stride(i);
  return strides;
}

int64_t spatialOffset(const Strides &strides, const Vec3 &at) {
  return at[0] * strides.spatial[0] + at[1] * strides.spatial[1] +
         at[2] * strides.spatial[2];
}

/// Any direction as a forward convolution of `input` with `filter`: `p` has the
/// sizes of that one, and of its strides none is looked at. The results are
/// addressed with their pixels as one dimension, the last of `out`.
struct Walk {
  ConvProblem p;
  /// The pixel i of the result meets tap f at input pixel
  /// (i + padLo - f*dilation) / stride where that is whole, instead of
  /// i*stride + f*dilation - padLo.
  bool transposed = false;
  const TensorView &input, &filter;
  Strides inputAt, filterAt, outAt;
};

Walk makeWalk(const ConvProblem &problem, const TensorView &first,
              const TensorView &second) {
  ConvProblem p = problem;
  switch (problem.direction) {
  case ConvDirection::Forward:
    break;
  case ConvDirection::InputGradient:
    // Input and output, with their channels, trade places.
    std::swap(p.inChannels, p.outChannels);
    std::swap(p.in, p.out);
    break;
  case ConvDirection::WeightGradient:
    // The output gradient slides over the input in the steps of the filter's
    // taps: its pixels are taps, the batch is summed over like channels, and
    // the channels of the input stand side by side like a batch.
    p.batch = problem.inPerGroup();
    p.inChannels = problem.groups * problem.batch;
    std::swap(p.filter, p.out);
    std::swap(p.stride, p.dilation);
    break;
  }
  bool weights = problem.direction == ConvDirection::WeightGradient;
  Walk walk{p,
            problem.direction == ConvDirection::InputGradient,
            weights ? second : first,
            weights ? first : second,
            {},
            {},
            {}};
  Strides &in = walk.inputAt, &filter = walk.filterAt, &out = walk.outAt;
  in.spatial = spatialStrides(walk.input);
  filter.spatial = spatialStrides(walk.filter);
  in.outer = walk.input.stride(0);
  in.channel = walk.input.stride(1);
  in.group = problem.inPerGroup() * in.channel;
  filter.outer = walk.filter.stride(0);
  filter.channel = walk.filter.stride(1);
  filter.group = problem.outPerGroup() * filter.outer;
  int64_t pixels = volume(p.out);
  out = {p.outPerGroup() * pixels, p.outChannels * pixels, pixels, {0, 0, 1}};
  if (problem.direction == ConvDirection::InputGradient) {
    in.group = p.inPerGroup() * in.channel;
    std::swap(filter.outer, filter.channel);
  } else if (weights) {
    std::swap(in.outer, in.channel);
    std::swap(filter.outer, filter.channel);
    filter.group = p.outPerGroup() * filter.outer;
    std::swap(out.outer, out.channel);
    out.outer = pixels;
    out.channel = problem.inPerGroup() * pixels;
    out.group = p.outPerGroup() * out.channel;
  }
  return walk;
}

/// The operands as type T, each element what `get(view, index)` makes of it.
template <typename T> struct Dense {
  std::vector<T> input;  ///< [batch][pixel][channel], then a pixel of zeros
  std::vector<T> filter; ///< [group][channel tile][tap][channel in][tile]
};

template <typename T, typename Get>
Dense<T> makeDense(const Walk &walk, Workers workers, Get get) {
  const ConvProblem &p = walk.p;
  Dense<T> dense;
  int64_t pixels = volume(p.in), taps = volume(p.filter);
  dense.input.resize(size_t((p.batch * pixels + 1) * p.inChannels));
  parallelFor(p.batch * pixels, 256, workers, [&](int64_t begin, int64_t end) {
    const Strides &from = walk.inputAt;
    for (int64_t i = begin; i != end; ++i) {
      int64_t index = i / pixels * from.outer +
                      spatialOffset(from, unravel(i % pixels, p.in));
      T *to = &dense.input[size_t(i * p.inChannels)];
      for (int64_t g = 0; g != p.groups; ++g, index += from.group)
        for (int64_t c = 0; c != p.inPerGroup(); ++c)
          *to++ = get(walk.input, index + c * from.channel);
    }
  });

  constexpr int64_t Tile = TileChannels<T>;
  int64_t tiles = (p.outPerGroup() + Tile - 1) / Tile;
  int64_t tileSize = taps * p.inPerGroup() * Tile;
  // Lanes past the last channel stay 0 and are dropped later.
  dense.filter.resize(size_t(p.groups * tiles * tileSize));
  parallelFor(p.outChannels, 1, workers, [&](int64_t begin, int64_t end) {
    const Strides &from = walk.filterAt;
    for (int64_t k = begin; k != end; ++k) {
      int64_t group = k / p.outPerGroup(), inGroup = k % p.outPerGroup();
      T *to = &dense.filter[size_t((group * tiles + inGroup / Tile) * tileSize +
                                   inGroup % Tile)];
      for (int64_t tap = 0; tap != taps; ++tap) {
        int64_t index = group * from.group + inGroup * from.outer +
                        spatialOffset(from, unravel(tap, p.filter));
        for (int64_t c = 0; c != p.inPerGroup(); ++c, to += Tile)
          *to = get(walk.filter, index + c * from.channel);
      }
    }
  });
  return dense;
}

/// The sums of one tile: `offsets[tap * TilePixels + i]` is where pixel i finds
/// its channels under a tap.
template <typename T>
void sumTile(const T *input, const int64_t *offsets, int64_t taps,
             int64_t channels, const T *filter,
             T (&sums)[TilePixels][TileChannels<T>]) {
  typedef T Vector __attribute__((vector_size(32), aligned(sizeof(T))));
  Vector acc[TilePixels] = {};
  for (int64_t tap = 0; tap != taps; ++tap, offsets += TilePixels)
    for (int64_t c = 0; c != channels; ++c, filter += TileChannels<T>) {
      Vector w = *reinterpret_cast<const Vector *>(filter);
      for (int64_t i = 0; i != TilePixels; ++i)
        acc[i] += input[offsets[i] + c] * w;
    }
  for (int64_t i = 0; i != TilePixels; ++i)
    for (int64_t j = 0; j != TileChannels<T>; ++j)
      sums[i][j] = acc[i][j];
}

/// Where output pixel `pixel` finds its channels in Dense::input under a tap.
int64_t inputOffset(const Walk &walk, int64_t pixel, const Vec3 &tap) {
  const ConvProblem &p = walk.p;
  int64_t outPixels = volume(p.out), inPixels = volume(p.in);
  int64_t zeros = p.batch * inPixels * p.inChannels; // the pixel of zeros
  Vec3 at = unravel(pixel % outPixels, p.out);
  for (size_t d = 0; d != 3; ++d) {
    if (walk.transposed) {
      at[d] += p.padLo[d] - tap[d] * p.dilation[d];
      if (at[d] % p.stride[d] != 0)
        return zeros;
      at[d] /= p.stride[d];
    } else {
      at[d] = at[d] * p.stride[d] + tap[d] * p.dilation[d] - p.padLo[d];
    }
    if (at[d] < 0 || at[d] >= p.in[d])
      return zeros;
  }
  int64_t index = (at[0] * p.in[1] + at[1]) * p.in[2] + at[2];
  return (pixel / outPixels * inPixels + index) * p.inChannels;
}

/// Calls `store(output index, sum)` for every output, from several threads.
template <typename T, typename Store>
void convolve(const Walk &walk, const Dense<T> &dense, Workers workers,
              Store store) {
  const ConvProblem &p = walk.p;
  constexpr int64_t Tile = TileChannels<T>;
  int64_t taps = volume(p.filter), outPixels = volume(p.out);
  int64_t tiles = (p.outPerGroup() + Tile - 1) / Tile,
          columns = p.groups * tiles;
  int64_t tileSize = taps * p.inPerGroup() * Tile;
  int64_t pixels = p.batch * outPixels;

  // A piece of work: pixels whose inputs stay in the cache while the filter
  // passes by, fewer when there are many taps to keep offsets for; and channel
  // tiles enough to be worth finding these offsets.
  int64_t piecePixels =
      std::clamp<int64_t>((1 << 20) / taps, TilePixels, 64) & -TilePixels;
  constexpr int64_t PieceColumns = 64;
  int64_t columnPieces = (columns + PieceColumns - 1) / PieceColumns;
  int64_t pixelPieces = (pixels + piecePixels - 1) / piecePixels;

  auto sumPiece = [&](int64_t piece, std::vector<int64_t> &offsets) {
    int64_t first = piece / columnPieces * piecePixels;
    int64_t count = std::min(piecePixels, pixels - first);
    // Past the end the last pixel is summed again, and dropped.
    for (int64_t i = 0; i != piecePixels; ++i)
      for (int64_t tap = 0; tap != taps; ++tap)
        offsets[size_t((i / TilePixels * taps + tap) * TilePixels +
                       i % TilePixels)] =
            inputOffset(walk, first + std::min(i, count - 1),
                        unravel(tap, p.filter));
    int64_t firstColumn = piece % columnPieces * PieceColumns;
    int64_t endColumn = std::min(firstColumn + PieceColumns, columns);
    for (int64_t column = firstColumn; column != endColumn && !workers.giveUp();
         ++column) {
      int64_t group = column / tiles, inGroup = column % tiles * Tile;
      int64_t lanes = std::min(Tile, p.outPerGroup() - inGroup);
      const T *input = &dense.input[size_t(group * p.inPerGroup())];
      const T *filter = &dense.filter[size_t(column * tileSize)];
      for (int64_t i = 0; i < count; i += TilePixels) {
        T sums[TilePixels][Tile];
        sumTile(input, &offsets[size_t(i * taps)], taps, p.inPerGroup(), filter,
                sums);
        for (int64_t j = 0; j != std::min(TilePixels, count - i); ++j) {
          int64_t pixel = first + i + j;
          const Strides &to = walk.outAt;
          int64_t base = pixel / outPixels * to.outer + pixel % outPixels +
                         group * to.group + inGroup * to.channel;
          for (int64_t lane = 0; lane != lanes; ++lane)
            store(size_t(base + lane * to.channel), sums[j][lane]);
        }
      }
    }
  };
  parallelFor(pixelPieces * columnPieces, 1, workers,
              [&](int64_t begin, int64_t end) {
                std::vector<int64_t> offsets(size_t(piecePixels * taps));
                for (int64_t piece = begin; piece != end; ++piece)
                  sumPiece(piece, offsets);
              });
}

/// sum of |x|*|w| with the operands' own errors folded in, so that `factor`
/// times the sum covers both: (|x| + dx / factor) * (|w| + dw / factor).
template <typename T>
void convolveMagnitudes(const ConvProblem &p, const Walk &walk, double factor,
                        Workers workers, Tensor &result) {
  auto magnitude = [factor](const TensorView &view, int64_t index) {
    return T(std::fabs(view.value(index)) + view.error(index) / factor);
  };
  Dense<T> dense = makeDense<T>(walk, workers, magnitude);
  double terms = double(p.reduction());
  // These sums were rounded too, products of tiny numbers to 0 at worst; and
  // the kernel's rounding acts on operands that are off.
  double slack =
      1 + 2 * (terms + 8) * std::numeric_limits<T>::epsilon() + 2 * factor;
  double lost = terms * lostProduct(p.dtype, p.accType);
  double largest = floatLimits(p.accType).largest;
  convolve<T>(walk, dense, workers, [&](size_t index, T sum) {
    double bound = double(sum) * slack;
    // Partial sums may overflow where the result does not.
    result.errors[index] = bound <= largest
                               ? bound * factor + lost
                               : std::numeric_limits<double>::infinity();
  });
}

/// The sums, in T, as doubles.
template <typename T>
void convolveValues(const Walk &walk, Workers workers, Tensor &result) {
  auto value = [](const TensorView &view, int64_t index) {
    return T(view.value(index));
  };
  Dense<T> dense = makeDense<T>(walk, workers, value);
  result.values.resize(
      size_t(walk.p.batch * walk.p.outChannels * volume(walk.p.out)));
  convolve<T>(walk, dense, workers,
              [&](size_t index, T sum) { result.values[index] = double(sum); });
}

bool isPadded(const ConvProblem &p) {
  auto positive = [](int64_t pad) { return pad > 0; };
  return std::any_of(p.padLo.begin(), p.padLo.end(), positive) ||
         std::any_of(p.padHi.begin(), p.padHi.end(), positive);
}

/// Whether there are infinities or NaNs.
bool hasSpecial(const TensorView &view) {
  int64_t count = 1;
  for (size_t i = 0; i != view.rank(); ++i)
    count *= view.size(i);
  for (int64_t i = 0; i != count; ++i) {
    int64_t at = 0, rest = i;
    for (size_t dim = view.rank(); dim-- > 0; rest /= view.size(dim))
      at += rest % view.size(dim) * view.stride(dim);
    if (!std::isfinite(view.value(at)))
      return true;
  }
  return false;
}

} // namespace

StatusOr<Tensor> boo::evaluateConv(const ConvProblem &problem,
                                   const TensorView &first,
                                   const TensorView &second,
                                   std::string_view algorithm,
                                   Workers workers) {
  BOO_ASSIGN_OR_RETURN(double factor, convErrorFactor(algorithm, problem));
  Walk walk = makeWalk(problem, first, second);
  Tensor result;
  convolveValues<double>(walk, workers, result);
  if (workers.giveUp())
    return cancelledReference();
  size_t count = result.values.size();
  result.errors.resize(count);
  // Floats hold magnitudes of narrow types only, and sums of a million terms.
  if (problem.dtype != DType::F64 && problem.reduction() < (1 << 20))
    convolveMagnitudes<float>(problem, walk, factor, workers, result);
  else
    convolveMagnitudes<double>(problem, walk, factor, workers, result);
  int64_t tile = refusesWinograd(forwardForm(problem)).empty()
                     ? winogradTile(algorithm)
                     : 0;
  if (tile != 0)
    raiseWinogradErrors(problem, first, second, tile, workers, result.errors);

  // An infinity or a NaN is certain when it comes from exact operands, but
  // among a tile's inputs an infinity may end as a NaN and the reverse, and a
  // tap in the padding is a product with zero or none at all.
  bool certain = tile == 0 && !hasUnknown(first) && !hasUnknown(second) &&
                 !(isPadded(problem) && hasSpecial(walk.filter));
  for (size_t i = 0; i != count; ++i)
    if (certain && !std::isfinite(result.values[i]))
      result.errors[i] = 0;
    else
      result.errors[i] =
          settledError(result.values[i], result.errors[i], problem.accType);
  return result;
}

StatusOr<Tensor> boo::directConv(const ConvProblem &problem,
                                 const TensorView &first,
                                 const TensorView &second, Workers workers) {
  Walk walk = makeWalk(problem, first, second);
  Tensor result;
  if (problem.accType == DType::F64)
    convolveValues<double>(walk, workers, result);
  else
    convolveValues<float>(walk, workers, result);
  if (workers.giveUp())
    return cancelledReference();
  return result;
}
