//===- PoolCommand.cpp - The Graph of a pool command ----------------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/SizeList.h"
#include "boo/graph/ShapeInference.h"

#include <algorithm>

using namespace boo;

namespace {

/// Indices into poolFlagTable().
enum class PoolFlag : size_t {
#define BOO_POOL_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/PoolFlags.inc"
};

struct PoolSpec {
  DType dtype = DType::F32;
  std::string mode, layout;
  std::vector<int64_t> in, out; ///< N, C, then the spatial sizes
  std::vector<int64_t> window, stride, dilation, padLo, padHi;
  bool gradient = false, ceil = false, indices = false;
};

class Reader {
public:
  explicit Reader(const CommandLine &line) : Line(line) {}
  StatusOr<PoolSpec> read();

private:
  std::string text(PoolFlag flag) const { return Line.op.text(size_t(flag)); }
  int64_t integer(PoolFlag flag) const { return Line.op.integer(size_t(flag)); }
  static std::string spell(PoolFlag flag) {
    return flagSpelling(poolFlagTable()[size_t(flag)]);
  }
  Status wrong(PoolFlag flag, const std::string &choices) const {
    return Line.op.wrongChoice(size_t(flag), choices);
  }
  StatusOr<int64_t> atLeast(PoolFlag flag, int64_t least) const;
  /// Of the last `Rank` of the flags of depth, height and width; of height
  /// alone when there is one dimension.
  StatusOr<std::vector<int64_t>> spatial(PoolFlag depth, PoolFlag height,
                                         PoolFlag width, int64_t least) const;
  Status readSizes(PoolSpec &spec) const;
  Status readPadding(PoolSpec &spec) const;
  Status readLayout(PoolSpec &spec) const;
  Status findOutput(PoolSpec &spec) const;

  const CommandLine &Line;
  size_t Rank = 2;
};

} // namespace

/// By the number of spatial dimensions.
static constexpr std::string_view plain[] = {"", "NCH", "NCHW", "NCDHW"};

FlagTable boo::poolFlagTable() {
  static constexpr Flag table[] = {
#define BOO_POOL_FLAG(id, name, letter, value, kind, use, help, reason)        \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/PoolFlags.inc"
  };
  return table;
}

StatusOr<int64_t> Reader::atLeast(PoolFlag flag, int64_t least) const {
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  int64_t value = integer(flag);
  if (value < least || value > most)
    return wrong(flag, "must be " + std::to_string(least) + " to " +
                           std::to_string(most));
  return value;
}

StatusOr<std::vector<int64_t>> Reader::spatial(PoolFlag depth, PoolFlag height,
                                               PoolFlag width,
                                               int64_t least) const {
  std::vector<int64_t> values;
  auto take = [&](PoolFlag flag) -> Status {
    BOO_ASSIGN_OR_RETURN(int64_t value, atLeast(flag, least));
    values.push_back(value);
    return Status::ok();
  };
  if (Rank == 3)
    BOO_RETURN_IF_ERROR(take(depth));
  BOO_RETURN_IF_ERROR(take(height));
  if (Rank > 1)
    BOO_RETURN_IF_ERROR(take(width));
  return values;
}

Status Reader::readSizes(PoolSpec &spec) const {
  using enum PoolFlag;
  for (PoolFlag flag : {Batch, Channels}) {
    BOO_ASSIGN_OR_RETURN(int64_t size, atLeast(flag, 1));
    spec.in.push_back(size);
  }
  BOO_ASSIGN_OR_RETURN(auto sizes, spatial(InD, InH, InW, 1));
  spec.in.insert(spec.in.end(), sizes.begin(), sizes.end());
  BOO_ASSIGN_OR_RETURN(spec.window, spatial(WinD, WinH, WinW, 1));
  BOO_ASSIGN_OR_RETURN(spec.stride, spatial(StrideD, StrideH, StrideW, 1));
  BOO_ASSIGN_OR_RETURN(spec.dilation,
                       spatial(DilationD, DilationH, DilationW, 1));
  BOO_ASSIGN_OR_RETURN(spec.padLo, spatial(PadD, PadH, PadW, 0));
  spec.padHi = spec.padLo;
  return Status::ok();
}

Status Reader::readPadding(PoolSpec &spec) const {
  std::string mode = text(PoolFlag::PadMode);
  if (mode != "default" && mode != "valid" && mode != "same")
    return wrong(PoolFlag::PadMode, "takes default, valid or same");
  for (size_t i = 0; i != Rank && mode != "default"; ++i) {
    int64_t in = spec.in[i + 2], stride = spec.stride[i];
    int64_t extent = (spec.window[i] - 1) * spec.dilation[i] + 1;
    int64_t last = (in + stride - 1) / stride * stride - stride;
    int64_t needed = std::max<int64_t>(last + extent - in, 0);
    if (mode == "valid")
      needed = 0;
    spec.padLo[i] = needed / 2;
    spec.padHi[i] = needed - needed / 2;
  }
  return Status::ok();
}

Status Reader::readLayout(PoolSpec &spec) const {
  std::string_view letters = plain[Rank];
  spec.layout = text(PoolFlag::Layout);
  if (spec.layout.empty())
    spec.layout = letters;
  for (char &c : spec.layout)
    if (c >= 'a' && c <= 'z')
      c = char(c - 'a' + 'A');
  if (!std::is_permutation(spec.layout.begin(), spec.layout.end(),
                           letters.begin(), letters.end()))
    return wrong(PoolFlag::Layout,
                 "must hold each letter of " + std::string(letters) +
                     " once (--spatial_dim 1: NCH, 2: NCHW, 3: NCDHW)");
  return Status::ok();
}

static DType accType(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

static AttributeMap attributesOf(const PoolSpec &spec) {
  return {{"acc", accType(spec.dtype)}, {"ceil", spec.ceil},
          {"dilation", spec.dilation},  {"fn", spec.mode},
          {"pad_hi", spec.padHi},       {"pad_lo", spec.padLo},
          {"stride", spec.stride},      {"window", spec.window}};
}

/// A tensor in the layout of the command.
static TensorType typeOf(const PoolSpec &spec, DType dtype,
                         const std::vector<int64_t> &sizes) {
  std::vector<size_t> order;
  for (char letter : spec.layout)
    order.push_back(plain[sizes.size() - 2].find(letter));
  return TensorType::permuted(dtype, sizes, order);
}

Status Reader::findOutput(PoolSpec &spec) const {
  int64_t bytes = 8;
  for (int64_t size : spec.in)
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
      return invalidArgument("the input has more bytes than 61 bits count; "
                             "lower its sizes");
  AttributeMap attributes = attributesOf(spec);
  attributes["indices"] = false;
  BOO_ASSIGN_OR_RETURN(
      auto results,
      inferResults(Op::Pool, attributes,
                   {TensorType::contiguous(spec.dtype, spec.in)}));
  for (Dim dim : results[0].sizes)
    spec.out.push_back(dim.size());
  return Status::ok();
}

StatusOr<PoolSpec> Reader::read() {
  BOO_RETURN_IF_ERROR(refusePositionals(Line));
  PoolSpec spec;
  spec.dtype = Line.info->dtype;
  int64_t rank = integer(PoolFlag::SpatialDim);
  if (rank < 1 || rank > 3)
    return wrong(PoolFlag::SpatialDim, "must be 1, 2 or 3");
  Rank = size_t(rank);
  spec.mode = text(PoolFlag::Mode);
  if (spec.mode != "max" && spec.mode != "avg" && spec.mode != "avg_in")
    return wrong(PoolFlag::Mode, "takes max, avg or avg_in");
  int64_t forw = integer(PoolFlag::Forw);
  if (forw != 1 && forw != 2)
    return wrong(PoolFlag::Forw, forw == 0
                                     ? "both directions at once are not "
                                       "available; 1 is forward, 2 the gradient"
                                     : "1 is forward, 2 the gradient");
  spec.gradient = forw == 2;
  BOO_RETURN_IF_ERROR(readSizes(spec));
  BOO_RETURN_IF_ERROR(readPadding(spec));
  BOO_RETURN_IF_ERROR(readLayout(spec));
  spec.ceil = Line.op.on(size_t(PoolFlag::Ceil));
  spec.indices = Line.op.on(size_t(PoolFlag::Indices));
  if (spec.indices && (spec.mode != "max" || spec.gradient))
    return invalidArgument(spell(PoolFlag::Indices) +
                           ": only of -m max, forward");
  BOO_RETURN_IF_ERROR(findOutput(spec));
  return spec;
}

/// pool_max_float32_forward_16x64x112x112_nchw_3x3_2x2s_1x1p, then 2x2d, ceil
/// and indices where they are not the rule.
static std::string poolFuncName(const PoolSpec &spec) {
  std::string layout = spec.layout;
  for (char &c : layout)
    c = char(c - 'A' + 'a');
  std::string name =
      "pool_" + spec.mode + "_" + std::string(torchDType(spec.dtype)) +
      (spec.gradient ? "_input_backward_" : "_forward_") + joinSizes(spec.in) +
      "_" + layout + "_" + joinSizes(spec.window) + "_" +
      joinSizes(spec.stride) + "s_" + joinSizes(spec.padLo) + "p";
  if (spec.padHi != spec.padLo)
    name += "_" + joinSizes(spec.padHi) + "q";
  if (std::count(spec.dilation.begin(), spec.dilation.end(), 1) !=
      int64_t(spec.dilation.size()))
    name += "_" + joinSizes(spec.dilation) + "d";
  return name + (spec.ceil ? "_ceil" : "") + (spec.indices ? "_indices" : "");
}

/// Sizes in the order in which they lie in memory.
static std::vector<int64_t> shownSizes(const PoolSpec &spec,
                                       const std::vector<int64_t> &sizes) {
  std::vector<int64_t> shown;
  for (char letter : spec.layout)
    shown.push_back(sizes[plain[sizes.size() - 2].find(letter)]);
  return shown;
}

/// The gradient of the input; a maximum's indices are found anew.
static ValueId addGradient(Graph &graph, const PoolSpec &spec) {
  AttributeMap attributes = attributesOf(spec);
  TensorType out = typeOf(spec, spec.dtype, spec.out);
  std::vector<ValueId> operands;
  if (spec.mode == "max") {
    attributes["indices"] = true;
    ValueId x = graph.addArgument(typeOf(spec, spec.dtype, spec.in));
    operands.push_back(
        graph.addNode(Op::Pool, {x}, attributes,
                      {out, typeOf(spec, DType::I64, spec.out)})[1]);
    attributes.erase("indices");
  }
  operands.insert(operands.begin(), graph.addArgument(out));
  attributes["size"] = std::vector<int64_t>(spec.in.begin() + 2, spec.in.end());
  return graph.addNode(Op::PoolGrad, operands, attributes,
                       {typeOf(spec, spec.dtype, spec.in)})[0];
}

StatusOr<CommandGraph> boo::buildPool(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(PoolSpec spec, Reader(line).read());
  Graph &graph = result.graph;
  if (spec.gradient) {
    graph.addOutput(addGradient(graph, spec));
    result.direction = "input_backward";
    result.outputSizes.push_back(shownSizes(spec, spec.in));
  } else {
    AttributeMap attributes = attributesOf(spec);
    attributes["indices"] = spec.indices;
    std::vector<TensorType> types{typeOf(spec, spec.dtype, spec.out)};
    if (spec.indices)
      types.push_back(typeOf(spec, DType::I64, spec.out));
    ValueId x = graph.addArgument(typeOf(spec, spec.dtype, spec.in));
    for (ValueId id : graph.addNode(Op::Pool, {x}, attributes, types)) {
      graph.addOutput(id);
      result.outputSizes.push_back(shownSizes(spec, spec.out));
    }
  }
  BOO_RETURN_IF_ERROR(graph.verify());
  result.name = poolFuncName(spec);
  return result;
}
