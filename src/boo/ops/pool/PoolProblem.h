//===- PoolProblem.h - A pooling, read off its node -------------*- C++ -*-===//
//
// The numbers of a pool node, or of a gradient's, with one to three spatial
// dimensions brought to three (leading ones of size 1), so that reference,
// strategy and emitter see one form.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

#include <array>

namespace boo {

enum class PoolFn {
  Max,
  Average,          ///< of the elements that a window holds
  AverageInclusive, ///< padding counts as zeros; what lies behind it does not
};

/// out[n][c][o] = fn over w of in[n][c][o*stride + w*dilation - padLo], where
/// what lies outside of the input is left out; the gradient is
///   inGrad[n][c][i] = sum over o, w: i = o*stride + w*dilation - padLo
///     of outGrad[n][c][o] / divisor(o), or for a maximum
///     of outGrad[n][c][o] where indices[n][c][o] is i.
/// An index is that of an element among those of its image and channel, in
/// row-major order. Index order of the arrays: depth, height, width.
struct PoolProblem {
  PoolFn fn = PoolFn::Max;
  DType dtype = DType::F32;
  DType accType = DType::F32;
  int64_t batch = 1, channels = 1;
  std::array<int64_t, 3> in{1, 1, 1}, window{1, 1, 1}, out{1, 1, 1};
  std::array<int64_t, 3> stride{1, 1, 1}, dilation{1, 1, 1};
  std::array<int64_t, 3> padLo{0, 0, 0}, padHi{0, 0, 0};

  /// In elements: batch, channel, and the spatial ones.
  struct Strides {
    int64_t batch = 0, channel = 0;
    std::array<int64_t, 3> spatial{0, 0, 0};
  };

  /// Taps [begin, end) of output `o`'s window that lie in the input.
  struct Taps {
    int64_t begin, end;
    int64_t count() const { return end - begin; }
  };
  Taps taps(size_t dim, int64_t o) const;
  /// How many taps of output `o` the average is of, along one dimension.
  int64_t divisor(size_t dim, int64_t o) const;
  /// Elements from a window's first tap to its last, both included.
  int64_t extent(size_t dim) const {
    return (window[dim] - 1) * dilation[dim] + 1;
  }
  /// Elements of an image's channel.
  int64_t plane() const { return in[0] * in[1] * in[2]; }
  /// One operation for each tap of each output.
  double flops() const;
};

/// Of a Pool or PoolGrad node of a verified, static Graph.
PoolProblem poolProblem(const Graph &graph, const Node &node);

/// Of a tensor [n, c, …] with one to three spatial dimensions.
PoolProblem::Strides poolStrides(const TensorType &type);

} // namespace boo
