//===- CbaCommand.cpp - A convolution with all that follows it ------------===//
//
// MIOpenDriver's CBAInfer: convolution, bias, batch norm with statistics from
// training, activation; one group. The batch norm's arguments are mean,
// 1 / sqrt(variance + eps), scale and shift.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/Activation.h"
#include "boo/driver/commands/ConvCommand.h"
#include "boo/driver/commands/DerivedFlags.h"

using namespace boo;

namespace {

/// Indices into cbaFlagTable(), which begins as conv's.
enum class CbaFlag : size_t {
  LastOfConv = convFlagCount - 1,
#define BOO_CBA_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/CbaFlags.inc"
};

struct CbaSpec {
  ConvSpec conv; ///< of the whole; its tail is the activation
  std::string parts;
  bool perPixel = false; ///< batch norm

  bool has(char part) const { return parts.find(part) != parts.npos; }
};

} // namespace

FlagTable boo::cbaFlagTable() {
  static const std::vector<Flag> table = deriveFlags(convFlagTable(),
                                                     {
#define BOO_CBA_INSTEAD(id, name, letter, value, kind, use, help, reason)      \
  {size_t(ConvFlag::id),                                                       \
   {name, letter, value, FlagKind::kind, FlagUse::use, help, reason}},
#include "boo/driver/commands/CbaFlags.inc"
                                                     },
                                                     {
#define BOO_CBA_FLAG(id, name, letter, value, kind, use, help, reason)         \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/CbaFlags.inc"
                                                     });
  return table;
}

/// Without a convolution its flags say nothing: those of one that changes no
/// size.
static CommandLine withoutConv(const CommandLine &line,
                               std::vector<std::string> *notes) {
  std::vector<std::pair<size_t, std::string>> instead{
      {size_t(ConvFlag::OutChannels),
       line.op.text(size_t(ConvFlag::InChannels))},
      {size_t(ConvFlag::PadMode), "default"},
      {size_t(ConvFlag::InCast), "-1"},
      {size_t(ConvFlag::WeiCast), "-1"}};
  for (ConvFlag flag :
       {ConvFlag::FilD, ConvFlag::FilH, ConvFlag::FilW, ConvFlag::StrideD,
        ConvFlag::StrideH, ConvFlag::StrideW, ConvFlag::DilationD,
        ConvFlag::DilationH, ConvFlag::DilationW, ConvFlag::Groups})
    instead.emplace_back(size_t(flag), "1");
  for (ConvFlag flag : {ConvFlag::PadD, ConvFlag::PadH, ConvFlag::PadW})
    instead.emplace_back(size_t(flag), "0");
  instead.emplace_back(size_t(ConvFlag::PadVal), "0");
  CommandLine result = line;
  result.op = withFlags(line.op, instead, "-F 2 has no convolution", notes);
  return result;
}

static StatusOr<CbaSpec> cbaSpec(const CommandLine &line,
                                 std::vector<std::string> *notes) {
  static constexpr std::string_view modes[] = {"cbna", "cna", "na", "cn",
                                               "cba",  "ca",  "cb"};
  CbaSpec spec;
  const FlagValues &op = line.op;
  auto spell = [&](size_t flag) { return flagSpelling(op.table()[flag]); };
  int64_t mode = op.integer(size_t(ConvFlag::Forw));
  if (mode < 0 || size_t(mode) >= std::size(modes))
    return invalidArgument(spell(size_t(ConvFlag::Forw)) + " " +
                           std::to_string(mode) +
                           ": 0 cbna, 1 cna, 2 na, 3 cn, 4 cba, 5 ca, 6 cb");
  spec.parts = modes[size_t(mode)];
  // Without one, readers would note the flags that were put in.
  std::vector<std::string> unsaid;
  CommandLine shaped = spec.has('c') ? line : withoutConv(line, notes);
  std::vector<std::string> *said = spec.has('c') ? notes : &unsaid;
  BOO_RETURN_IF_ERROR(readConvShape(shaped, &spec.conv, said));
  BOO_RETURN_IF_ERROR(readConvCasts(shaped.op, &spec.conv, said));
  spec.conv.bias = spec.has('b');
  int64_t norm = op.integer(size_t(CbaFlag::BnMode));
  if (norm != 0 && norm != 1)
    return invalidArgument(spell(size_t(CbaFlag::BnMode)) + " " +
                           std::to_string(norm) +
                           ": 0 has values for each channel and pixel, 1 for "
                           "each channel");
  spec.perPixel = norm == 0;
  BOO_ASSIGN_OR_RETURN(auto activation,
                       miopenActivation(spell(size_t(ConvFlag::Mode)),
                                        op.integer(size_t(ConvFlag::Mode)),
                                        op.real(size_t(CbaFlag::Alpha)),
                                        op.real(size_t(CbaFlag::Beta)),
                                        op.real(size_t(ConvFlag::GpuAlloc))));
  if (spec.has('a'))
    spec.conv.tail = std::move(activation);
  for (auto [flag, part] : {std::pair(size_t(CbaFlag::BnMode), 'n'),
                            std::pair(size_t(ConvFlag::Mode), 'a')})
    if (op.given(flag) && !spec.has(part))
      notes->push_back(spell(flag) + " is ignored: -F " + std::to_string(mode) +
                       " is " + spec.parts);
  return spec;
}

/// (x - mean) * rstd * scale + shift, with an argument for each of them.
static ValueId addBatchNorm(const CbaSpec &spec, ConvGraph &conv, Graph &graph,
                            ValueId last) {
  TensorType type = graph.value(last).type, each = conv.channel();
  if (spec.perPixel) {
    std::vector<int64_t> sizes = spec.conv.outSizes();
    sizes[0] = 1;
    each = TensorType::permuted(type.dtype, sizes,
                                layoutOrder(spec.conv.outLayout));
  }
  for (PointwiseFn fn :
       {PointwiseFn::Sub, PointwiseFn::Mul, PointwiseFn::Mul, PointwiseFn::Add})
    last = graph.addPointwise(
        fn, {last, graph.addArgument(each, conv.weights())}, type);
  return last;
}

StatusOr<CommandGraph> boo::buildCba(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(CbaSpec spec, cbaSpec(line, &result.notes));
  Graph &graph = result.graph;
  ConvGraph conv(spec.conv, graph);
  ValueId last = graph.addArgument(conv.input());
  if (spec.has('c'))
    last =
        conv.convolve(last, graph.addArgument(conv.filter(), conv.weights()));
  if (spec.conv.bias)
    last = conv.addBias(last);
  if (spec.has('n'))
    last = addBatchNorm(spec, conv, graph, last);
  graph.addOutput(
      addTail(graph, last, spec.conv.tail, conv.channel(), conv.weights()));
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = spec.parts;
  if (spec.has('n'))
    result.name += spec.perPixel ? "_pixel" : "_channel";
  result.name += "_" + convFuncName(spec.conv);
  result.outputSizes.push_back(
      sizesInLayout(spec.conv.outSizes(), spec.conv.outLayout));
  return result;
}
