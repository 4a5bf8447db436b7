//===- AttentionCommand.cpp - The Graph of an attention command -----------===//

#include "boo/driver/commands/Command.h"

#include <cmath>

using namespace boo;

namespace {

/// Indices into attentionFlagTable().
enum class AttentionFlag : size_t {
#define BOO_ATTENTION_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/AttentionFlags.inc"
};

struct AttentionSpec {
  DType dtype = DType::F32;
  int64_t batch = 1, heads = 1, kvHeads = 1;
  int64_t queries = 1, keys = 1, depth = 1, valueDepth = 1;
  bool causal = false, logsumexp = false;
  bool headsInside = false; ///< layout bshd
  bool layer = false;       ///< with the projections
  bool weightsConstant = false;
  bool backward = false; ///< gradients of queries, keys and values
  bool defaultScale = true;
  double scale = 1;
  std::string mask; ///< letters of "bhst", "" without one

  DType acc() const { return dtype == DType::F64 ? DType::F64 : DType::F32; }
};

} // namespace

FlagTable boo::attentionFlagTable() {
  static constexpr Flag table[] = {
#define BOO_ATTENTION_FLAG(id, name, letter, value, kind, use, help, reason)   \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/AttentionFlags.inc"
  };
  return table;
}

static std::string spell(AttentionFlag flag) {
  return flagSpelling(attentionFlagTable()[size_t(flag)]);
}

/// The value of `flag`, or `otherwise` when it is not given.
static StatusOr<int64_t> readSize(const FlagValues &op, AttentionFlag flag,
                                  int64_t otherwise = 0) {
  // Products of two sizes must stay below 2^63.
  constexpr int64_t most = (int64_t(1) << 31) - 1;
  if (otherwise != 0 && !op.given(size_t(flag)))
    return otherwise;
  int64_t value = op.integer(size_t(flag));
  if (value < 1 || value > most)
    return op.wrongChoice(size_t(flag),
                          "must lie between 1 and " + std::to_string(most));
  return value;
}

/// "ts" as "st": the letters of bhst that are in `text`, in that order.
static StatusOr<std::string> readMask(const FlagValues &op) {
  const std::string text = op.text(size_t(AttentionFlag::Mask));
  std::string mask;
  for (char c : std::string("bhst"))
    if (text.find(c) != text.npos)
      mask += c;
  if (mask.size() == text.size())
    return mask;
  return op.wrongChoice(size_t(AttentionFlag::Mask),
                        "must be letters of bhst, each at most once: the "
                        "dimensions that the mask has");
}

/// Elements and bytes of all tensors must be countable.
static Status checkBytes(const AttentionSpec &spec) {
  auto check = [&](std::initializer_list<int64_t> sizes, const char *what) {
    int64_t bytes = dtypeBytes(spec.dtype);
    for (int64_t size : sizes)
      if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 16)
        return invalidArgument(std::string(what) +
                               " has more bytes than 59 bits count; lower its "
                               "sizes");
    return Status::ok();
  };
  int64_t b = spec.batch, h = spec.heads, d = spec.depth;
  int64_t wide = std::max(spec.depth, spec.valueDepth);
  BOO_RETURN_IF_ERROR(check({b, h, spec.queries, wide}, "the query"));
  BOO_RETURN_IF_ERROR(check({b, spec.kvHeads, spec.keys, wide}, "the key"));
  if (spec.layer)
    BOO_RETURN_IF_ERROR(check({h, d, h, wide}, "the weight"));
  if (!spec.mask.empty())
    BOO_RETURN_IF_ERROR(check({b, h, spec.queries, spec.keys}, "the mask"));
  return Status::ok();
}

static StatusOr<AttentionSpec> attentionSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  AttentionSpec spec;
  spec.dtype = line.info->dtype;
  using F = AttentionFlag;
  int64_t forw = op.integer(size_t(F::Forw));
  if (forw != 1 && forw != 2)
    return op.wrongChoice(size_t(F::Forw), "1 is forward, 2 the gradients");
  spec.backward = forw == 2;
  BOO_ASSIGN_OR_RETURN(spec.batch, readSize(op, F::Batch));
  BOO_ASSIGN_OR_RETURN(spec.heads, readSize(op, F::Heads));
  BOO_ASSIGN_OR_RETURN(spec.kvHeads, readSize(op, F::KvHeads, spec.heads));
  if (spec.heads % spec.kvHeads != 0)
    return invalidArgument(spell(F::KvHeads) + " " +
                           std::to_string(spec.kvHeads) + ": must divide " +
                           spell(F::Heads) + " " + std::to_string(spec.heads));
  BOO_ASSIGN_OR_RETURN(spec.queries, readSize(op, F::Seq));
  BOO_ASSIGN_OR_RETURN(spec.keys, readSize(op, F::KvSeq, spec.queries));
  BOO_ASSIGN_OR_RETURN(spec.depth, readSize(op, F::HeadDim));
  BOO_ASSIGN_OR_RETURN(spec.valueDepth, readSize(op, F::ValueDim, spec.depth));
  spec.causal = op.on(size_t(F::Causal));
  spec.logsumexp = op.on(size_t(F::LogSumExp));
  spec.layer = op.on(size_t(F::Qkv));
  spec.weightsConstant = line.driver.on(DriverFlag::WeiConst);
  BOO_ASSIGN_OR_RETURN(spec.mask, readMask(op));
  spec.defaultScale = !op.given(size_t(F::Scale));
  spec.scale = spec.defaultScale ? 1 / std::sqrt(double(spec.depth))
                                 : op.real(size_t(F::Scale));
  if (!(std::fabs(spec.scale) <= 1e30))
    return op.wrongChoice(size_t(F::Scale), "must lie between -1e30 and 1e30");
  std::string layout = op.text(size_t(F::Layout));
  if (layout != "bhsd" && layout != "bshd")
    return op.wrongChoice(size_t(F::Layout), "must be bhsd or bshd");
  spec.headsInside = layout == "bshd" || spec.layer;
  for (F flag : {F::LogSumExp, F::Qkv})
    if (spec.backward && op.on(size_t(flag)))
      return invalidArgument(spell(flag) + " belongs to -F 1: gradients are "
                                           "those of the attention alone");
  if (spec.layer && spec.logsumexp)
    return invalidArgument(spell(F::LogSumExp) + " stands beside " +
                           spell(F::Qkv) + ": a layer has one result");
  if (spec.layer && spec.keys != spec.queries)
    return invalidArgument(spell(F::KvSeq) + " " + std::to_string(spec.keys) +
                           " beside " + spell(F::Qkv) +
                           ": queries and keys of a layer are of one sequence");
  BOO_RETURN_IF_ERROR(checkBytes(spec));
  return spec;
}

/// In the manner of iree-turbine's names, which has none for it:
/// mhsa_float32_forward_4x8x512x64_bhsd; batch, heads, queries, elements of a
/// head. What differs from those follows: kv2x512x32, causal, maskst,
/// scale0.5, lse, qkv.
static std::string attentionFuncName(const AttentionSpec &spec) {
  auto str = [](int64_t value) { return std::to_string(value); };
  std::string name = "mhsa_" + std::string(torchDType(spec.dtype)) +
                     (spec.backward ? "_backward_" : "_forward_") +
                     str(spec.batch) + "x" + str(spec.heads) + "x" +
                     str(spec.queries) + "x" + str(spec.depth) +
                     (spec.headsInside ? "_bshd" : "_bhsd");
  if (spec.kvHeads != spec.heads || spec.keys != spec.queries ||
      spec.valueDepth != spec.depth)
    name += "_kv" + str(spec.kvHeads) + "x" + str(spec.keys) + "x" +
            str(spec.valueDepth);
  if (spec.causal)
    name += "_causal";
  if (!spec.mask.empty())
    name += "_mask" + spec.mask;
  char scale[32];
  std::snprintf(scale, sizeof scale, "_scale%g", spec.scale);
  if (!spec.defaultScale)
    name += scale;
  if (spec.logsumexp)
    name += "_lse";
  if (spec.layer)
    name += "_qkv";
  return name;
}

/// [B, heads, rows, columns] in the memory layout that is asked for.
static TensorType headType(const AttentionSpec &spec, int64_t heads,
                           int64_t rows, int64_t columns) {
  std::vector<size_t> order{0, 1, 2, 3};
  if (spec.headsInside)
    order = {0, 2, 1, 3};
  return TensorType::permuted(spec.dtype, {spec.batch, heads, rows, columns},
                              order);
}

static ValueId addMask(Graph &graph, const AttentionSpec &spec) {
  std::vector<int64_t> sizes{spec.batch, spec.heads, spec.queries, spec.keys};
  for (size_t i = 0; i != 4; ++i)
    if (spec.mask.find("bhst"[i]) == spec.mask.npos)
      sizes[i] = 1;
  return graph.addArgument(TensorType::contiguous(spec.dtype, sizes));
}

/// Of both directions; the forward one adds logsumexp.
static AttributeMap attentionAttributes(const AttentionSpec &spec) {
  return {{"acc", spec.acc()}, {"causal", spec.causal}, {"scale", spec.scale}};
}

/// Sizes in the order in which headType() lies in memory.
static std::vector<int64_t> memorySizes(const AttentionSpec &spec,
                                        const TensorType &type) {
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  if (spec.headsInside)
    std::swap(sizes[1], sizes[2]);
  return sizes;
}

static void buildCore(const AttentionSpec &spec, CommandGraph &result) {
  Graph &graph = result.graph;
  TensorType q = headType(spec, spec.heads, spec.queries, spec.depth);
  TensorType k = headType(spec, spec.kvHeads, spec.keys, spec.depth);
  TensorType v = headType(spec, spec.kvHeads, spec.keys, spec.valueDepth);
  TensorType out = headType(spec, spec.heads, spec.queries, spec.valueDepth);
  std::vector<int64_t> sums{spec.batch, spec.heads, spec.queries};
  TensorType lse = TensorType::contiguous(spec.acc(), sums);
  std::vector<ValueId> operands{graph.addArgument(q), graph.addArgument(k),
                                graph.addArgument(v)};
  if (spec.backward)
    for (const TensorType &type : {out, lse, out})
      operands.push_back(graph.addArgument(type));
  if (!spec.mask.empty())
    operands.push_back(addMask(graph, spec));
  AttributeMap attributes = attentionAttributes(spec);
  std::vector<TensorType> types{q, k, v};
  if (!spec.backward) {
    attributes["logsumexp"] = spec.logsumexp;
    types = {out};
    if (spec.logsumexp)
      types.push_back(lse);
  }
  Op op = spec.backward ? Op::AttentionGrad : Op::Attention;
  for (ValueId id : graph.addNode(op, operands, attributes, types))
    graph.addOutput(id);
  for (const TensorType &type : types)
    result.outputSizes.push_back(type.rank() == 4 ? memorySizes(spec, type)
                                                  : sums);
}

/// Input times three weights, attention, and its result times a fourth.
static void buildLayer(const AttentionSpec &spec, CommandGraph &result) {
  Graph &graph = result.graph;
  int64_t width = spec.heads * spec.depth;
  Role role = spec.weightsConstant ? Role::Constant : Role::Input;
  auto sequence = [&](int64_t columns) {
    return TensorType::contiguous(spec.dtype,
                                  {spec.batch, spec.queries, columns});
  };
  auto product = [&](ValueId a, int64_t rows, int64_t columns) {
    ValueId weight = graph.addArgument(
        TensorType::contiguous(spec.dtype, {rows, columns}), role);
    return graph
        .addNode(Op::Matmul, {a, weight}, {{"acc", spec.acc()}},
                 {sequence(columns)})
        .front();
  };
  ValueId x = graph.addArgument(sequence(width));
  std::vector<ValueId> operands{
      product(x, width, width), product(x, width, spec.kvHeads * spec.depth),
      product(x, width, spec.kvHeads * spec.valueDepth)};
  if (!spec.mask.empty())
    operands.push_back(addMask(graph, spec));
  AttributeMap attributes = attentionAttributes(spec);
  attributes["heads"] = spec.heads;
  attributes["logsumexp"] = false;
  int64_t inner = spec.heads * spec.valueDepth;
  ValueId attended =
      graph.addNode(Op::Attention, operands, attributes, {sequence(inner)})
          .front();
  graph.addOutput(product(attended, inner, width));
  result.outputSizes.push_back({spec.batch, spec.queries, width});
}

StatusOr<CommandGraph> boo::buildAttention(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(AttentionSpec spec, attentionSpec(line));
  if (spec.layer)
    buildLayer(spec, result);
  else
    buildCore(spec, result);
  BOO_RETURN_IF_ERROR(result.graph.verify());
  result.name = attentionFuncName(spec);
  if (spec.backward)
    result.direction = "backward";
  if (spec.layer && line.op.given(size_t(AttentionFlag::Layout)) &&
      line.op.text(size_t(AttentionFlag::Layout)) == "bhsd")
    result.notes.push_back(
        "--layout bhsd has no effect beside --qkv: projections give bshd");
  return result;
}
