//===- Reference.h - What the right answer is -------------------*- C++ -*-===//
//
// Evaluates a Graph in float64, and says how far a correct kernel may be off.
// Slow and simple on purpose: it is the judge of everything else.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "boo/graph/Graph.h"

#include <span>

namespace boo {

/// Up to `threads` threads, which give up once `cancelled` (any thread may call
/// it) says so: what they computed is then of no use.
struct Workers {
  Workers(int threads, bool (*cancelled)() = nullptr)
      : threads(threads), cancelled(cancelled) {}
  bool giveUp() const { return cancelled && cancelled(); }

  int threads;
  bool (*cancelled)();
};

/// One output, element by element in row-major logical order.
struct ReferenceOutput {
  std::vector<double> values;
  /// Absolute error that a correct kernel of the given algorithm may have at
  /// each element: from eps of the accumulation type, the length of the sum and
  /// the sum of the products' magnitudes (|x|*|w| convolved), carried through
  /// the pointwise tail by its Lipschitz constants and the tail functions' own
  /// error, plus one rounding to the output's dtype (and its smallest
  /// subnormal). Higham, Accuracy and Stability, section 3.1: gamma_n.
  ///
  /// Infinite where nothing can be said: the type in use may overflow, or an
  /// operand may have left the function's domain. Any result is right there,
  /// NaN included. Where the bound is finite and the value NaN or infinite, so
  /// must be the kernel's.
  std::vector<double> bounds;
};

/// `arguments` are the buffers of graph.arguments(), laid out by their strides.
/// `algorithm` is the manifest's ("direct", …) and is looked at by contractions
/// only. Fails with cancelledReference() when `workers` give up. A value that
/// passes from one group to the next stays unrounded here; its rounding is in
/// the bound.
StatusOr<std::vector<ReferenceOutput>>
evaluateReference(const Graph &graph, std::span<const void *const> arguments,
                  std::string_view algorithm, Workers workers);
Status cancelledReference();

/// The Graph as a plain program in its own dtypes computes it: contractions add
/// up one product after the other in their accumulation type, every node's
/// result is rounded to the type it is computed in, and what is stored to its
/// dtype. Not a judge but a yardstick: of the errors that no algorithm avoids.
/// Values of each output in row-major logical order.
StatusOr<std::vector<std::vector<double>>>
evaluateDirect(const Graph &graph, std::span<const void *const> arguments,
               Workers workers);

/// Reads or writes element `index` (in elements) of a buffer as a double;
/// writing rounds to nearest even.
double loadElement(const void *buffer, DType dtype, int64_t index);
void storeElement(void *buffer, DType dtype, int64_t index, double value);

/// Where the elements of a static tensor lie in its buffer, in the order of
/// ReferenceOutput::values.
std::vector<int64_t> elementPositions(const TensorType &type);

/// Work of a static Graph, for reports: multiplications and additions of its
/// anchors (a lone pointwise run: one an element and function), and the bytes
/// of the arguments that are read and of the outputs, each once.
struct Work {
  double flops = 0;
  double bytes = 0;
};
Work graphWork(const Graph &graph);

} // namespace boo
