//===- ConvSpec.cpp - From flags to a checked convolution -----------------===//

#include "boo/driver/commands/ConvCommand.h"
#include "boo/graph/ShapeInference.h"
#include "boo/ops/ErrorBound.h"

#include <algorithm>
#include <cmath>

using namespace boo;

FlagTable boo::convFlagTable() {
  static constexpr Flag table[] = {
#define BOO_CONV_FLAG(id, name, letter, value, kind, use, help, reason)        \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/ConvFlags.inc"
  };
  return table;
}

namespace {
struct Spatial {
  ConvFlag in, filter, stride, pad, dilation, outPad;
};
} // namespace

static constexpr Spatial SpatialFlags[] = {
    {ConvFlag::InD, ConvFlag::FilD, ConvFlag::StrideD, ConvFlag::PadD,
     ConvFlag::DilationD, ConvFlag::TransPadD},
    {ConvFlag::InH, ConvFlag::FilH, ConvFlag::StrideH, ConvFlag::PadH,
     ConvFlag::DilationH, ConvFlag::TransPadH},
    {ConvFlag::InW, ConvFlag::FilW, ConvFlag::StrideW, ConvFlag::PadW,
     ConvFlag::DilationW, ConvFlag::TransPadW},
};

/// Flags of spatial dimension `i` of `rank`: 1-D takes those of the height.
static const Spatial &spatialFlags(size_t rank, size_t i) {
  return SpatialFlags[rank == 3 ? i : i + 1];
}

std::string boo::spellConvFlag(ConvFlag flag) {
  return flagSpelling(convFlagTable()[size_t(flag)]);
}

/// "-H 5", for messages that cite several flags.
static std::string cite(const FlagValues &op, ConvFlag flag) {
  return std::string("-") + convFlagTable()[size_t(flag)].letter + " " +
         op.text(size_t(flag));
}

ConvFlag boo::convSizeFlag(size_t rank, size_t i) {
  return spatialFlags(rank, i).in;
}

static StatusOr<int64_t> readSize(const FlagValues &op, ConvFlag flag,
                                  int64_t least) {
  // Products of two sizes must stay below 2^63.
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  int64_t value = op.integer(size_t(flag));
  if (value < least || value > most)
    return invalidArgument(spellConvFlag(flag) + " " + std::to_string(value) +
                           ": must lie between " + std::to_string(least) +
                           " and " + std::to_string(most));
  return value;
}

static constexpr std::string_view PlainLayouts[] = {"NCH", "NCHW", "NCDHW"};

/// The layout in upper case; "" when the flag is not given.
static StatusOr<std::string> readLayout(const FlagValues &op, ConvFlag flag) {
  std::string layout = op.text(size_t(flag));
  for (char &c : layout)
    if (c >= 'a' && c <= 'z')
      c = char(c - 'a' + 'A');
  for (std::string_view plain : PlainLayouts)
    if (layout.empty() || std::is_permutation(layout.begin(), layout.end(),
                                              plain.begin(), plain.end()))
      return layout;
  // A letter tells more of what was meant than the length does.
  auto holds = [&](char c) { return layout.find(c) != layout.npos; };
  std::string_view meant =
      PlainLayouts[holds('D')                          ? 2
                   : layout.size() == 3 && !holds('W') ? 0
                                                       : 1];
  std::string missing;
  for (char c : meant)
    if (!holds(c))
      missing += std::string(missing.empty() ? "" : ", ") + c;
  if (!missing.empty())
    missing = "; without " + missing;
  return invalidArgument(
      spellConvFlag(flag) + " " + op.text(size_t(flag)).substr(0, 60) +
      ": must hold each letter of " + std::string(meant) + " once" + missing +
      " (1-D: NCH, 2-D: NCHW, 3-D: NCDHW)");
}

static StatusOr<size_t> readRank(const FlagValues &op) {
  ConvFlag first = ConvFlag::SpatialDim;
  int64_t rank = op.integer(size_t(first));
  bool told = op.given(size_t(first));
  for (ConvFlag flag :
       {ConvFlag::InLayout, ConvFlag::FilLayout, ConvFlag::OutLayout}) {
    BOO_ASSIGN_OR_RETURN(std::string layout, readLayout(op, flag));
    if (layout.empty())
      continue;
    int64_t wanted = int64_t(layout.size()) - 2;
    if (told && wanted != rank)
      return invalidArgument(spellConvFlag(flag) + " " +
                             op.text(size_t(flag)).substr(0, 60) + " and " +
                             spellConvFlag(first) + " " +
                             op.text(size_t(first)).substr(0, 60) +
                             " differ in the number of spatial dimensions");
    rank = wanted;
    first = flag;
    told = true;
  }
  if (rank < 1 || rank > 3)
    return invalidArgument(spellConvFlag(first) + " " +
                           op.text(size_t(first)).substr(0, 60) +
                           ": there are 1 to 3 spatial dimensions (NCH, NCHW, "
                           "NCDHW)");
  return size_t(rank);
}

/// Output size and padding of spatial dimension `i`.
static Status fitPlain(const FlagValues &op, const std::string &padMode,
                       ConvSpec *spec, size_t i) {
  const Spatial &flags = spatialFlags(spec->rank, i);
  int64_t span = (spec->filter[i] - 1) * spec->dilation[i] + 1;
  if (padMode == "same") {
    int64_t out = (spec->in[i] + spec->stride[i] - 1) / spec->stride[i];
    int64_t total =
        std::max<int64_t>((out - 1) * spec->stride[i] + span - spec->in[i], 0);
    spec->padLo[i] = total / 2;
    spec->padHi[i] = total - total / 2;
  }
  spec->out[i] =
      convOutputSize(spec->in[i], spec->filter[i], spec->stride[i],
                     spec->dilation[i], spec->padLo[i], spec->padHi[i]);
  if (spec->out[i] > 0)
    return Status::ok();
  int64_t padded = spec->in[i] + spec->padLo[i] + spec->padHi[i];
  return invalidArgument(
      "the filter does not fit: " + cite(op, flags.filter) + " with " +
      cite(op, flags.dilation) + " spans " + std::to_string(span) +
      ", but the padded input (" + cite(op, flags.in) + ", " +
      (padMode == "default" ? cite(op, flags.pad) : "-z " + padMode) +
      ") has " + std::to_string(padded) + "; raise -" +
      convFlagTable()[size_t(flags.pad)].letter + " or -" +
      convFlagTable()[size_t(flags.in)].letter + ", or lower -" +
      convFlagTable()[size_t(flags.filter)].letter);
}

/// The same of a transposed convolution: the plain one from `out` to `in` has
/// this padding.
static Status fitTransposed(const FlagValues &op, const std::string &padMode,
                            ConvSpec *spec, size_t i) {
  const Spatial &flags = spatialFlags(spec->rank, i);
  int64_t stride = spec->stride[i], pad = spec->padLo[i];
  int64_t reach = (spec->filter[i] - 1) * spec->dilation[i];
  if (padMode == "same") {
    spec->outPad[i] = 0;
    spec->out[i] = spec->in[i] * stride;
    int64_t total = std::max<int64_t>(reach + 1 - stride, 0);
    spec->padLo[i] = total / 2;
    spec->padHi[i] = total - total / 2;
    return Status::ok();
  }
  if (spec->outPad[i] >= std::max(stride, spec->dilation[i]))
    return invalidArgument(cite(op, flags.outPad) + ": must be smaller than " +
                           cite(op, flags.stride) + " or " +
                           cite(op, flags.dilation));
  spec->out[i] =
      (spec->in[i] - 1) * stride - 2 * pad + reach + spec->outPad[i] + 1;
  if (spec->out[i] < 1)
    return invalidArgument(
        "the output has no elements: " + cite(op, flags.pad) +
        " takes them all; raise -" + convFlagTable()[size_t(flags.in)].letter +
        " or lower -" + convFlagTable()[size_t(flags.pad)].letter);
  // The plain one must not make a further pixel of the output padding.
  spec->padHi[i] = pad - std::max<int64_t>(spec->outPad[i] - (stride - 1), 0);
  if (spec->padHi[i] < 0)
    return unsupported(cite(op, flags.outPad) + " beside " +
                       cite(op, flags.stride) + " and " + cite(op, flags.pad) +
                       ": as much as the stride needs padding to make up for "
                       "it; lower it, or raise -" +
                       convFlagTable()[size_t(flags.pad)].letter);
  return Status::ok();
}

/// The tensor's elements and bytes must be countable.
static Status checkBytes(std::string_view what, DType dtype,
                         std::vector<int64_t> sizes) {
  int64_t bytes = dtypeBytes(dtype);
  for (int64_t size : sizes)
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
      return invalidArgument("the " + std::string(what) +
                             " has more bytes than 61 bits count; lower its "
                             "sizes");
  return Status::ok();
}

static Status checkChannels(const ConvSpec &spec) {
  if (spec.inChannels % spec.groups != 0)
    return invalidArgument("-c " + std::to_string(spec.inChannels) +
                           " is not divisible by -g " +
                           std::to_string(spec.groups));
  if (spec.outChannels % spec.groups != 0)
    return invalidArgument("-k " + std::to_string(spec.outChannels) +
                           " is not divisible by -g " +
                           std::to_string(spec.groups));
  return Status::ok();
}

static Status checkAllBytes(const ConvSpec &spec) {
  BOO_RETURN_IF_ERROR(checkBytes("input", spec.dtype, spec.inSizes()));
  BOO_RETURN_IF_ERROR(checkBytes("filter", spec.dtype, spec.filterSizes()));
  return checkBytes("output", spec.dtype, spec.outSizes());
}

/// A padding that -z overrides.
static void noteOverridden(const FlagValues &op, const ConvSpec &spec,
                           std::vector<std::string> *notes) {
  for (size_t i = 0; i != spec.rank; ++i) {
    const Spatial &flags = spatialFlags(spec.rank, i);
    auto differs = [&](ConvFlag flag, int64_t lo, int64_t hi) {
      int64_t asked = op.integer(size_t(flag));
      return op.given(size_t(flag)) && (asked != lo || asked != hi);
    };
    bool chosen = op.text(size_t(ConvFlag::PadMode)) != "default";
    if (chosen && differs(flags.pad, spec.padLo[i], spec.padHi[i]))
      notes->push_back(spellConvFlag(flags.pad) + " '" +
                       op.text(size_t(flags.pad)) + "' is ignored: " +
                       cite(op, ConvFlag::PadMode) + " chooses the padding");
    if (differs(flags.outPad, spec.outPad[i], spec.outPad[i]))
      notes->push_back(spellConvFlag(flags.outPad) + " '" +
                       op.text(size_t(flags.outPad)) + "' is ignored: " +
                       (spec.transposed ? cite(op, ConvFlag::PadMode) +
                                              " chooses the output's size"
                                        : "it belongs to -m trans"));
  }
}

/// Flags of dimensions that a command of this rank does not have.
static void noteUnused(const FlagValues &op, size_t rank,
                       std::vector<std::string> *notes) {
  for (size_t d = 0; d != 3; ++d) {
    bool used = d == 1 || (d == 0 && rank == 3) || (d == 2 && rank >= 2);
    const Spatial &flags = SpatialFlags[d];
    for (ConvFlag flag : {flags.in, flags.filter, flags.stride, flags.pad,
                          flags.dilation, flags.outPad})
      if (!used && op.given(size_t(flag)))
        notes->push_back(
            spellConvFlag(flag) + " is ignored: the convolution has " +
            std::to_string(rank) + " spatial dimension" +
            (rank == 1 ? " (the flags of the height apply)" : "s"));
  }
}

static Status readDimension(const FlagValues &op, const std::string &padMode,
                            ConvSpec *spec, size_t i) {
  const Spatial &flags = spatialFlags(spec->rank, i);
  BOO_ASSIGN_OR_RETURN(spec->in[i], readSize(op, flags.in, 1));
  BOO_ASSIGN_OR_RETURN(spec->filter[i], readSize(op, flags.filter, 1));
  BOO_ASSIGN_OR_RETURN(spec->stride[i], readSize(op, flags.stride, 1));
  BOO_ASSIGN_OR_RETURN(spec->dilation[i], readSize(op, flags.dilation, 1));
  BOO_ASSIGN_OR_RETURN(spec->padLo[i], readSize(op, flags.pad, 0));
  if (padMode == "valid")
    spec->padLo[i] = 0;
  spec->padHi[i] = spec->padLo[i];
  if (!spec->transposed)
    return fitPlain(op, padMode, spec, i);
  BOO_ASSIGN_OR_RETURN(spec->outPad[i], readSize(op, flags.outPad, 0));
  return fitTransposed(op, padMode, spec, i);
}

/// -r, and whether it has an effect on anything but a gradient of the input.
static Status readPadValue(const FlagValues &op, ConvSpec *spec,
                           std::vector<std::string> *notes) {
  double value = op.real(size_t(ConvFlag::PadVal));
  if (!(std::fabs(value) <= floatLimits(spec->dtype).largest))
    return op.wrongChoice(size_t(ConvFlag::PadVal),
                          "must be a number that " +
                              std::string(torchDType(spec->dtype)) + " holds");
  if (value == 0)
    return Status::ok();
  if (spec->transposed)
    return invalidArgument(cite(op, ConvFlag::PadVal) +
                           ": -m trans pads nothing, its padding cuts the "
                           "output");
  std::vector<int64_t> sizes = spec->inSizes();
  for (size_t i = 0; i != spec->rank; ++i) {
    sizes[i + 2] += spec->padLo[i] + spec->padHi[i];
    if (sizes[i + 2] != spec->in[i])
      spec->padValue = value;
  }
  if (spec->padValue == 0)
    notes->push_back(cite(op, ConvFlag::PadVal) +
                     " changes nothing: nothing is padded");
  return checkBytes("padded input", spec->dtype, sizes);
}

Status boo::readConvShape(const CommandLine &line, ConvSpec *spec,
                          std::vector<std::string> *notes) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  spec->dtype = line.info->dtype;
  spec->weightsConstant = line.driver.on(DriverFlag::WeiConst);
  BOO_ASSIGN_OR_RETURN(spec->rank, readRank(op));
  BOO_ASSIGN_OR_RETURN(spec->inLayout, readLayout(op, ConvFlag::InLayout));
  BOO_ASSIGN_OR_RETURN(spec->filLayout, readLayout(op, ConvFlag::FilLayout));
  BOO_ASSIGN_OR_RETURN(spec->outLayout, readLayout(op, ConvFlag::OutLayout));
  for (std::string *layout :
       {&spec->inLayout, &spec->filLayout, &spec->outLayout})
    if (layout->empty())
      *layout = PlainLayouts[spec->rank - 1];
  BOO_ASSIGN_OR_RETURN(spec->batch, readSize(op, ConvFlag::Batch, 1));
  BOO_ASSIGN_OR_RETURN(spec->inChannels, readSize(op, ConvFlag::InChannels, 1));
  BOO_ASSIGN_OR_RETURN(spec->outChannels,
                       readSize(op, ConvFlag::OutChannels, 1));
  BOO_ASSIGN_OR_RETURN(spec->groups, readSize(op, ConvFlag::Groups, 1));
  BOO_RETURN_IF_ERROR(checkChannels(*spec));

  std::string padMode = op.text(size_t(ConvFlag::PadMode));
  if (padMode != "default" && padMode != "same" && padMode != "valid")
    return invalidArgument(spellConvFlag(ConvFlag::PadMode) +
                           ": takes default, same or valid, not '" +
                           padMode.substr(0, 60) + "'");
  for (size_t i = 0; i != spec->rank; ++i)
    BOO_RETURN_IF_ERROR(readDimension(op, padMode, spec, i));
  BOO_RETURN_IF_ERROR(readPadValue(op, spec, notes));
  BOO_RETURN_IF_ERROR(checkAllBytes(*spec));
  noteOverridden(op, *spec, notes);
  noteUnused(op, spec->rank, notes);
  return Status::ok();
}

/// What only the forward direction has.
static Status checkGradients(const ConvSpec &spec,
                             std::vector<std::string> *notes) {
  if (spec.gradients == 0)
    return Status::ok();
  if (spec.residual || !spec.tail.empty())
    return invalidArgument(
        std::string(spec.residual ? "--residual" : "--tail") +
        ": only the forward direction has one (-F 1)");
  if (spec.bias && !spec.wants(BiasGrad))
    notes->push_back(spellConvFlag(ConvFlag::Bias) +
                     " changes nothing: these gradients do not depend on a "
                     "bias");
  if (spec.padValue != 0 && !spec.wants(WeightGrad))
    notes->push_back(spellConvFlag(ConvFlag::PadVal) +
                     " changes nothing: these gradients do not depend on what "
                     "the input is padded with");
  if (spec.weightsConstant && !spec.wants(InputGrad))
    notes->push_back("--wei-const changes nothing: no filter is read for "
                     "these gradients");
  return Status::ok();
}

StatusOr<ConvSpec> boo::convSpec(const CommandLine &line,
                                 std::vector<std::string> *notes) {
  const FlagValues &op = line.op;
  ConvSpec spec;
  BOO_RETURN_IF_ERROR(readConvDirection(op, &spec));
  BOO_RETURN_IF_ERROR(readConvShape(line, &spec, notes));
  BOO_RETURN_IF_ERROR(readConvCasts(op, &spec, notes));
  BOO_ASSIGN_OR_RETURN(spec.tail,
                       parseTail(op.text(size_t(ConvFlag::Tail)), "channel"));
  spec.bias = op.on(size_t(ConvFlag::Bias));
  spec.residual = op.on(size_t(ConvFlag::Residual));
  BOO_RETURN_IF_ERROR(checkGradients(spec, notes));
  if (spec.gradients != 0 && !spec.wants(WeightGrad))
    spec.padValue = 0;
  return spec;
}
