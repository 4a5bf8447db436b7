//===- ScheduleCost.h - What a Schedule is expected to take -----*- C++ -*-===//
#pragma once

#include "boo/base/Target.h"
#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Schedule.h"

namespace boo::compiler {

/// Cycles, of the imagined core of RegisterTile.h, that direct sums of a nest
/// take on the target's cores. Good for an order of Schedules of one nest, in
/// which the likely ones come first; measurements decide.
double nestCost(const ConvNest &nest, const Target &target,
                const Schedule &schedule);

/// Blocks of channels beside whose products the copy of a row to scratch is
/// small: it is made again for each chunk of blocks, which can cost more than
/// reading a filter from beyond the second-level cache. 1 where none is made.
int64_t blocksForCopy(const ConvNest &nest, const Schedule &schedule);

} // namespace boo::compiler
