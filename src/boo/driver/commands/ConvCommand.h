//===- ConvCommand.h - Flags of a convolution, checked ----------*- C++ -*-===//
#pragma once

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Tail.h"

#include <array>
#include <optional>

namespace boo {

/// Indices into convFlagTable().
enum class ConvFlag : size_t {
#define BOO_CONV_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/ConvFlags.inc"
};

/// Flags in convFlagTable(); tables of other commands begin with them.
inline constexpr size_t convFlagCount = 0
#define BOO_CONV_FLAG(id, name, letter, value, kind, use, help, reason) +1
#include "boo/driver/commands/ConvFlags.inc"
    ;

/// What a gradient is that of; bits of ConvSpec::gradients.
enum ConvGradient : unsigned { InputGrad = 1, WeightGrad = 2, BiasGrad = 4 };

/// A convolution as the command line asks for it. The spatial arrays hold
/// `rank` entries: height in 1-D, height and width, or depth, height and width.
struct ConvSpec {
  unsigned gradients = 0; ///< 0 = forward
  bool transposed = false;
  DType dtype = DType::F32;
  /// What both factors of a product are rounded to before it.
  std::optional<DType> castTo;
  size_t rank = 2;
  int64_t batch = 0, inChannels = 0, outChannels = 0, groups = 1;
  std::array<int64_t, 3> in{}, filter{}, out{}, stride{}, dilation{};
  std::array<int64_t, 3> padLo{}, padHi{}, outPad{};
  double padValue = 0;                        ///< 0 where nothing is padded
  std::string inLayout, filLayout, outLayout; ///< upper case
  bool bias = false, residual = false, weightsConstant = false;
  std::vector<TailFn> tail;

  bool wants(ConvGradient gradient) const { return gradients & gradient; }
  /// batch or filters, channels, space; as torch has them: the filter of a
  /// transposed convolution has the input's channels first.
  std::vector<int64_t> inSizes() const;
  std::vector<int64_t> filterSizes() const;
  std::vector<int64_t> outSizes() const;
};

/// Reads and checks the flags; an error names the flag and the remedy.
StatusOr<ConvSpec> convSpec(const CommandLine &line,
                            std::vector<std::string> *notes);

/// The parts of it, for commands with this table at the begin of their own. The
/// first reads sizes, layouts and paddings, into a spec whose `transposed` is
/// set.
Status readConvShape(const CommandLine &line, ConvSpec *spec,
                     std::vector<std::string> *notes);
/// -m and -F.
Status readConvDirection(const FlagValues &op, ConvSpec *spec);
/// -U, -R and -T.
Status readConvCasts(const FlagValues &op, ConvSpec *spec,
                     std::vector<std::string> *notes);

/// "--in_h (-H)", for messages.
std::string spellConvFlag(ConvFlag flag);
/// The flag of the input's size in spatial dimension `i`.
ConvFlag convSizeFlag(size_t rank, size_t i);

/// Values of -F, each of one launch, that -F asks for one after the other; none
/// when it is one launch anyway.
std::vector<std::string> convLaunches(const FlagValues &op);

/// "forward", or which gradients, as iree-turbine names them:
/// "input_weight_backward".
std::string convDirectionName(unsigned gradients);

/// iree-turbine's name of the convolution, e.g.
/// conv_2d_float32_forward_b_10x2x14x14_nchw_3x2x2x2_fchw_nfhw_1x1s_0x0p_1x1d_1g
/// with what turbine does not have behind it.
std::string convFuncName(const ConvSpec &spec);

/// Types of a convolution's tensors, and the nodes made of them.
class ConvGraph {
public:
  ConvGraph(const ConvSpec &spec, Graph &graph) : Spec(spec), G(graph) {}

  TensorType input() const;
  TensorType filter() const;
  TensorType output() const;
  /// One value a channel of the output: a contiguous vector seen with its rank.
  TensorType channel() const;
  Role weights() const {
    return Spec.weightsConstant ? Role::Constant : Role::Input;
  }

  /// The convolution, without bias and tail.
  ValueId convolve(ValueId input, ValueId filter);
  ValueId inputGradient(ValueId outGrad, ValueId filter);
  ValueId weightGradient(ValueId outGrad, ValueId input);
  ValueId biasGradient(ValueId outGrad);
  /// A value for each channel, added: an argument of its own.
  ValueId addBias(ValueId last);

private:
  AttributeMap attributes() const;
  /// The input with its padding, where that is not zeros.
  ValueId padded(ValueId input);
  ValueId product(Op op, ValueId first, ValueId second, const TensorType &type,
                  const std::array<int64_t, 3> *size, bool padsZeros = true);

  const ConvSpec &Spec;
  Graph &G;
};

/// `sizes` (batch, channels, spatial…) in the order of the layout's letters: as
/// they lie in memory.
std::vector<int64_t> sizesInLayout(const std::vector<int64_t> &sizes,
                                   const std::string &layout);
/// The dimensions in that order.
std::vector<size_t> layoutOrder(const std::string &layout);

} // namespace boo
