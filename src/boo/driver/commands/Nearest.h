//===- Nearest.h - "did you mean …?" ----------------------------*- C++ -*-===//
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace boo {

/// The candidate that `word` was probably meant to be, or "" when none is near.
/// Case, `-` and `_` count as equal.
std::string nearest(std::string_view word,
                    std::span<const std::string_view> candidates);

/// "; did you mean 'X'?", or "".
std::string didYouMean(std::string_view word,
                       std::span<const std::string_view> candidates);

} // namespace boo
