//===- Tail.h - The pointwise functions of --tail ---------------*- C++ -*-===//
#pragma once

#include "boo/graph/Graph.h"

namespace boo {

/// A function of --tail.
struct TailFn {
  PointwiseFn fn;
  std::vector<double> parameters;
  bool perChannel = false; ///< its second operand has one value a channel
};

/// What --tail may be: "relu,clamp:0:6,mul:channel". `channel` is the word for
/// an operand with one value a channel, a column, …; `flag` is named in errors.
StatusOr<std::vector<TailFn>> parseTail(std::string_view text,
                                        std::string_view channel,
                                        std::string_view flag = "--tail");

/// Adds the functions behind `last`, whose type stays. Their second operands
/// become arguments: of `channelType` and `channelRole`, or inputs of the type
/// of `last`.
ValueId addTail(Graph &graph, ValueId last, const std::vector<TailFn> &tail,
                const TensorType &channelType, Role channelRole);

} // namespace boo
