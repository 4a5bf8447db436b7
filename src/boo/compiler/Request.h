//===- Request.h - A Graph text with lines about it -------------*- C++ -*-===//
#pragma once

#include <string>
#include <string_view>

namespace boo::compiler {

/// What a file for boo-opt holds: a Graph text, and comment lines that say how
/// to compile it.
///
///   // schedule: m_tile=7 n_vectors=4
///   // target: avx2
///   // math: strict
///   // constants: packed
///   // math: strict
struct Request {
  std::string graph; ///< the lines that are no comments
  std::string schedule;
  std::string target; ///< Target text; a bare ISA has the default caches
  std::string math = "default";
  bool constantsPacked = false;
};

/// Any text gives a Request; what its lines hold is checked where it is used.
Request parseRequest(std::string_view text);

} // namespace boo::compiler
