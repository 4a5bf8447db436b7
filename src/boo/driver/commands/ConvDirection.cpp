//===- ConvDirection.cpp - What of a convolution is computed --------------===//

#include "boo/driver/commands/ConvCommand.h"

using namespace boo;

std::vector<std::string> boo::convLaunches(const FlagValues &op) {
  switch (op.integer(size_t(ConvFlag::Forw))) {
  case 0:
    // As MIOpenDriver, which has no number for the bias' gradient.
    if (op.on(size_t(ConvFlag::Bias)))
      return {"1", "2", "4", "7"};
    return {"1", "2", "4"};
  case 3:
    return {"1", "2"};
  case 5:
    return {"1", "4"};
  default:
    return {};
  }
}

static StatusOr<unsigned> readGradients(const FlagValues &op) {
  int64_t forw = op.integer(size_t(ConvFlag::Forw));
  std::string text = spellConvFlag(ConvFlag::Forw) + " " + std::to_string(forw);
  switch (forw) {
  case 1:
    return 0u;
  case 2:
    return unsigned(InputGrad);
  case 4:
    return unsigned(WeightGrad);
  case 6:
    return unsigned(InputGrad | WeightGrad);
  case 7:
    return unsigned(BiasGrad);
  case 8:
    return unsigned(InputGrad | BiasGrad);
  case 9:
    return unsigned(WeightGrad | BiasGrad);
  case 10:
    return unsigned(InputGrad | WeightGrad | BiasGrad);
  case 0:
  case 3:
  case 5:
    return invalidArgument(text + ": asks for several launches where one is "
                                  "wanted; take 1, 2 or 4, or 6 to 10");
  }
  return invalidArgument(
      text + ": 1 is forward, 2 the input's gradient, 4 the filter's, 0 (all), "
             "3 and 5 sums of these; 6 to 10 are gradients of one launch: 6 "
             "input and filter, 7 bias, 8 input and bias, 9 filter and bias, "
             "10 all");
}

Status boo::readConvDirection(const FlagValues &op, ConvSpec *spec) {
  BOO_ASSIGN_OR_RETURN(spec->gradients, readGradients(op));
  std::string mode = op.text(size_t(ConvFlag::Mode));
  if (mode != "conv" && mode != "trans")
    return invalidArgument(spellConvFlag(ConvFlag::Mode) +
                           ": takes conv or trans, not '" + mode.substr(0, 60) +
                           "'");
  spec->transposed = mode == "trans";
  return Status::ok();
}

/// The type that a cast flag names; none for -1.
static StatusOr<std::optional<DType>> readCast(const FlagValues &op,
                                               ConvFlag flag) {
  std::string text = op.text(size_t(flag));
  if (text == "-1")
    return std::optional<DType>();
  static constexpr struct {
    std::string_view name;
    DType dtype;
  } names[] = {{"fp64", DType::F64},
               {"fp32", DType::F32},
               {"fp16", DType::F16},
               {"bf16", DType::BF16},
               {"bfp16", DType::BF16}};
  for (const auto &each : names)
    if (text == each.name)
      return std::optional<DType>(each.dtype);
  std::string message = spellConvFlag(flag) + " " + text.substr(0, 60) + ": ";
  for (std::string_view known : {"fp8", "bfp8", "bf8", "int8", "int32"})
    if (text == known)
      return unsupported(message + "there is no such type here; casts go to "
                                   "fp16, bf16, fp32 or fp64");
  return invalidArgument(message + "takes fp16, bf16, fp32 or fp64");
}

/// Whether every number of type `from` is one of type `to`.
static bool holds(DType to, DType from) {
  return to == from || to == DType::F64 ||
         (to == DType::F32 && from != DType::F64);
}

Status boo::readConvCasts(const FlagValues &op, ConvSpec *spec,
                          std::vector<std::string> *notes) {
  bool input = spec->gradients == 0 || spec->wants(WeightGrad);
  bool filter = spec->gradients == 0 || spec->wants(InputGrad);
  bool outGrad = spec->wants(InputGrad) || spec->wants(WeightGrad);
  std::optional<DType> first;
  ConvFlag firstFlag{};
  for (auto [flag, read] : {std::pair(ConvFlag::InCast, input),
                            std::pair(ConvFlag::WeiCast, filter),
                            std::pair(ConvFlag::OutCast, outGrad)}) {
    BOO_ASSIGN_OR_RETURN(std::optional<DType> cast, readCast(op, flag));
    if (cast && (!read || holds(*cast, spec->dtype)))
      notes->push_back(spellConvFlag(flag) + " changes nothing: " +
                       (read ? "the type holds all numbers of the command's"
                             : "that tensor is not read in this direction"));
    if (!read)
      continue;
    DType dtype = cast && !holds(*cast, spec->dtype) ? *cast : spec->dtype;
    if (!first) {
      first = dtype;
      firstFlag = flag;
    } else if (*first != dtype) {
      return unsupported(spellConvFlag(firstFlag) + " and " +
                         spellConvFlag(flag) +
                         ": the factors of a product have one type; cast both "
                         "to the same");
    }
  }
  if (first && *first != spec->dtype)
    spec->castTo = first;
  return Status::ok();
}
