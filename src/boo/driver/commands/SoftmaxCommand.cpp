//===- SoftmaxCommand.cpp - The Graph of a softmax command ----------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/SizeList.h"

using namespace boo;

namespace {

/// Indices into softmaxFlagTable().
enum class SoftmaxFlag : size_t {
#define BOO_SOFTMAX_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/SoftmaxFlags.inc"
};

struct SoftmaxSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes; ///< N, C, H, W
  int64_t forw = 1;           ///< 1: forward, 2: gradient, 0: both
  bool log = false;
  bool perImage = false;     ///< over C, H and W together
  bool channelsLast = false; ///< NHWC memory
};

} // namespace

FlagTable boo::softmaxFlagTable() {
  static constexpr Flag table[] = {
#define BOO_SOFTMAX_FLAG(id, name, letter, value, kind, use, help, reason)     \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/SoftmaxFlags.inc"
  };
  return table;
}

static StatusOr<SoftmaxSpec> softmaxSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  SoftmaxSpec spec;
  spec.dtype = line.info->dtype;
  BOO_ASSIGN_OR_RETURN(
      spec.sizes,
      readImageSizes(op,
                     {size_t(SoftmaxFlag::Batch), size_t(SoftmaxFlag::Channels),
                      size_t(SoftmaxFlag::InH), size_t(SoftmaxFlag::InW)},
                     spec.dtype));
  auto text = [&](SoftmaxFlag flag) { return op.text(size_t(flag)); };
  spec.forw = op.integer(size_t(SoftmaxFlag::Forw));
  if (spec.forw < 0 || spec.forw > 2)
    return op.wrongChoice(size_t(SoftmaxFlag::Forw),
                          "1 is forward, 2 the gradient, 0 both");
  int64_t algorithm = op.integer(size_t(SoftmaxFlag::Algorithm));
  if (algorithm < 0 || algorithm > 2)
    return op.wrongChoice(size_t(SoftmaxFlag::Algorithm),
                          "0 is fast, 1 accurate, 2 the logarithm");
  spec.log = algorithm == 2;
  int64_t mode = op.integer(size_t(SoftmaxFlag::Mode));
  if (mode != 0 && mode != 1)
    return op.wrongChoice(size_t(SoftmaxFlag::Mode),
                          "0 is over each image, 1 over the channels");
  spec.perImage = mode == 0;
  std::string layout = text(SoftmaxFlag::Layout);
  if (layout != "NCHW" && layout != "NHWC")
    return op.wrongChoice(size_t(SoftmaxFlag::Layout), "must be NCHW or NHWC");
  spec.channelsLast = layout == "NHWC";
  return spec;
}

static std::string_view directionName(int64_t forw) {
  static constexpr std::string_view names[] = {"forward_backward", "forward",
                                               "backward"};
  return names[forw];
}

/// In the manner of iree-turbine's names, which has none for it:
/// softmax_float32_forward_8x1000x1x1_nchw_channel, log_softmax_….
static std::string softmaxFuncName(const SoftmaxSpec &spec) {
  std::string name = std::string(spec.log ? "log_" : "") + "softmax_" +
                     std::string(torchDType(spec.dtype)) + "_" +
                     std::string(directionName(spec.forw)) + "_";
  for (size_t i = 0; i != 4; ++i)
    name += (i ? "x" : "") + std::to_string(spec.sizes[i]);
  return name + (spec.channelsLast ? "_nhwc" : "_nchw") +
         (spec.perImage ? "_instance" : "_channel");
}

StatusOr<CommandGraph> boo::buildSoftmax(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(SoftmaxSpec spec, softmaxSpec(line));
  const std::vector<int64_t> &n = spec.sizes;
  TensorType type =
      TensorType::permuted(spec.dtype, n,
                           spec.channelsLast ? std::vector<size_t>{0, 2, 3, 1}
                                             : std::vector<size_t>{0, 1, 2, 3});
  // An image's elements lie together in either layout: their order is all one.
  if (spec.perImage)
    type = TensorType::contiguous(spec.dtype, {n[0], n[1] * n[2] * n[3]});
  Graph &graph = result.graph;
  AttributeMap attributes{
      {"acc", spec.dtype == DType::F64 ? DType::F64 : DType::F32},
      {"axis", int64_t(1)},
      {"log", spec.log}};
  // As torch has them: the output's gradient first.
  ValueId dy = spec.forw == 1 ? kNoValue : graph.addArgument(type);
  ValueId y = graph.addArgument(type);
  auto addOutput = [&](ValueId id) {
    graph.addOutput(id);
    result.outputSizes.push_back(
        spec.channelsLast ? std::vector<int64_t>{n[0], n[2], n[3], n[1]} : n);
  };
  if (spec.forw != 2) {
    y = graph.addNode(Op::Softmax, {y}, attributes, {type}).front();
    addOutput(y);
  }
  if (spec.forw != 1)
    addOutput(
        graph.addNode(Op::SoftmaxGrad, {dy, y}, attributes, {type}).front());
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = softmaxFuncName(spec);
  result.direction = directionName(spec.forw);
  return result;
}
