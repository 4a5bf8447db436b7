//===- Reference.h - Pool nodes in float64 ----------------------*- C++ -*-===//
#pragma once

#include "boo/ops/Tensor.h"
#include "boo/ops/pool/PoolProblem.h"

namespace boo {

/// The results of a Pool node. Of equal elements in a window the first is the
/// maximum, and of several NaNs the last, as in torch; the maximum of no
/// element is -inf, with the index -1, and the average of none NaN. Nothing is
/// said of an index where the operand's errors leave two elements in question.
StatusOr<std::vector<Tensor>> evaluatePool(const PoolProblem &problem,
                                           bool indices, const TensorView &x,
                                           Workers workers);

/// The result of a PoolGrad node; `indices` only of a maximum.
StatusOr<Tensor> evaluatePoolGrad(const PoolProblem &problem,
                                  const TensorView &outGrad,
                                  const TensorView *indices, Workers workers);

} // namespace boo
