//===- RandomSchedule.h - Tuning entries at random --------------*- C++ -*-===//
#pragma once

#include "boo/base/Target.h"

#include <random>
#include <string>

namespace boo::testing {

/// A tuning entry for a convolution that names about half of a Schedule's
/// fields, with values that fit registers and values that do not. The compiler
/// may refuse it, with a reason that starts "schedule: ".
std::string randomSchedule(std::mt19937_64 &random, const Target &target);

} // namespace boo::testing
