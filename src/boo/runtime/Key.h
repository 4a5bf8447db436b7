//===- Key.h - What makes two kernels the same ------------------*- C++ -*-===//
#pragma once

#include "boo/base/Target.h"
#include "boo/graph/Graph.h"

namespace boo {

/// Everything that an artifact depends on. What stands in none of these fields
/// must not change the code: thread counts and names do not.
struct KeyInputs {
  std::string graph; ///< canonical text of the group
  Target target;
  std::string math;
  bool constantsPacked = false;
  std::string tuningEntry;
  std::string transforms; ///< text of a transform library, or ""
  std::string builds;     ///< compilerBuilds()
};

/// 32 hexadecimal digits.
std::string computeKey(const KeyInputs &inputs);
bool isKey(std::string_view text);

/// A folder name for a func_name: itself if it has at most 200 safe bytes, else
/// its safe form with a hash. safeName(safeName(x)) == safeName(x).
std::string safeName(std::string_view name);

/// A name for people, when the front end has none: ops, output and a hash.
std::string deriveName(const Graph &graph);

} // namespace boo
