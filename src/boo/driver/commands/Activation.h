//===- Activation.h - MIOpen's activations as functions ---------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Tail.h"

namespace boo {

/// What MIOpenDriver's number of an activation computes with its three
/// parameters. `flag` is how the number is spelt, for messages.
StatusOr<std::vector<TailFn>> miopenActivation(const std::string &flag,
                                               int64_t mode, double alpha,
                                               double beta, double gamma);

} // namespace boo
