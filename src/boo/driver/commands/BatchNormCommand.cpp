//===- BatchNormCommand.cpp - The Graph of a batch norm command -----------===//

#include "boo/driver/commands/Command.h"

#include <cstdio>

using namespace boo;

namespace {

/// Indices into batchNormFlagTable().
enum class BatchNormFlag : size_t {
#define BOO_BATCH_NORM_FLAG(id, name, letter, value, kind, use, help, reason)  \
  id,
#include "boo/driver/commands/BatchNormFlags.inc"
};

struct BatchNormSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes; ///< N, C, perhaps D, H, W
  bool channelsLast = false, perActivation = false;
  bool training = true, inference = false, backward = false;
  bool save = false, run = false;
  double eps = 1e-5, momentum = 0.1;

  DType parameterType() const {
    return dtype == DType::F64 ? DType::F64 : DType::F32;
  }
};

} // namespace

FlagTable boo::batchNormFlagTable() {
  static constexpr Flag table[] = {
#define BOO_BATCH_NORM_FLAG(id, name, letter, value, kind, use, help, reason)  \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/BatchNormFlags.inc"
  };
  return table;
}

static std::string spell(BatchNormFlag flag) {
  return flagSpelling(batchNormFlagTable()[size_t(flag)]);
}

static Status readSizes(const FlagValues &op, BatchNormSpec *spec) {
  int64_t bytes = dtypeBytes(spec->dtype);
  for (BatchNormFlag flag :
       {BatchNormFlag::Batch, BatchNormFlag::Channels, BatchNormFlag::InD,
        BatchNormFlag::InH, BatchNormFlag::InW}) {
    int64_t size = op.integer(size_t(flag));
    if (flag == BatchNormFlag::InD && size == 0)
      continue;
    if (size < 1)
      return op.wrongChoice(size_t(flag), "must be at least 1");
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > INT64_MAX / 4)
      return invalidArgument("the input has more bytes than 61 bits count; "
                             "lower its sizes");
    spec->sizes.push_back(size);
  }
  bool deep = spec->sizes.size() == 5;
  std::string layout = op.text(size_t(BatchNormFlag::Layout));
  spec->channelsLast = layout == (deep ? "NDHWC" : "NHWC");
  if (layout.empty() || spec->channelsLast ||
      layout == (deep ? "NCDHW" : "NCHW"))
    return Status::ok();
  return op.wrongChoice(size_t(BatchNormFlag::Layout),
                        deep
                            ? "must be NCDHW or NDHWC, as there is a depth (-D)"
                            : "must be NCHW or NHWC; NCDHW and NDHWC need a "
                              "depth (-D)");
}

static Status readDirection(const FlagValues &op, BatchNormSpec *spec) {
  auto choice = [&](BatchNormFlag flag, int64_t most) -> StatusOr<int64_t> {
    int64_t value = op.integer(size_t(flag));
    if (value < 0 || value > most)
      return op.wrongChoice(
          size_t(flag), most == 1 ? "must be 0 or 1"
                                  : "1 is training, 2 inference, 0 neither");
    return value;
  };
  BOO_ASSIGN_OR_RETURN(int64_t forw, choice(BatchNormFlag::Forw, 2));
  BOO_ASSIGN_OR_RETURN(int64_t back, choice(BatchNormFlag::Back, 1));
  BOO_ASSIGN_OR_RETURN(int64_t mode, choice(BatchNormFlag::Mode, 1));
  BOO_ASSIGN_OR_RETURN(int64_t save, choice(BatchNormFlag::Save, 1));
  BOO_ASSIGN_OR_RETURN(int64_t run, choice(BatchNormFlag::Run, 1));
  if (back && !op.given(size_t(BatchNormFlag::Forw)))
    forw = 0;
  if (!forw && !back)
    return invalidArgument(spell(BatchNormFlag::Forw) +
                           " 0 computes nothing: add -b 1, or take -F 1 for "
                           "training or -F 2 for inference");
  if (forw == 2 && back)
    return invalidArgument(spell(BatchNormFlag::Forw) +
                           " 2, inference, has no gradient: take -F 1 or no "
                           "-F beside -b 1");
  spec->training = forw == 1;
  spec->inference = forw == 2;
  spec->backward = back == 1;
  spec->perActivation = mode == 0;
  spec->save = save == 1;
  spec->run = run == 1;
  return Status::ok();
}

static StatusOr<BatchNormSpec> batchNormSpec(const CommandLine &line) {
  const FlagValues &op = line.op;
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  BatchNormSpec spec;
  spec.dtype = line.info->dtype;
  BOO_RETURN_IF_ERROR(readSizes(op, &spec));
  BOO_RETURN_IF_ERROR(readDirection(op, &spec));
  spec.eps = op.real(size_t(BatchNormFlag::Eps));
  if (!(spec.eps >= 0) || spec.eps > 1e30)
    return op.wrongChoice(size_t(BatchNormFlag::Eps),
                          "must lie between 0 and 1e30");
  spec.momentum = op.real(size_t(BatchNormFlag::Momentum));
  if (!(spec.momentum >= 0) || spec.momentum > 1)
    return op.wrongChoice(size_t(BatchNormFlag::Momentum),
                          "must lie between 0 and 1");
  return spec;
}

static std::string directionName(const BatchNormSpec &spec) {
  if (spec.inference)
    return "inference";
  return spec.training ? spec.backward ? "forward_backward" : "forward"
                       : "backward";
}

/// batch_norm_bfloat16_forward_8x64x56x56_nhwc_spatial_save_run, and what tells
/// signatures apart beyond that: eps, momentum.
static std::string batchNormFuncName(const BatchNormSpec &spec) {
  std::string name = "batch_norm_" + std::string(torchDType(spec.dtype)) + "_" +
                     directionName(spec) + "_";
  for (size_t i = 0; i != spec.sizes.size(); ++i)
    name += (i ? "x" : "") + std::to_string(spec.sizes[i]);
  bool deep = spec.sizes.size() == 5;
  name += spec.channelsLast ? (deep ? "_ndhwc" : "_nhwc")
                            : (deep ? "_ncdhw" : "_nchw");
  name += spec.perActivation ? "_activation" : "_spatial";
  auto append = [&](const char *format, double value) {
    char text[32];
    std::snprintf(text, sizeof text, format, value);
    name += text;
  };
  if (spec.training && spec.save)
    name += "_save";
  if (spec.training && spec.run)
    name += "_run";
  if ((spec.training || spec.inference) && spec.eps != 1e-5)
    append("_eps%g", spec.eps);
  if (spec.training && spec.run && spec.momentum != 0.1)
    append("_momentum%g", spec.momentum);
  return name;
}

namespace {

/// Adds the nodes of a command to its Graph, and its outputs.
class BatchNormBuilder {
public:
  BatchNormBuilder(const BatchNormSpec &spec, CommandGraph &result)
      : Spec(spec), Result(result), G(result.graph) {
    std::vector<int64_t> sizes = spec.sizes;
    for (size_t i = 0; i != sizes.size(); ++i) {
      Order.push_back(i);
      if (i == 0 || (i != 1 && !spec.perActivation))
        sizes[i] = 1;
    }
    if (spec.channelsLast) {
      Order.erase(Order.begin() + 1);
      Order.push_back(1);
    }
    Input = TensorType::permuted(spec.dtype, spec.sizes, Order);
    Parameter = TensorType::permuted(spec.parameterType(), sizes, Order);
  }

  void build() {
    if (Spec.inference)
      return addInference();
    if (Spec.backward)
      Dy = G.addArgument(Input);
    X = G.addArgument(Input);
    Scale = G.addArgument(Parameter);
    if (Spec.training)
      addTraining();
    if (Spec.backward)
      addBackward();
  }

private:
  void addTraining() {
    std::vector<ValueId> operands{X, Scale, G.addArgument(Parameter)};
    if (Spec.run)
      for (int i = 0; i != 2; ++i)
        operands.push_back(G.addArgument(Parameter));
    bool stats = Spec.save || Spec.backward;
    std::vector<TensorType> types{Input};
    types.insert(types.end(), (stats ? 2 : 0) + (Spec.run ? 2 : 0), Parameter);
    std::vector<ValueId> made =
        G.addNode(Op::BatchNorm, operands,
                  {{"acc", Spec.parameterType()},
                   {"eps", Spec.eps},
                   {"momentum", Spec.run ? Spec.momentum : 0.0},
                   {"stats", stats}},
                  types);
    if (stats) {
      Mean = made[1];
      Rstd = made[2];
    }
    for (ValueId id : made)
      if (Spec.save || (id != Mean && id != Rstd))
        addOutput(id);
  }

  void addBackward() {
    if (!Spec.training) {
      Mean = G.addArgument(Parameter);
      Rstd = G.addArgument(Parameter);
    }
    for (ValueId id : G.addNode(Op::BatchNormGrad, {Dy, X, Mean, Rstd, Scale},
                                {{"acc", Spec.parameterType()}},
                                {Input, Parameter, Parameter}))
      addOutput(id);
  }

  /// (x - mean) * (scale / sqrt(variance + eps)) + bias, in the parameters'
  /// type.
  void addInference() {
    X = G.addArgument(Input);
    Scale = G.addArgument(Parameter);
    ValueId bias = G.addArgument(Parameter);
    ValueId mean = G.addArgument(Parameter);
    ValueId variance = G.addArgument(Parameter);
    ValueId wide = G.addPointwise(PointwiseFn::Scale, {variance}, Parameter,
                                  {1.0, Spec.eps});
    ValueId deviation = G.addPointwise(PointwiseFn::Sqrt, {wide}, Parameter);
    ValueId factor =
        G.addPointwise(PointwiseFn::Div, {Scale, deviation}, Parameter);
    TensorType type = Input;
    type.dtype = Parameter.dtype;
    ValueId y = cast(X, type);
    y = G.addPointwise(PointwiseFn::Sub, {y, mean}, type);
    y = G.addPointwise(PointwiseFn::Mul, {y, factor}, type);
    y = G.addPointwise(PointwiseFn::Add, {y, bias}, type);
    addOutput(cast(y, Input));
  }

  ValueId cast(ValueId id, const TensorType &type) {
    if (G.value(id).type.dtype == type.dtype)
      return id;
    return G.addNode(Op::Cast, {id}, {{"to", type.dtype}}, {type}).front();
  }

  void addOutput(ValueId id) {
    G.addOutput(id);
    std::vector<int64_t> sizes;
    for (size_t dim : Order)
      sizes.push_back(G.value(id).type.sizes[dim].size());
    Result.outputSizes.push_back(std::move(sizes));
  }

  const BatchNormSpec &Spec;
  CommandGraph &Result;
  Graph &G;
  std::vector<size_t> Order; ///< of dimensions in memory
  TensorType Input, Parameter;
  ValueId Dy = kNoValue, X = kNoValue, Scale = kNoValue, Mean = kNoValue,
          Rstd = kNoValue;
};

} // namespace

/// Notes on flags that are given and have no effect beside the others.
static std::vector<std::string> notesOn(const BatchNormSpec &spec,
                                        const FlagValues &op) {
  std::vector<std::string> notes;
  auto note = [&](BatchNormFlag flag, bool effect, const char *why) {
    if (op.given(size_t(flag)) && !effect)
      notes.push_back(spell(flag) + " has no effect: " + why);
  };
  if (spec.inference) {
    note(BatchNormFlag::Save, !spec.save, "inference makes no statistics");
    note(BatchNormFlag::Run, spec.run,
         "inference takes the running statistics");
  } else if (!spec.training) {
    note(BatchNormFlag::Save, spec.save,
         "gradients take mean and 1 / sqrt(variance + eps) as they are");
    note(BatchNormFlag::Run, !spec.run, "only training moves them (-F 1)");
    note(BatchNormFlag::Eps, false,
         "gradients take mean and 1 / sqrt(variance + eps) as they are");
  }
  note(BatchNormFlag::Momentum, spec.training && spec.run,
       "running statistics move with -F 1 -r 1 only");
  return notes;
}

StatusOr<CommandGraph> boo::buildBatchNorm(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(BatchNormSpec spec, batchNormSpec(line));
  BatchNormBuilder(spec, result).build();
  BOO_RETURN_IF_ERROR(result.graph.verify());
  result.name = batchNormFuncName(spec);
  result.direction = directionName(spec);
  result.notes = notesOn(spec, line.op);
  return result;
}
