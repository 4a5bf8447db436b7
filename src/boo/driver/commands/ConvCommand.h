//===- ConvCommand.h - Flags of a convolution, checked ----------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Tail.h"
#include "boo/ops/conv/ConvProblem.h"

#include <array>

namespace boo {

/// Indices into convFlagTable().
enum class ConvFlag : size_t {
#define BOO_CONV_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/ConvFlags.inc"
};

/// A convolution as the command line asks for it. The spatial arrays hold
/// `rank` entries: height in 1-D, height and width, or depth, height and width.
struct ConvSpec {
  ConvDirection direction = ConvDirection::Forward;
  DType dtype = DType::F32;
  size_t rank = 2;
  int64_t batch = 0, inChannels = 0, outChannels = 0, groups = 1;
  std::array<int64_t, 3> in{}, filter{}, out{}, stride{}, dilation{};
  std::array<int64_t, 3> padLo{}, padHi{};
  std::string inLayout, filLayout, outLayout; ///< upper case
  bool bias = false, residual = false, weightsConstant = false;
  std::vector<TailFn> tail;
};

/// Reads and checks the flags; an error names the flag and the remedy.
StatusOr<ConvSpec> convSpec(const CommandLine &line,
                            std::vector<std::string> *notes);

/// iree-turbine's name, e.g. conv_2d_float32_forward_b_10x2x14x14_nchw_
/// 3x2x2x2_fchw_nfhw_1x1s_0x0p_1x1d_1g; padding that differs at the two ends is
/// written 0_1, and residual and tail follow.
std::string convFuncName(const ConvSpec &spec);

} // namespace boo
