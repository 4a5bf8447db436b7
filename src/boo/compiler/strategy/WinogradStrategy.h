//===- WinogradStrategy.h - When Winograd pays ------------------*- C++ -*-===//
#pragma once

#include "boo/compiler/strategy/ConvNest.h"
#include "boo/compiler/strategy/Strategy.h"

namespace boo::compiler {

/// `direct` with a line that says why not Winograd, or Winograd's Decision.
/// `filterIsFree`: the filter is transformed ahead of the launches. An
/// algorithm that is `asked` for is chosen whatever it costs, unless the group
/// or the math mode forbids it, which is an error.
StatusOr<Decision> weighWinograd(const ConvNest &nest, const Target &target,
                                 std::string_view math, bool filterIsFree,
                                 Decision direct,
                                 std::optional<Algorithm> asked);

} // namespace boo::compiler
