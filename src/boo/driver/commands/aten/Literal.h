//===- Literal.h - Python literals, as profilers record them ----*- C++ -*-===//
#pragma once

#include "boo/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace boo {

/// A value of Python: None, a bool, an integer, a real number, a string, or a
/// list (or tuple) of such.
struct Literal {
  enum Kind { None, Bool, Integer, Real, Text, List };
  Kind kind = None;
  bool truth = false;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Literal> items;
};

/// Reads all of `text`. Understood: None, True, False, decimal numbers, inf,
/// nan, strings in either quotes without backslashes, lists, tuples. An error
/// names the column.
StatusOr<Literal> parseLiteral(std::string_view text);

} // namespace boo
