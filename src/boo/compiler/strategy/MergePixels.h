//===- MergePixels.h - Fewer dimensions of pixels ---------------*- C++ -*-===//
#pragma once

#include "boo/ops/conv/ConvProblem.h"

#include <span>

namespace boo::compiler {

/// Makes one dimension, the width, of spatial dimensions and of the batch that
/// a 1x1 filter with stride 1 walks through, where memory allows it for all
/// `operands`: the strides of whatever is addressed by pixels. A 1x1
/// convolution is one long row then.
void mergePixels(ConvProblem &problem,
                 std::span<ConvProblem::Strides *const> operands);

/// The same of the spatial dimensions alone.
void mergeRows(ConvProblem &problem,
               std::span<ConvProblem::Strides *const> operands);

} // namespace boo::compiler
