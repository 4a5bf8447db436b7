//===- Consistent.h - Operands that belong together -------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

#include <span>

namespace boo {

/// Overwrites arguments that a forward pass would have made of others: mean and
/// rstd of a norm's gradient become those of its input, the output of a
/// softmax's gradient the softmax of what it holds, result and logarithms of an
/// attention's gradient those of its queries, keys and values (of up to 2^26
/// scores: more would take long), and what a root is taken of (a variance and
/// eps) loses its sign. `arguments` are the filled buffers of
/// graph.arguments(); what is made by a node, or would not be finite, stays.
void makeConsistent(const Graph &graph, std::span<void *const> arguments);

} // namespace boo
