//===- AtenPointwise.cpp - Element by element, as torch promotes ----------===//

#include "boo/driver/commands/aten/AtenOps.h"

#include <cmath>
#include <limits>

using namespace boo;

/// The smallest type that holds both.
static DType promote(DType a, DType b) {
  if (a == b)
    return a;
  for (DType wide : {DType::F64, DType::F32})
    if (a == wide || b == wide)
      return wide;
  return DType::F32; // f16 beside bf16
}

/// torch's rule among floats: tensors without dimensions do not widen others.
static DType promote(const TensorType &a, const TensorType &b) {
  if ((a.rank() == 0) == (b.rank() == 0))
    return promote(a.dtype, b.dtype);
  return a.rank() == 0 ? b.dtype : a.dtype;
}

/// Behind a number in place of the second tensor.
static StatusOr<ValueId> addNumber(AtenGraph &build, ValueId x, PointwiseFn fn,
                                   double number, double alpha) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  switch (fn) {
  case PointwiseFn::Add:
    return build.pointwise(PointwiseFn::Scale, {x}, {1.0, alpha * number});
  case PointwiseFn::Sub:
    return build.pointwise(PointwiseFn::Scale, {x}, {1.0, -alpha * number});
  case PointwiseFn::Mul:
    return build.pointwise(PointwiseFn::Scale, {x}, {number, 0.0});
  case PointwiseFn::Div:
    return build.pointwise(PointwiseFn::Scale, {x}, {1 / number, 0.0});
  case PointwiseFn::Maximum:
    return build.pointwise(PointwiseFn::Clamp, {x}, {number, inf});
  case PointwiseFn::Minimum:
    return build.pointwise(PointwiseFn::Clamp, {x}, {-inf, number});
  default:
    return internalError("no form with a number for " +
                         std::string(build.call().name()));
  }
}

Status boo::buildAtenBinary(AtenGraph &build) {
  const AtenCall &call = build.call();
  bool reversed = call.name() == "rsub";
  BOO_ASSIGN_OR_RETURN(PointwiseFn fn,
                       parsePointwiseFn(reversed ? "sub" : call.name()));
  BOO_ASSIGN_OR_RETURN(TensorType left, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(double alpha, call.real(2, 1.0));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  if (call.arguments().size() < 2 || !call.arguments()[1].tensor) {
    BOO_ASSIGN_OR_RETURN(double number, call.real(1, std::nullopt));
    BOO_ASSIGN_OR_RETURN(
        ValueId result,
        reversed ? build.pointwise(PointwiseFn::Scale, {x}, {-alpha, number})
                 : addNumber(build, x, fn, number, alpha));
    build.result(result);
    return Status::ok();
  }
  BOO_ASSIGN_OR_RETURN(TensorType right, call.tensor(1));
  BOO_ASSIGN_OR_RETURN(ValueId y, build.input(1));
  DType made = promote(left, right);
  BOO_ASSIGN_OR_RETURN(x, build.cast(x, made));
  BOO_ASSIGN_OR_RETURN(y, build.cast(y, made));
  ValueId &scaled = reversed ? x : y;
  if (alpha != 1) {
    BOO_ASSIGN_OR_RETURN(
        scaled, build.pointwise(PointwiseFn::Scale, {scaled}, {alpha, 0.0}));
  }
  if (reversed)
    std::swap(x, y);
  BOO_ASSIGN_OR_RETURN(ValueId result, build.pointwise(fn, {x, y}));
  build.result(result);
  return Status::ok();
}

/// self + value * tensor1 * tensor2, or with a quotient.
Status boo::buildAtenProductSum(AtenGraph &build) {
  const AtenCall &call = build.call();
  PointwiseFn fn =
      call.name() == "addcdiv" ? PointwiseFn::Div : PointwiseFn::Mul;
  BOO_ASSIGN_OR_RETURN(double factor, call.real(3, 1.0));
  ValueId operands[3];
  DType made = DType::F32;
  for (size_t i = 0; i != 3; ++i) {
    BOO_ASSIGN_OR_RETURN(operands[i], build.input(i));
    DType own = build.typeOf(operands[i]).dtype;
    if (i != 0 && own != made)
      return call.refusal(i, "must be of self's type");
    made = own;
  }
  BOO_ASSIGN_OR_RETURN(ValueId last,
                       build.pointwise(fn, {operands[1], operands[2]}));
  if (factor != 1) {
    BOO_ASSIGN_OR_RETURN(
        last, build.pointwise(PointwiseFn::Scale, {last}, {factor, 0.0}));
  }
  BOO_ASSIGN_OR_RETURN(last,
                       build.pointwise(PointwiseFn::Add, {operands[0], last}));
  build.result(last);
  return Status::ok();
}

/// Of an argument that torch also takes as a tensor.
static Status refuseTensor(const AtenCall &call, size_t i) {
  if (i < call.arguments().size() && call.arguments()[i].tensor)
    return call.refusal(i, "must be a number");
  return Status::ok();
}

/// The function's parameters, from the arguments behind the tensor.
static StatusOr<std::vector<double>> parametersOf(const AtenCall &call,
                                                  PointwiseFn fn) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<double> defaults;
  if (fn == PointwiseFn::LeakyRelu)
    defaults = {0.01};
  if (fn == PointwiseFn::Elu)
    defaults = {1.0};
  if (fn == PointwiseFn::Clamp)
    defaults = {-inf, inf};
  if (call.name() == "hardtanh")
    defaults = {-1, 1};
  std::vector<double> parameters;
  for (size_t i = 0; i != defaults.size(); ++i) {
    BOO_RETURN_IF_ERROR(refuseTensor(call, i + 1));
    BOO_ASSIGN_OR_RETURN(double value, call.real(i + 1, defaults[i]));
    parameters.push_back(value);
  }
  return parameters;
}

static StatusOr<PointwiseFn> unaryFn(const AtenCall &call) {
  if (call.name() == "hardtanh")
    return PointwiseFn::Clamp;
  BOO_ASSIGN_OR_RETURN(PointwiseFn fn, parsePointwiseFn(call.name()));
  if (fn == PointwiseFn::Softplus)
    BOO_RETURN_IF_ERROR(checkSoftplus(call, 0, 1));
  if (fn == PointwiseFn::Gelu) {
    BOO_ASSIGN_OR_RETURN(std::string form, call.text(1, "none"));
    if (form != "none" && form != "tanh")
      return call.error(1, "must be 'none' or 'tanh'");
    fn = form == "tanh" ? PointwiseFn::GeluTanh : fn;
  }
  return fn;
}

Status boo::buildAtenUnary(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(PointwiseFn fn, unaryFn(call));
  BOO_ASSIGN_OR_RETURN(auto parameters, parametersOf(call, fn));
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  BOO_ASSIGN_OR_RETURN(ValueId result, build.pointwise(fn, {x}, parameters));
  // elu(self, alpha, scale, input_scale)
  if (fn == PointwiseFn::Elu) {
    BOO_ASSIGN_OR_RETURN(double factor, call.real(2, 1.0));
    BOO_ASSIGN_OR_RETURN(double inputFactor, call.real(3, 1.0));
    if (inputFactor != 1)
      return call.refusal(3, "must be 1");
    if (factor != 1) {
      BOO_ASSIGN_OR_RETURN(
          result, build.pointwise(PointwiseFn::Scale, {result}, {factor, 0.0}));
    }
  }
  build.result(result);
  return Status::ok();
}

/// The exponent of pow, or of an operator that stands for one.
static StatusOr<double> exponentOf(const AtenCall &call) {
  if (call.name() == "rsqrt")
    return -0.5;
  if (call.name() == "reciprocal")
    return -1.0;
  if (call.name() == "square")
    return 2.0;
  BOO_RETURN_IF_ERROR(refuseTensor(call, 1));
  BOO_ASSIGN_OR_RETURN(double exponent, call.real(1, std::nullopt));
  // Whole ones up to here are products, which torch has of negative numbers,
  // too; the power 0 is 1 of NaN as well there.
  constexpr double most = 64;
  if (exponent == 0 || !(std::fabs(exponent) <= most))
    return call.refusal(1, "must lie between -64 and 64 and not be 0");
  return exponent;
}

Status boo::buildAtenPower(AtenGraph &build) {
  BOO_ASSIGN_OR_RETURN(double exponent, exponentOf(build.call()));
  BOO_ASSIGN_OR_RETURN(ValueId last, build.input(0));
  // Roots and quotients are rounded once; a logarithm's error grows.
  bool root = std::fabs(exponent) == 0.5;
  if (root) {
    BOO_ASSIGN_OR_RETURN(last, build.pointwise(PointwiseFn::Sqrt, {last}));
    exponent *= 2;
  }
  if (!root || exponent != 1) {
    BOO_ASSIGN_OR_RETURN(last,
                         build.pointwise(PointwiseFn::Pow, {last}, {exponent}));
  }
  build.result(last);
  return Status::ok();
}

/// _to_copy(self, dtype, layout, device, pin_memory, non_blocking,
/// memory_format).
Status boo::buildAtenCopy(AtenGraph &build) {
  const AtenCall &call = build.call();
  BOO_ASSIGN_OR_RETURN(TensorType type, call.tensor(0));
  BOO_ASSIGN_OR_RETURN(DType made, call.dtype(1, type.dtype));
  // torch's numbers: 0 is strided; the host is named, or is no argument.
  BOO_ASSIGN_OR_RETURN(int64_t strided, call.integer(2, 0));
  BOO_ASSIGN_OR_RETURN(std::string device, call.text(3, "cpu"));
  BOO_ASSIGN_OR_RETURN(bool pinned, call.truth(4, false));
  enum Format : int64_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };
  BOO_ASSIGN_OR_RETURN(int64_t format, call.integer(6, Preserve));
  if (strided != 0)
    return call.refusal(2, "must be 0, strided");
  if (device != "cpu")
    return call.refusal(3, "must be the host");
  if (pinned)
    return call.refusal(4, "must be False");
  std::vector<int64_t> sizes;
  for (Dim dim : type.sizes)
    sizes.push_back(dim.size());
  TensorType layout = type;
  if (format == Contiguous)
    layout = TensorType::contiguous(made, sizes);
  else if ((format == ChannelsLast && type.rank() == 4) ||
           (format == ChannelsLast3d && type.rank() == 5))
    layout = channelsLast(type);
  else if (format != Preserve)
    return call.refusal(6, "is " + std::to_string(format) +
                               ", no memory format of " +
                               std::to_string(type.rank()) + " dimensions");
  BOO_ASSIGN_OR_RETURN(ValueId x, build.input(0));
  BOO_ASSIGN_OR_RETURN(ValueId result,
                       build.add(Op::Cast, {x}, {{"to", made}}, &layout));
  build.result(result);
  return Status::ok();
}
