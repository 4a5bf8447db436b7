//===- NormSpec.h - From a layer norm's description to a Graph --*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"

namespace boo {

/// Bits of --forw, as iree-turbine has them.
enum NormPart : int64_t {
  NormForward = 1,
  NormInputGrad = 2,
  NormWeightGrad = 4,
  NormBiasGrad = 8,
};

/// What a layer norm command asks for.
struct NormSpec {
  DType dtype = DType::F32;
  int64_t parts = NormForward;
  std::vector<int64_t> sizes;
  int64_t dims = 1; ///< last ones, that are normalised
  double eps = 1e-5;
  bool rms = false; ///< by the mean square, without centring
  bool weight = false, bias = false, stats = true, weightsConstant = false;
};

/// Graph, name, direction and output sizes.
Status buildNormGraph(const NormSpec &spec, CommandGraph *result);

} // namespace boo
