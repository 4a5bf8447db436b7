//===- MatmulNest.h - A matrix product as a loop nest -----------*- C++ -*-===//
#pragma once

#include "boo/compiler/strategy/ConvNest.h"

namespace boo::compiler {

/// The nest of a group whose anchor is a matmul: rows are pixels, columns
/// output channels, k input channels. Batch dimensions over which the filter
/// (B) stays the same are pixels too, the others groups. A and B change places
/// when that fills the lanes better (few columns) or suits the output's memory
/// (a column-major one): ConvNest::exchanged tells.
ConvNest matmulNest(const Graph &group);

} // namespace boo::compiler
