//===- ConvProblem.h - A convolution, read off its node ---------*- C++ -*-===//
//
// The numbers of one convolution node, with one to three spatial dimensions
// brought to three (leading ones of size 1), so that reference, strategy and
// emitter see one form.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

#include <array>

namespace boo {

/// out[n][g*K/G+k][o] = sum over c, f of
///     in[n][g*C/G+c][o*stride + f*dilation - padLo] * filter[g*K/G+k][c][f]
/// where reads outside the input count as 0. Index order of the spatial arrays:
/// depth, height, width. Strides are in elements.
struct ConvProblem {
  DType dtype = DType::F32; ///< of input, filter and output
  DType accType = DType::F32;
  int64_t batch = 1, inChannels = 1, outChannels = 1, groups = 1;
  std::array<int64_t, 3> in{1, 1, 1}, filter{1, 1, 1}, out{1, 1, 1};
  std::array<int64_t, 3> stride{1, 1, 1}, dilation{1, 1, 1};
  std::array<int64_t, 3> padLo{0, 0, 0}, padHi{0, 0, 0};

  /// Where an operand's elements lie. Of a convolution as its node has it, base
  /// is 0 and a group follows from the channels; kernels work on other problems
  /// too (compiler/strategy/ConvNest.h).
  struct Strides {
    int64_t base = 0;    ///< of the element whose indices are all 0
    int64_t outer = 0;   ///< batch of input and output, out channel of filter
    int64_t channel = 0; ///< channel of input and output, in channel of filter
    std::array<int64_t, 3> spatial{0, 0, 0};
    std::vector<int64_t> group{0}; ///< first channel of a group to the next's
  };
  Strides inStrides, filterStrides, outStrides;

  int64_t inPerGroup() const { return inChannels / groups; }
  int64_t outPerGroup() const { return outChannels / groups; }
  /// Length of one output's sum: C/G times the filter's taps.
  int64_t reduction() const {
    return inPerGroup() * filter[0] * filter[1] * filter[2];
  }
  /// 2 * outputs * reduction(), taps in the padding included (as peers count).
  double flops() const;
  /// Bytes of input, filter and output, each once.
  double bytes() const;
};

/// The problem of a Conv node of a verified, static Graph. `outType` tells the
/// layout that is written: that of the group's output when a tail follows.
ConvProblem convProblem(const Graph &graph, const Node &node,
                        const TensorType &outType);

} // namespace boo
