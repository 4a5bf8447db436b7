//===- GuardedLaunch.h - Runs an artifact between guards --------*- C++ -*-===//
#pragma once

#include "GuardedBuffer.h"
#include "boo/graph/Graph.h"

#include <string>
#include <vector>

namespace boo::testing {

/// Runs the artifact at `path`, of the one group that `graph` is, by calls of a
/// few tiles each, the last ones first. Workspace, constants and scratch lie
/// against an inaccessible page and hold NaN before they are written. Returns
/// what went wrong, or "".
std::string runGuarded(const Graph &graph, const std::string &path,
                       const std::vector<const void *> &in,
                       const std::vector<void *> &out,
                       GuardedBuffer::Guard guard);

} // namespace boo::testing
