//===- ActivCommand.cpp - The Graph of an activ command -------------------===//
//
// MIOpen's activations and their gradients, made of pointwise functions. The
// gradients are MIOpen's where a function has a corner: that of the lower side.
//
//===----------------------------------------------------------------------===//

#include "boo/driver/commands/Command.h"
#include "boo/driver/commands/Factors.h"
#include "boo/driver/commands/SizeList.h"

#include <cmath>
#include <limits>

using namespace boo;

namespace {

/// Indices into activFlagTable().
enum class ActivFlag : size_t {
#define BOO_ACTIV_FLAG(id, name, letter, value, kind, use, help, reason) id,
#include "boo/driver/commands/ActivFlags.inc"
};

/// MIOpen's numbers.
enum class Activ {
  Pasthru,
  Logistic,
  Tanh,
  Relu,
  SoftRelu,
  Abs,
  Power,
  ClippedRelu,
  LeakyRelu,
  Elu,
  Clamp
};

constexpr std::string_view names[] = {
    "pasthru", "logistic",    "tanh",      "relu", "softrelu", "abs",
    "power",   "clippedrelu", "leakyrelu", "elu",  "clamp"};

struct ActivSpec {
  DType dtype = DType::F32;
  std::vector<int64_t> sizes;
  Activ mode = Activ::Relu;
  double alpha = 0, beta = 0, gamma = 1;
  bool gradient = false;
};

/// Formulas as nodes.
class Formula {
public:
  Formula(Graph &graph, const ActivSpec &spec)
      : TheGraph(graph), Spec(spec),
        Type(TensorType::contiguous(spec.dtype, spec.sizes)) {}

  ValueId forward();
  ValueId gradient();

private:
  ValueId input() { return TheGraph.addArgument(Type); }
  ValueId make(PointwiseFn fn, std::vector<ValueId> operands,
               std::vector<double> parameters = {}) {
    return TheGraph.addPointwise(fn, std::move(operands), Type,
                                 std::move(parameters));
  }
  ValueId scale(ValueId x, double factor, double add = 0) {
    return make(PointwiseFn::Scale, {x}, {factor, add});
  }
  ValueId mul(ValueId a, ValueId b) { return make(PointwiseFn::Mul, {a, b}); }
  /// `x` where `by` is greater than `low` and not greater than `high`.
  ValueId gate(ValueId x, ValueId by, double low, double high) {
    return make(PointwiseFn::Gate, {x, by}, {low, high});
  }

  Graph &TheGraph;
  const ActivSpec &Spec;
  TensorType Type;
};

} // namespace

FlagTable boo::activFlagTable() {
  static constexpr Flag table[] = {
#define BOO_ACTIV_FLAG(id, name, letter, value, kind, use, help, reason)       \
  {name, letter, value, FlagKind::kind, FlagUse::use, help, reason},
#include "boo/driver/commands/ActivFlags.inc"
  };
  return table;
}

ValueId Formula::forward() {
  auto [alpha, beta, gamma] = std::tuple(Spec.alpha, Spec.beta, Spec.gamma);
  ValueId x = input();
  switch (Spec.mode) {
  case Activ::Pasthru:
    return scale(x, 1);
  case Activ::Logistic:
    return make(PointwiseFn::Sigmoid, {x});
  case Activ::Tanh:
    return scale(make(PointwiseFn::Tanh, {scale(x, alpha)}), beta);
  case Activ::Relu:
    return make(PointwiseFn::Relu, {x});
  case Activ::SoftRelu:
    return make(PointwiseFn::Softplus, {x});
  case Activ::Abs:
    return make(PointwiseFn::Abs, {x});
  case Activ::Power:
    return make(PointwiseFn::Pow, {scale(x, beta, alpha)}, {gamma});
  case Activ::ClippedRelu:
    return make(PointwiseFn::Clamp, {x}, {0.0, alpha});
  case Activ::LeakyRelu:
    return make(PointwiseFn::LeakyRelu, {x}, {alpha});
  case Activ::Elu:
    return make(PointwiseFn::Elu, {x}, {alpha});
  case Activ::Clamp:
    return make(PointwiseFn::Clamp, {x}, {alpha, beta});
  }
  return kNoValue;
}

ValueId Formula::gradient() {
  constexpr double inf = std::numeric_limits<double>::infinity();
  auto [alpha, beta, gamma] = std::tuple(Spec.alpha, Spec.beta, Spec.gamma);
  ValueId dy = input();
  switch (Spec.mode) {
  case Activ::Pasthru:
    return scale(dy, 1);
  case Activ::Logistic: {
    ValueId y = input();
    return mul(dy, mul(y, scale(y, -1, 1)));
  }
  case Activ::Tanh: {
    ValueId y = input();
    return mul(dy, scale(mul(y, y), -alpha / beta, alpha * beta));
  }
  case Activ::Relu:
    return gate(dy, input(), 0, inf);
  case Activ::SoftRelu:
    return mul(dy, make(PointwiseFn::Sigmoid, {input()}));
  case Activ::Abs: {
    ValueId x = input();
    return make(PointwiseFn::Sub, {gate(dy, x, 0, inf), gate(dy, x, -inf, 0)});
  }
  case Activ::Power: {
    ValueId base = scale(input(), beta, alpha);
    return mul(
        dy, scale(make(PointwiseFn::Pow, {base}, {gamma - 1}), beta * gamma));
  }
  case Activ::ClippedRelu:
    return gate(dy, input(), 0, alpha);
  case Activ::LeakyRelu:
    return make(
        PointwiseFn::Add,
        {scale(dy, alpha), scale(gate(dy, input(), 0, inf), 1 - alpha)});
  case Activ::Elu: {
    ValueId x = input(), y = input();
    ValueId below = mul(dy, scale(y, 1, alpha));
    return make(PointwiseFn::Add,
                {gate(dy, x, 0, inf), gate(below, x, -inf, 0)});
  }
  case Activ::Clamp:
    return gate(dy, input(), alpha, beta);
  }
  return kNoValue;
}

static StatusOr<Activ> readMode(const FlagValues &op) {
  if (auto mode = op.choice(size_t(ActivFlag::Mode), names))
    return Activ(*mode);
  std::string list;
  for (size_t i = 0; i != std::size(names); ++i)
    list += (i ? ", " : "") + std::to_string(i) + " " + std::string(names[i]);
  return op.wrongChoice(size_t(ActivFlag::Mode), "must be one of " + list);
}

static Status checkParameters(const ActivSpec &spec) {
  auto fits = [](double value) {
    return std::isfinite(value) && std::fabs(value) <= 1e20;
  };
  if (!fits(spec.alpha) || !fits(spec.beta) || !fits(spec.gamma))
    return invalidArgument("--alpha (-A), --beta (-B) and --gamma (-G) must "
                           "lie between -1e20 and 1e20");
  bool clamps = spec.mode == Activ::Clamp;
  if (clamps && spec.alpha > spec.beta)
    return invalidArgument("--alpha (-A) " + realText(spec.alpha) +
                           " is the lower end of a clamp and --beta (-B) " +
                           realText(spec.beta) +
                           " the upper one: it must not be less");
  if (spec.mode == Activ::Tanh && spec.gradient && std::fabs(spec.beta) < 1e-10)
    return invalidArgument("--beta (-B) " + realText(spec.beta) +
                           ": the gradient of tanh divides by it; it must be "
                           "at least 1e-10 away from 0");
  return Status::ok();
}

static StatusOr<ActivSpec> activSpec(const CommandLine &line) {
  BOO_RETURN_IF_ERROR(refusePositionals(line));
  const FlagValues &op = line.op;
  ActivSpec spec;
  spec.dtype = line.info->dtype;
  BOO_ASSIGN_OR_RETURN(
      spec.sizes,
      readImageSizes(op,
                     {size_t(ActivFlag::Batch), size_t(ActivFlag::Channels),
                      size_t(ActivFlag::InH), size_t(ActivFlag::InW)},
                     spec.dtype));
  BOO_ASSIGN_OR_RETURN(spec.mode, readMode(op));
  spec.alpha = op.real(size_t(ActivFlag::Alpha));
  spec.beta = op.real(size_t(ActivFlag::Beta));
  spec.gamma = op.real(size_t(ActivFlag::Gamma));
  int64_t forw = op.integer(size_t(ActivFlag::Forw));
  if (forw != 1 && forw != 2)
    return op.wrongChoice(size_t(ActivFlag::Forw),
                          "1 is forward, 2 the gradient of the input");
  spec.gradient = forw == 2;
  BOO_RETURN_IF_ERROR(checkParameters(spec));
  return spec;
}

/// activ_leakyrelu_float32_forward_100x3x32x32_a0.1.
static std::string activFuncName(const ActivSpec &spec) {
  std::string name = "activ_" + std::string(names[size_t(spec.mode)]) + "_" +
                     std::string(torchDType(spec.dtype)) +
                     (spec.gradient ? "_input_backward_" : "_forward_") +
                     joinSizes(spec.sizes);
  if (spec.alpha != 0)
    name += "_a" + realText(spec.alpha);
  if (spec.beta != 0)
    name += "_b" + realText(spec.beta);
  if (spec.gamma != 1)
    name += "_g" + realText(spec.gamma);
  return name;
}

StatusOr<CommandGraph> boo::buildActiv(const CommandLine &line) {
  CommandGraph result;
  BOO_ASSIGN_OR_RETURN(ActivSpec spec, activSpec(line));
  Formula formula(result.graph, spec);
  result.graph.addOutput(spec.gradient ? formula.gradient()
                                       : formula.forward());
  BOO_RETURN_IF_ERROR(result.graph.verify());
  if (spec.gradient)
    result.direction = "input_backward";
  result.name = activFuncName(spec);
  result.outputSizes.push_back(spec.sizes);
  return result;
}
