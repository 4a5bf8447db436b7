//===- ConvProblem.h - A convolution, read off its node ---------*- C++ -*-===//
//
// The numbers of one convolution node, or of a gradient's, with one to three
// spatial dimensions brought to three (leading ones of size 1), so that
// reference, strategy and emitter see one form.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

#include <array>

namespace boo {

/// What is computed from the other two of input, filter and output. A gradient
/// has the place of what it is the gradient of: that of the output is given.
enum class ConvDirection { Forward, InputGradient, WeightGradient };

/// out[n][g*K/G+k][o] = sum over c, f of
///     in[n][g*C/G+c][o*stride + f*dilation - padLo] * filter[g*K/G+k][c][f]
/// where reads outside the input count as 0; and for the gradients
///   inGrad[n][g*C/G+c][i] = sum over k, f, o: i = o*stride + f*dilation -
///   padLo
///     of outGrad[n][g*K/G+k][o] * filter[g*K/G+k][c][f]
///   filterGrad[g*K/G+k][c][f] = sum over n, o of outGrad[n][g*K/G+k][o]
///     * in[n][g*C/G+c][o*stride + f*dilation - padLo]. Index order of the
///     spatial arrays:
/// depth, height, width. Strides are in elements.
struct ConvProblem {
  ConvDirection direction = ConvDirection::Forward;
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
  /// Length of the longest sum. Forward it is C/G times the filter's taps.
  int64_t reduction() const;
  /// 2 * outputs * C/G * taps in every direction, those in the padding included
  /// (as peers count).
  double flops() const;
  /// Bytes of input, filter and output, each once.
  double bytes() const;
};

/// The gradient of the input of a convolution of stride 1 is a convolution of
/// the output's gradient, with the taps in reverse and its channels exchanged:
/// that one's problem. Its padLo may be negative: then it begins inside. Any
/// other problem comes back as it is.
ConvProblem forwardForm(const ConvProblem &problem);

/// Whether the node is a convolution or one of its gradients.
bool isConv(Op op);

/// The problem of such a node of a verified, static Graph. `resultType` tells
/// the layout that is written: that of the group's output when a tail follows.
ConvProblem convProblem(const Graph &graph, const Node &node,
                        const TensorType &resultType);

} // namespace boo
